// Kind Director: what one director holds in its kernel and what it could not reach. Its name is the node's; the agent of
// that node alone writes it, by server-side apply, and nobody configures anything in it.
import { z } from 'zod';
import { conditionSchema, objectMetaSchema } from './kubernetes.ts';
import {
  DIRECTOR_CONDITIONS_MAX,
  FAILED_MAX,
  FAILED_MESSAGE_MAX,
  FAILED_REASON_MAX,
  FAILED_SERVICE_MAX,
  KERNEL_VERSION_MAX,
  TIME_MAX,
  UNCHECKED_MAX,
  VERSION_MAX,
} from './limits.ts';
import { API_VERSION } from './pool.ts';
import type { DeepReadonly } from './readonly.ts';

const count = (description: string): z.ZodNumber => z.number().int().min(0).meta({ description });

const failedServiceSchema = z.object({
  service: z.string().max(FAILED_SERVICE_MAX).meta({ description: 'namespace/name' }),
  reason: z.string().max(FAILED_REASON_MAX),
  message: z.string().max(FAILED_MESSAGE_MAX),
});
export type FailedService = DeepReadonly<z.infer<typeof failedServiceSchema>>;

export const directorStatusSchema = z
  .object({
    observedAt: z.string().max(TIME_MAX).optional().meta({
      description: 'When this was written (RFC 3339): at every change, at most once a second.',
    }),
    announcing: z.boolean().meta({
      description: 'The VIPs are bound here: this director answers for them.',
    }),
    virtualServers: count('Virtual servers of vipvs in the kernel.'),
    realServers: count('Real servers behind them, those that drain included.'),
    addresses: count('VIPs bound here; 0 while another director announces.'),
    failedServices: count('Services that are not wholly in the kernel; `failed` lists the first.'),
    failed: z
      .array(failedServiceSchema)
      .max(FAILED_MAX)
      .optional()
      .meta({ description: `The first ${FAILED_MAX} of them, by name.` }),
    unchecked: z
      .array(failedServiceSchema)
      .max(UNCHECKED_MAX)
      .optional()
      .meta({
        description: `Services that are in the kernel and rest on what the director can't see (forwarding dr and tunnel), the first ${UNCHECKED_MAX} by name.`,
      }),
    versions: z
      .object({
        vipvs: z.string().max(VERSION_MAX),
        kernel: z.string().max(KERNEL_VERSION_MAX),
        node: z.string().max(VERSION_MAX).optional().meta({ description: 'Node.js' }),
      })
      .meta({ description: 'Of the agent and of the kernel under it.' }),
    conditions: z.array(conditionSchema).max(DIRECTOR_CONDITIONS_MAX).meta({
      description:
        'Ready: the agent runs and its first full round against the kernel is done. Programmed: no Service fails.',
    }),
  })
  .meta({ description: 'Written by the agent of the node.' });

export const directorSchema = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('Director'),
  metadata: objectMetaSchema,
  /** Absent between the creation and the first write of the status. */
  status: directorStatusSchema.partial().optional(),
});
export type Director = DeepReadonly<z.infer<typeof directorSchema>>;
export type DirectorStatus = DeepReadonly<z.infer<typeof directorStatusSchema>>;

/** Condition types of a Director. */
export const DIRECTOR_READY = 'Ready';
export const DIRECTOR_PROGRAMMED = 'Programmed';

/** What its agent said last; an agent that died says nothing. */
export function isDirectorReady({ status }: Director): boolean {
  return (
    status?.conditions?.some(
      (condition) => condition.type === DIRECTOR_READY && condition.status === 'True',
    ) === true
  );
}
