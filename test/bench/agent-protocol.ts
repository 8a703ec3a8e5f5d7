// What the host and the guest of the agent bench say to each other: JSON lines over one TCP connection that the guest
// opens, because only it can. The guest answers every order, in any order, and says by itself when IPVS was changed.
import { z } from 'zod';

export const orderSchema = z.discriminatedUnion('do', [
  z.object({ do: z.literal('ping') }),
  /** A command to its end; its standard output. */
  z.object({ do: z.literal('run'), command: z.array(z.string()) }),
  /** The program that is measured; only one at a time. */
  z.object({ do: z.literal('start'), command: z.array(z.string()) }),
  /** Until IPVS holds so many virtual servers, each with so many real servers; `samples` are VIPs of some of them. */
  z.object({
    do: z.literal('await'),
    virtualServers: z.number(),
    realServersEach: z.number(),
    samples: z.array(z.string()),
  }),
  /** Fails unless IPVS holds at least this. */
  z.object({
    do: z.literal('check'),
    virtualServers: z.number(),
    realServersEach: z.number(),
  }),
  z.object({ do: z.literal('usage') }),
  /** Tells from now on whenever a command of IPVS has come to its end. */
  z.object({ do: z.literal('observe') }),
  z.object({ do: z.literal('stop') }),
]);
export type Order = z.infer<typeof orderSchema>;
export const numberedOrderSchema = z.object({ id: z.number(), order: orderSchema });

export const usageSchema = z.object({
  /** Of all threads. */
  cpuMs: z.number(),
  rssMb: z.number(),
  peakRssMb: z.number(),
  /** That came into the guest. */
  receivedBytes: z.number(),
});
export type Usage = z.infer<typeof usageSchema>;

/** `id` 0: nobody asked, IPVS was changed. */
export const reportSchema = z.object({
  id: z.number(),
  error: z.string().optional(),
  text: z.string().optional(),
  usage: usageSchema.optional(),
});
export type Report = z.infer<typeof reportSchema>;
