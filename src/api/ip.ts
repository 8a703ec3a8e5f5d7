// Kind IP: one address in use, reserved or held. Its name is the address (net/address objectNameOf), so creating
// it is the lock that keeps two writers from giving one address twice (design decision 7).
import { z } from 'zod';
import { PROTOCOLS } from '../net/ipvs.ts';
import { celRules } from './cel.ts';
import { objectMetaSchema } from './kubernetes.ts';
import {
  ADDRESS_TEXT_MAX,
  HOLD_SECONDS_MAX,
  IP_SERVICES_MAX,
  LABEL_NAME_MAX,
  NAME_MAX,
  REASON_MAX,
  SERVICE_PORTS_MAX,
  SHARING_KEY_MAX,
  TIME_MAX,
  UID_MAX,
} from './limits.ts';
import { API_VERSION } from './pool.ts';
import type { DeepReadonly } from './readonly.ts';

/** One Service on the address. More than one entry: they share it under one sharing key. */
const ipServiceSchema = z.object({
  namespace: z.string().max(LABEL_NAME_MAX),
  name: z.string().max(LABEL_NAME_MAX),
  uid: z.string().max(UID_MAX).optional().meta({
    description: 'Guards against a Service that was deleted and made again under the same name.',
  }),
  sharingKey: z.string().max(SHARING_KEY_MAX).optional(),
  ports: z
    .array(z.object({ port: z.number().int().min(1).max(65535), protocol: z.enum(PROTOCOLS) }))
    .max(SERVICE_PORTS_MAX),
});
export type IpService = DeepReadonly<z.infer<typeof ipServiceSchema>>;

export const ipSpecSchema = z.strictObject({
  address: z
    .string()
    .max(ADDRESS_TEXT_MAX)
    .meta({
      description: 'The address, in canonical form (RFC 5952). The object is named after it.',
      ...celRules(
        {
          rule: 'isIP(self) && ip.isCanonical(self)',
          message: 'must be an IP address in canonical form',
        },
        { rule: 'self == oldSelf', message: 'cannot be changed; make another IP object' },
      ),
    }),
  poolName: z
    .string()
    .min(1)
    .max(NAME_MAX)
    .meta({ description: 'The Pool that the address is from.' }),
  reservedFor: z
    .strictObject({
      namespace: z.string().min(1).max(LABEL_NAME_MAX),
      service: z.string().min(1).max(LABEL_NAME_MAX).optional(),
    })
    .optional()
    .meta({
      description: 'Only Services of this namespace, or only this Service, get the address.',
    }),
  retain: z.boolean().default(false).meta({
    description: 'Keep the object (phase Reserved) when its last Service goes.',
  }),
  holdSeconds: z.number().int().min(0).max(HOLD_SECONDS_MAX).optional().meta({
    description: 'How long the address is kept back (phase Held) after its last Service went.',
  }),
  claims: z.array(ipServiceSchema).max(IP_SERVICES_MAX).optional().meta({
    description:
      'Who holds the address. Written by vipvs in the same write that creates the object, because a create drops status; status.services is its published copy. Do not edit.',
  }),
});

const IP_PHASES = ['Active', 'Reserved', 'Held', 'Conflict', 'Failed'] as const;

export const ipStatusSchema = z
  .object({
    phase: z.enum(IP_PHASES).optional(),
    services: z.array(ipServiceSchema).max(IP_SERVICES_MAX).optional(),
    reason: z.string().max(REASON_MAX).optional(),
    heldUntil: z.string().max(TIME_MAX).optional().meta({
      description: 'When the address is free again (RFC 3339); set with phase Held.',
    }),
  })
  .meta({
    description: 'Written by vipvs.',
    // a create drops status, and reading fills this in: a new IP shows Active without a second write
    default: { phase: 'Active' },
  });

export const ipSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('IP'),
  metadata: objectMetaSchema,
  spec: ipSpecSchema,
  status: ipStatusSchema.optional(),
});
export type IP = DeepReadonly<z.infer<typeof ipSchema>>;
export type IpStatus = NonNullable<IP['status']>;
