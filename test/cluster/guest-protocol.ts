// What host and guest say to each other: the guest asks for the next job and brings its answer, both as JSON over HTTP.
import { z } from 'zod';

export const jobSchema = z.discriminatedUnion('do', [
  z.object({
    do: z.literal('run'),
    node: z.string(),
    command: z.array(z.string()),
    input: z.string().optional(),
  }),
  /** Leaves it running; the answer's stdout is its number. */
  z.object({ do: z.literal('start'), node: z.string(), command: z.array(z.string()) }),
  /** What a started command has printed so far; its exit code, or -1 while it runs. */
  z.object({ do: z.literal('read'), process: z.number() }),
  z.object({ do: z.literal('stop'), process: z.number(), signal: z.enum(['SIGTERM', 'SIGKILL']) }),
  z.object({ do: z.literal('end') }),
]);
export type Job = z.infer<typeof jobSchema>;

export const numberedJobSchema = z.object({ id: z.number(), job: jobSchema });

export const answerSchema = z.object({
  id: z.number(),
  code: z.number(),
  stdout: z.string(),
  stderr: z.string(),
});
export type Answer = z.infer<typeof answerSchema>;

/** The directors of the guest, and their addresses towards the API server (guest.ts). */
export const DIRECTORS = ['d1', 'd2'] as const;
export type DirectorName = (typeof DIRECTORS)[number];
