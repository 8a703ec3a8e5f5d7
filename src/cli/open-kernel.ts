// Opens the kernel for a long-running command: what may heal (IPVS not loaded yet) is tried again, what does not ends it.
import { release } from 'node:os';
import type { NodeView } from '../ipvs-node/desired/service.ts';
import { LinuxKernel } from '../ipvs-node/kernel/linux.ts';
import { Backoff, LOCAL_BACKOFF } from '../runtime/backoff.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { OperationalError } from '../runtime/errors.ts';
import type { Log } from '../runtime/log.ts';
import type { Metrics } from '../runtime/metrics.ts';

/** Tries between two lines about the same failure. */
const SAY_EVERY = 8;

export function kernelVersion(): NonNullable<NodeView['kernelVersion']> {
  const [major = 0, minor = 0] = release()
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  return { major, minor };
}

export interface KernelPorts {
  readonly runDirectory: string;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Why the kernel can't be used yet. */
  readonly onMissing: (text: string) => void;
}

/** undefined where IPVS is missing, which may heal. Throws OperationalError for what does not. */
export async function tryKernel(
  { runDirectory, log, metrics, onMissing }: KernelPorts,
  failures = 0,
): Promise<LinuxKernel | undefined> {
  try {
    return await LinuxKernel.open({
      runDirectory,
      onNotice: (notice) => log.warn({ notice }, 'a feature is off'),
      onTornDump: () => metrics.kernel.dumpInterruptedTotal.inc(),
    });
  } catch (error) {
    if (!(error instanceof OperationalError) || error.retry === 'never') throw error;
    onMissing(error.message);
    // the first time, and then every half minute or so
    const fields = { code: error.code, reason: error.message };
    if (failures % SAY_EVERY === 0) log.error(fields, 'kernel can not be used yet');
    else log.debug(fields, 'kernel can not be used yet');
    return undefined;
  }
}

/** undefined where the signal came first. */
export async function awaitKernel(
  ports: KernelPorts,
  signal: AbortSignal,
): Promise<LinuxKernel | undefined> {
  const backoff = new Backoff(LOCAL_BACKOFF, systemRandom);
  for (;;) {
    await systemClock.sleep(backoff.nextMs(), signal);
    if (signal.aborted) return undefined;
    const kernel = await tryKernel(ports, backoff.failures);
    if (kernel !== undefined) return kernel;
  }
}
