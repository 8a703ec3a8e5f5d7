// Kind IP: one address in use, reserved or held. Its name is the address (net/address objectNameOf), so creating
// it is the lock that keeps two writers from giving one address twice (design decision 7).
import { z } from 'zod';
import { PROTOCOLS } from '../net/ipvs.ts';
import { objectMetaSchema } from './kubernetes.ts';
import { API_VERSION } from './pool.ts';
import type { DeepReadonly } from './readonly.ts';

/** One Service on the address. More than one entry: they share it under one sharing key. */
const ipServiceSchema = z.object({
  namespace: z.string(),
  name: z.string(),
  /** Guards against a Service that was deleted and made again under the same name. */
  uid: z.string().optional(),
  sharingKey: z.string().optional(),
  ports: z.array(z.object({ port: z.number().int(), protocol: z.enum(PROTOCOLS) })),
});
export type IpService = DeepReadonly<z.infer<typeof ipServiceSchema>>;

export const ipSpecSchema = z.strictObject({
  address: z.string().max(100),
  poolName: z.string().max(253),
  reservedFor: z
    .strictObject({ namespace: z.string().max(63), service: z.string().max(63).optional() })
    .optional(),
  /** Keep the object (phase Reserved) when its last Service goes. */
  retain: z.boolean().default(false),
  /** Seconds the address is kept back (phase Held) after its last Service went. */
  holdSeconds: z.number().int().min(0).max(31_536_000).optional(),
  /**
   * Who holds the address: written by the assigner, in the same write that creates the object, because a create
   * drops `status`. status.services is its published copy.
   */
  claims: z.array(ipServiceSchema).max(256).optional(),
});

export const IP_PHASES = ['Active', 'Reserved', 'Held', 'Conflict', 'Failed'] as const;

export const ipStatusSchema = z.object({
  phase: z.enum(IP_PHASES).optional(),
  services: z.array(ipServiceSchema).optional(),
  reason: z.string().optional(),
  /** RFC 3339; set with phase Held. */
  heldUntil: z.string().optional(),
});

export const ipSchema = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('IP'),
  metadata: objectMetaSchema,
  spec: ipSpecSchema,
  status: ipStatusSchema.optional(),
});
export type IP = DeepReadonly<z.infer<typeof ipSchema>>;
export type IpStatus = NonNullable<IP['status']>;
