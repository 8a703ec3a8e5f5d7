// Kind Pool: a set of addresses that the assigner hands out, and the rules for whom.
// The zod schema is the one source: parser, TypeScript type and CRD (deploy/crds, docs/reference/crds.md) come from it.
import { z } from 'zod';
import { SCHEDULERS } from '../net/ipvs.ts';
import { celRules } from './cel.ts';
import { objectMetaSchema } from './kubernetes.ts';
import { labelSelectorSchema } from './label-selector.ts';
import {
  DRAIN_SECONDS_MAX,
  INTERFACE_NAME_MAX,
  LABEL_NAME_MAX,
  NAMESPACE_ADDRESSES_MAX,
  PERSISTENCE_SECONDS_MAX,
  POOL_ADDRESSES_MAX,
  POOL_FILTERS_MAX,
  POOL_NAMESPACES_MAX,
  POOL_SELECTORS_MAX,
  PRIORITY_MAX,
  RANGE_TEXT_MAX,
  REASON_MAX,
} from './limits.ts';
import type { DeepReadonly } from './readonly.ts';

export const GROUP = 'vipvs.io';
export const VERSION = 'v1alpha1';
export const API_VERSION = `${GROUP}/${VERSION}` as const;

const DRIVERS = ['ipvs', 'f5', 'octavia'] as const;
/** How packets reach the real servers; docs/reference/annotations.md. */
export const FORWARDINGS = ['nat', 'dr', 'tunnel', 'cluster-ip'] as const;
export type Forwarding = (typeof FORWARDINGS)[number];

export type { LabelSelector } from './label-selector.ts';

/** What net/core/dev.c dev_valid_name takes, less what no tool would let you type. */
const INTERFACE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.@-]*$/;

const ALLOWED_RANGES =
  'must be an address, a CIDR (192.0.2.0/24) or a range of one family (192.0.2.10-192.0.2.20)';

/** The two ends of a range in CEL. substring, not split: what split may return is priced as a hundred texts. */
const FIRST = "self.substring(0, self.indexOf('-')).trim()";
const LAST = "self.substring(self.indexOf('-') + 1).trim()";

const RANGE_RULE = {
  rule:
    `self.contains('-') ? isIP(${FIRST}) && isIP(${LAST}) && ip(${FIRST}).family() == ip(${LAST}).family()` +
    " : (self.contains('/') ? isCIDR(self) : isIP(self))",
  message: ALLOWED_RANGES,
};

const addressesSchema = z
  .array(
    z
      .string()
      .max(RANGE_TEXT_MAX)
      .meta(
        celRules(RANGE_RULE, {
          rule: "!self.matches('/0+$')",
          message: 'a /0 is every address there is; name the ones you own',
        }),
      ),
  )
  .min(1)
  .max(POOL_ADDRESSES_MAX)
  .meta({
    description:
      'What the pool hands out, in this order, lowest first: CIDRs, inclusive ranges, single addresses; IPv4 and IPv6. Host bits of a CIDR are ignored, which is said as HostBits. Multicast, loopback, link-local, unspecified and broadcast addresses are refused.',
  });

const filterIPsSchema = z
  .array(z.string().max(RANGE_TEXT_MAX).meta(celRules(RANGE_RULE)))
  .max(POOL_FILTERS_MAX)
  .default([])
  .meta({ description: 'Never handed out: addresses, CIDRs or ranges.' });

const namespacesSchema = z.array(z.string().max(LABEL_NAME_MAX)).max(POOL_NAMESPACES_MAX);

