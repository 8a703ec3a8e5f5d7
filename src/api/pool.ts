// Kind Pool: a set of addresses that the assigner hands out, and the rules for whom.
// The zod schema is the one source: parser, TypeScript type and CRD (deploy/crds) come from it.
import { z } from 'zod';
import { SCHEDULERS } from '../net/ipvs.ts';
import { objectMetaSchema } from './kubernetes.ts';
import type { DeepReadonly } from './readonly.ts';

export const GROUP = 'vipvs.io';
export const API_VERSION = 'vipvs.io/v1alpha1';

export const DRIVERS = ['ipvs', 'f5', 'octavia'] as const;
/** How packets reach the real servers; docs/reference/annotations.md. */
export const FORWARDINGS = ['nat', 'dr', 'tunnel', 'cluster-ip'] as const;
export type Forwarding = (typeof FORWARDINGS)[number];

const labelSelectorSchema = z.object({
  matchLabels: z.record(z.string(), z.string()).optional(),
  matchExpressions: z
    .array(
      z.object({
        key: z.string(),
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(z.string()).optional(),
      }),
    )
    .optional(),
});
export type LabelSelector = DeepReadonly<z.infer<typeof labelSelectorSchema>>;

/** 15 characters: IFNAMSIZ - 1, linux/if.h */
const INTERFACE_NAME_MAX = 15;
/** 31 days: ip_vs_ctl.c keeps the timeout in jiffies as unsigned int; longer stickiness is a configuration error. */
export const PERSISTENCE_SECONDS_MAX = 2_678_400;
export const DRAIN_SECONDS_MAX = 86_400;

export const poolSpecSchema = z.strictObject({
  addresses: z.array(z.string().max(100)).min(1).max(256),
  filterIPs: z.array(z.string().max(100)).max(1024).default([]),
  avoidBuggyIPs: z.boolean().default(false),
  avoidGatewayIPs: z.boolean().default(false),
  ignoreNamespaces: z.array(z.string().max(63)).max(256).default([]),
  autoAssign: z.boolean().default(true),
  disabled: z.boolean().default(false),
  serviceAllocation: z
    .strictObject({
      priority: z.number().int().min(0).max(1_000_000).optional(),
      namespaces: z.array(z.string().max(63)).max(256).optional(),
      namespaceSelectors: z.array(labelSelectorSchema).max(64).optional(),
      serviceSelectors: z.array(labelSelectorSchema).max(64).optional(),
    })
    .optional(),
  perNamespaceLimit: z.number().int().min(1).optional(),
  driver: z.enum(DRIVERS).default('ipvs'),
  bindInterface: z.string().min(1).max(INTERFACE_NAME_MAX).optional(),
  defaults: z
    .strictObject({
      scheduler: z.enum(SCHEDULERS).optional(),
      forwarding: z.enum(FORWARDINGS).optional(),
      persistenceSeconds: z.number().int().min(0).max(PERSISTENCE_SECONDS_MAX).optional(),
      drainSeconds: z.number().int().min(0).max(DRAIN_SECONDS_MAX).optional(),
    })
    .optional(),
});

export const POOL_PHASES = ['Active', 'Failed', 'Terminating'] as const;

export const poolStatusSchema = z.object({
  phase: z.enum(POOL_PHASES).optional(),
  reason: z.string().optional(),
  /** Addresses after filters and avoid flags; at most 2^53-1 is shown, a /64 shows that number. */
  capacity: z.number().int().optional(),
  allocatable: z.number().int().optional(),
});

export const poolSchema = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Pool'),
  metadata: objectMetaSchema,
  spec: poolSpecSchema,
  status: poolStatusSchema.optional(),
});
export type Pool = DeepReadonly<z.infer<typeof poolSchema>>;
export type PoolSpec = Pool['spec'];
export type PoolStatus = NonNullable<Pool['status']>;
