// What every long-running command has around its own work: the log, the metrics, the health server, and the guard that
// ends the process at a bug. One place, so that all of them start, fail and end in the same way.
import { OperationalError } from '../runtime/errors.ts';
import type { FlagValues } from '../runtime/flags.ts';
import { startHealthServer, type HealthServer } from '../runtime/http.ts';
import { guardProcess } from '../runtime/lifecycle.ts';
import { createLog, type Log } from '../runtime/log.ts';
import { preferLittleMemory } from '../runtime/memory.ts';
import { createMetrics, type Metrics } from '../runtime/metrics.ts';
import { EXIT_FAILED, type CliIo, type ExitCode } from './command.ts';
import { listenFlag, logFormatFlag, logLevelFlag } from './flag-catalogue.ts';
import { readVersions } from './version.ts';

export const daemonFlags = {
  listen: listenFlag,
  logLevel: logLevelFlag,
  logFormat: logFormatFlag,
};

export interface DaemonHealth {
  readonly notReady: () => readonly string[];
  /** Brings the gauges up to date that are read rarely. */
  readonly collect: () => void;
}

export interface Daemon {
  readonly version: string;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Starts the health server, unless --listen is off; it ends with the command. Throws OperationalError. */
  readonly serve: (health: DaemonHealth) => Promise<void>;
}

/** Runs `work` as the command `name`; an OperationalError of it is one line on stderr and exit code 1. */
export async function runDaemon(
  io: CliIo,
  name: string,
  values: FlagValues<typeof daemonFlags>,
  work: (daemon: Daemon) => Promise<ExitCode>,
): Promise<ExitCode> {
  preferLittleMemory();
  const format = values.logFormat === 'auto' ? (io.isTty ? 'text' : 'json') : values.logFormat;
  const log = createLog({ level: values.logLevel, format, write: io.stderr });
  const unguard = guardProcess(process, log, (code) => process.exit(code));
  const { version } = await readVersions();
  const metrics = createMetrics();
  metrics.info.set({ version }, 1);
  let server: HealthServer | undefined;
  const serve = async ({ notReady, collect }: DaemonHealth): Promise<void> => {
    if (values.listen === 'off') return;
    server = await startHealthServer(values.listen, {
      notReady,
      metrics: async () => {
        collect();
        const body = await metrics.registry.metrics();
        return { contentType: metrics.registry.contentType, body };
      },
    });
  };
  try {
    const component = log.child({ component: name });
    component.info({ version, ...values }, 'starting');
    return await work({ version, log: component, metrics, serve });
  } catch (error) {
    if (!(error instanceof OperationalError)) throw error;
    io.stderr(`vipvs: ${error.message}\n`);
    return EXIT_FAILED;
  } finally {
    await server?.close();
    metrics.process.stop();
    unguard();
  }
}