const serviceAllocationSchema = z
  .strictObject({
    priority: z.number().int().min(0).max(PRIORITY_MAX).optional().meta({
      description: 'Pools are tried by the lowest number above 0; 0 and unset come last.',
    }),
    namespaces: namespacesSchema
      .optional()
      .meta({ description: 'Only for Services of these namespaces.' }),
    namespaceSelectors: z.array(labelSelectorSchema).max(POOL_SELECTORS_MAX).optional().meta({
      description:
        'Only for Services of namespaces that one of these matches (or that `namespaces` names).',
    }),
    serviceSelectors: z.array(labelSelectorSchema).max(POOL_SELECTORS_MAX).optional().meta({
      description: 'Only for Services whose labels one of these matches.',
    }),
  })
  .meta({
    description:
      'Whom the pool is for. A pool with it is tried before pools without it, and is never given to anybody else.',
  });

const defaultsSchema = z
  .strictObject({
    scheduler: z
      .enum(SCHEDULERS)
      .optional()
      .meta({ description: 'IPVS scheduler; rr when unset.' }),
    forwarding: z.enum(FORWARDINGS).optional().meta({ description: 'Forwarding; nat when unset.' }),
    persistenceSeconds: z.number().int().min(0).max(PERSISTENCE_SECONDS_MAX).optional().meta({
      description: 'How long a client sticks to its real server; 0 or unset: not at all.',
    }),
    drainSeconds: z.number().int().min(0).max(DRAIN_SECONDS_MAX).optional().meta({
      description: 'How long a real server that left keeps its connections; 300 when unset.',
    }),
  })
  .meta({ description: 'For Services of this pool that do not say it themselves by annotation.' });

export const poolSpecSchema = z.strictObject({
  addresses: addressesSchema,
  filterIPs: filterIPsSchema,
  avoidBuggyIPs: z.boolean().default(false).meta({
    description:
      'Leave out IPv4 addresses that end in .0 or .255: some old equipment drops their packets.',
  }),
  avoidGatewayIPs: z.boolean().default(false).meta({
    description: 'Leave out IPv4 addresses that end in .1 or .254: routers often have them.',
  }),
  ignoreNamespaces: namespacesSchema.default([]).meta({
    description: 'Services of these namespaces get nothing from this pool unless they ask for it.',
  }),
  autoAssign: z.boolean().default(true).meta({
    description:
      'false: only Services that ask for the pool, or for one of its addresses, get one.',
  }),
  disabled: z.boolean().default(false).meta({
    description: 'true: nothing new is handed out; addresses in use stay.',
  }),
  serviceAllocation: serviceAllocationSchema.optional(),
  perNamespaceLimit: z.number().int().min(1).max(NAMESPACE_ADDRESSES_MAX).optional().meta({
    description: 'How many addresses of the pool one namespace may hold.',
  }),
  driver: z.enum(DRIVERS).default('ipvs').meta({
    description: 'Who serves the addresses: the IPVS nodes, an F5 or OpenStack Octavia.',
  }),
  bindInterface: z
    .string()
    .min(1)
    .max(INTERFACE_NAME_MAX)
    .regex(INTERFACE_NAME, 'must be the name of a network interface, like eth0 or bond0.100')
    .optional()
    .meta({
      description: 'Network interface for the addresses; the default one of the node when unset.',
    }),
  defaults: defaultsSchema.optional(),
});

const POOL_PHASES = ['Active', 'Failed', 'Terminating'] as const;

export const poolStatusSchema = z
  .object({
    phase: z.enum(POOL_PHASES).optional(),
    reason: z
      .string()
      .max(REASON_MAX)
      .optional()
      .meta({ description: 'Why the pool is not Active.' }),
    capacity: z.number().int().optional().meta({
      description:
        'How many addresses the pool has after filters and avoid flags. At most 2^53-1 is shown: a /64 shows that number.',
    }),
    allocatable: z.number().int().optional().meta({ description: 'How many of them are free.' }),
  })
  .meta({ description: 'Written by vipvs.' });

export const poolSchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Pool'),
  metadata: objectMetaSchema,
  spec: poolSpecSchema,
  status: poolStatusSchema.optional(),
});
export type Pool = DeepReadonly<z.infer<typeof poolSchema>>;
export type PoolSpec = Pool['spec'];
export type PoolStatus = NonNullable<Pool['status']>;
