// The CustomResourceDefinitions of Pool, IP and Director as data, made from the zod schemas. `npm run gen` writes them as YAML.
import { celRules, type CelRule } from './cel.ts';
import { directorStatusSchema } from './director.ts';
import { ipSpecSchema, ipStatusSchema } from './ip.ts';
import { GROUP, poolSpecSchema, poolStatusSchema, VERSION } from './pool.ts';
import { structuralSchema, type CrdSchema } from './structural-schema.ts';

interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'date';
  readonly jsonPath: string;
  /** Above 0: only with `-o wide`. */
  readonly priority?: number;
}

export interface Crd {
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly columns: readonly Column[];
  readonly schema: CrdSchema;
}

const AGE: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

export const POOL_CRD: Crd = {
  kind: 'Pool',
  plural: 'pools',
  shortNames: ['vpool'],
  columns: [
    { name: 'Allocatable', type: 'integer', jsonPath: '.status.allocatable' },
    { name: 'Capacity', type: 'integer', jsonPath: '.status.capacity' },
    { name: 'Status', type: 'string', jsonPath: '.status.phase' },
    AGE,
  ],
  schema: objectSchema(
    'A set of addresses that are handed out to Services of type LoadBalancer, and the rules for whom.',
    structuralSchema(poolSpecSchema),
    structuralSchema(poolStatusSchema),
    [],
  ),
};

/** Names are compared as addresses: the CEL library has no full form of IPv6, but it reads one. */
const NAME_RULE: CelRule = {
  rule:
    "self.metadata.name == self.spec.address || (self.metadata.name.matches('^[0-9a-f]{4}(-[0-9a-f]{4}){7}$')" +
    " && isIP(self.metadata.name.replace('-', ':')) && isIP(self.spec.address)" +
    " && ip(self.metadata.name.replace('-', ':')) == ip(self.spec.address))",
  message:
    'metadata.name must be the address: 192.0.2.10, or for 2001:db8::1 2001-0db8-0000-0000-0000-0000-0000-0001',
};

export const IP_CRD: Crd = {
  kind: 'IP',
  plural: 'ips',
  shortNames: ['vip'],
  columns: [
    { name: 'Address', type: 'string', jsonPath: '.spec.address' },
    { name: 'Pool', type: 'string', jsonPath: '.spec.poolName' },
    { name: 'Status', type: 'string', jsonPath: '.status.phase' },
    { name: 'Service', type: 'string', jsonPath: '.spec.claims[0].name' },
    { name: 'Namespace', type: 'string', jsonPath: '.spec.claims[0].namespace', priority: 1 },
    { name: 'Reason', type: 'string', jsonPath: '.status.reason', priority: 1 },
    AGE,
  ],
  schema: objectSchema(
    'One address in use, reserved or held. Its name is the address, so creating it is the lock on the address.',
    structuralSchema(ipSpecSchema),
    structuralSchema(ipStatusSchema),
    [NAME_RULE],
  ),
};

export const DIRECTOR_CRD: Crd = {
  kind: 'Director',
  plural: 'directors',
  shortNames: ['vdir'],
  columns: [
    { name: 'Announcing', type: 'boolean', jsonPath: '.status.announcing' },
    { name: 'VirtualServers', type: 'integer', jsonPath: '.status.virtualServers' },
    { name: 'Failed', type: 'integer', jsonPath: '.status.failedServices' },
    { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
    { name: 'Kernel', type: 'string', jsonPath: '.status.versions.kernel', priority: 1 },
    { name: 'Version', type: 'string', jsonPath: '.status.versions.vipvs', priority: 1 },
    AGE,
  ],
  schema: objectSchema(
    'What one director, a node that holds VIPs, has in its kernel. Its name is the name of the node.',
    undefined,
    structuralSchema(directorStatusSchema),
    [],
  ),
};

/** The object that `kubectl apply` takes. */
export function crdManifest(crd: Crd): Readonly<Record<string, unknown>> {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${crd.plural}.${GROUP}` },
    spec: {
      group: GROUP,
      names: {
        kind: crd.kind,
        listKind: `${crd.kind}List`,
        plural: crd.plural,
        singular: crd.kind.toLowerCase(),
        shortNames: crd.shortNames,
        categories: ['vipvs'],
      },
      scope: 'Cluster',
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: crd.columns,
          schema: { openAPIV3Schema: crd.schema },
        },
      ],
    },
  };
}

function objectSchema(
  description: string,
  spec: CrdSchema | undefined,
  status: CrdSchema,
  rules: readonly CelRule[],
): CrdSchema {
  return {
    description,
    type: 'object',
    ...(spec === undefined ? {} : { required: ['spec'] }),
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      ...(spec === undefined ? {} : { spec }),
      status,
    },
    ...(rules.length > 0 ? celRules(...rules) : {}),
  };
}
