// The parts of Kubernetes' own objects that vipvs uses. Parsing strips every other field, so this file is also
// the projection that keeps the stores small. Field meanings: Kubernetes API reference v1.36.
import { z } from 'zod';
import { AddressError, orAddressError } from '../net/address.ts';
import { PROTOCOLS } from '../net/ipvs.ts';
import { parseRange } from '../net/range.ts';
import { LABEL_NAME_MAX, NAME_MAX } from './limits.ts';
import type { DeepReadonly } from './readonly.ts';

const text = z.string();
const stringMap = z.record(z.string(), z.string());

/** Names of objects: RFC 1123 subdomain. All kinds here obey it, and names go into keys, files and annotations. */
const objectName = text
  .min(1)
  .max(NAME_MAX)
  .regex(
    /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
    'must be lower-case letters, digits, dashes and dots, with a letter or digit at both ends',
  );
const namespaceName = text
  .min(1)
  .max(LABEL_NAME_MAX)
  .regex(
    /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
    'must be lower-case letters, digits and dashes, with a letter or digit at both ends',
  );

export const objectMetaSchema = z.object({
  name: objectName,
  namespace: namespaceName.optional(),
  uid: text.optional(),
  resourceVersion: text.optional(),
  generation: z.number().optional(),
  creationTimestamp: text.optional(),
  deletionTimestamp: text.optional(),
  labels: stringMap.optional(),
  annotations: stringMap.optional(),
  finalizers: z.array(text).optional(),
});
export type ObjectMeta = DeepReadonly<z.infer<typeof objectMetaSchema>>;

/** meta/v1 Condition */
export const conditionSchema = z.object({
  type: text,
  status: z.enum(['True', 'False', 'Unknown']),
  observedGeneration: z.number().optional(),
  lastTransitionTime: text.optional(),
  reason: text,
  message: text,
});
export type Condition = DeepReadonly<z.infer<typeof conditionSchema>>;

const port = z.number().int().min(1).max(65535);
const protocol = z.enum(PROTOCOLS);

const servicePortSchema = z.object({
  name: text.optional(),
  protocol: protocol.default('TCP'),
  port,
  targetPort: z.union([z.number().int(), text]).optional(),
});
export type ServicePort = DeepReadonly<z.infer<typeof servicePortSchema>>;

const ipFamily = z.enum(['IPv4', 'IPv6']);
const IP_FAMILY_POLICIES = ['SingleStack', 'PreferDualStack', 'RequireDualStack'] as const;

const portStatusSchema = z.object({ port: z.number(), protocol, error: text.optional() });

export const serviceSchema = z.object({
  apiVersion: z.literal('v1'),
  kind: z.literal('Service'),
  metadata: objectMetaSchema,
  spec: z
    .object({
      type: text.optional(),
      loadBalancerClass: text.optional(),
      loadBalancerIP: text.optional(),
      loadBalancerSourceRanges: z.array(text).optional(),
      externalIPs: z.array(text).optional(),
      ports: z.array(servicePortSchema).optional(),
      selector: stringMap.optional(),
      clusterIP: text.optional(),
      clusterIPs: z.array(text).optional(),
      ipFamilies: z.array(ipFamily).optional(),
      ipFamilyPolicy: z.enum(IP_FAMILY_POLICIES).optional(),
      externalTrafficPolicy: z.enum(['Cluster', 'Local']).optional(),
      sessionAffinity: z.enum(['None', 'ClientIP']).optional(),
      sessionAffinityConfig: z
        .object({ clientIP: z.object({ timeoutSeconds: z.number().optional() }).optional() })
        .optional(),
    })
    .default({}),
  status: z
    .object({
      loadBalancer: z
        .object({
          ingress: z
            .array(
              z.object({
                ip: text.optional(),
                hostname: text.optional(),
                ipMode: text.optional(),
                ports: z.array(portStatusSchema).optional(),
              }),
            )
            .optional(),
        })
        .optional(),
      conditions: z.array(conditionSchema).optional(),
    })
    .optional(),
});
export type Service = DeepReadonly<z.infer<typeof serviceSchema>>;
export type ServiceStatus = NonNullable<Service['status']>;
export type LoadBalancerIngress = NonNullable<
  NonNullable<ServiceStatus['loadBalancer']>['ingress']
>[number];

export const endpointSliceSchema = z.object({
  apiVersion: z.literal('discovery.k8s.io/v1'),
  kind: z.literal('EndpointSlice'),
  metadata: objectMetaSchema,
  addressType: z.enum(['IPv4', 'IPv6', 'FQDN']),
  endpoints: z
    .array(
      z.object({
        addresses: z.array(text),
        /** Absent conditions mean ready and serving, not terminating. */
        conditions: z
          .object({
            ready: z.boolean().optional(),
            serving: z.boolean().optional(),
            terminating: z.boolean().optional(),
          })
          .optional(),
        nodeName: text.optional(),
      }),
    )
    .nullish()
    .transform((endpoints) => endpoints ?? []),
  ports: z
    .array(
      z.object({
        name: text.nullish(),
        protocol: protocol.nullish(),
        /** null = all ports */
        port: z.number().int().nullish(),
      }),
    )
    .nullish()
    .transform((ports) => ports ?? []),
});
export type EndpointSlice = DeepReadonly<z.infer<typeof endpointSliceSchema>>;
export type Endpoint = EndpointSlice['endpoints'][number];

export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
/** The label with which a Service is another program's: kube-proxy does not watch those. */
export const SERVICE_PROXY_LABEL = 'service.kubernetes.io/service-proxy-name';

export const nodeSchema = z.object({
  apiVersion: z.literal('v1'),
  kind: z.literal('Node'),
  metadata: objectMetaSchema,
  spec: z.object({ podCIDRs: z.array(text).optional() }).optional(),
  status: z
    .object({
      addresses: z.array(z.object({ type: text, address: text })).optional(),
      conditions: z.array(z.object({ type: text, status: text })).optional(),
    })
    .optional(),
});
export type Node = DeepReadonly<z.infer<typeof nodeSchema>>;

function isRange(text: string): boolean {
  return !(orAddressError(() => parseRange(text)) instanceof AddressError);
}

/** Where ClusterIPs come from; API servers have it since 1.33. */
export const serviceCidrSchema = z.object({
  apiVersion: z.literal('networking.k8s.io/v1'),
  kind: z.literal('ServiceCIDR'),
  metadata: objectMetaSchema,
  spec: z.object({ cidrs: z.array(text.refine(isRange, 'must be a CIDR such as 10.96.0.0/12')) }),
});
export type ServiceCidr = DeepReadonly<z.infer<typeof serviceCidrSchema>>;

export const namespaceSchema = z.object({
  apiVersion: z.literal('v1'),
  kind: z.literal('Namespace'),
  metadata: objectMetaSchema,
});
export type Namespace = DeepReadonly<z.infer<typeof namespaceSchema>>;

export function namespacedName(meta: ObjectMeta): string {
  // join makes one flat string; a template would keep its parts beside it, in every index
  return [meta.namespace ?? 'default', meta.name].join('/');
}
