// `vipvs standalone`: opens what the process needs, runs it until a signal, and leaves the kernel forwarding.
// What it does in between is in standalone/program.ts.
import { stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { fileFailure } from '../files/manifests.ts';
import { realDisk } from '../files/state.ts';
import { aborted } from '../runtime/abort.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import {
  listFlag,
  parseInterfaceName,
  requiredFlag,
  UsageError,
  type FlagValues,
} from '../runtime/flags.ts';
import { startTicksOf } from '../runtime/process-identity.ts';
import { defineCommand, EXIT_OK, type CliIo, type ExitCode } from './command.ts';
import { daemonFlags, runDaemon, type Daemon } from './daemon.ts';
import { nodeNameFlag, requireClassFlag, runDirFlag, stateDirFlag } from './flag-catalogue.ts';
import { awaitKernel, kernelVersion, tryKernel } from './open-kernel.ts';
import { releaseAllMemory } from './release-memory.ts';
import { Standalone } from '../standalone/program.ts';

const DETAILS = `The files hold Pools, Services, EndpointSlices and, where they are used, IPs and Namespaces, as YAML or JSON. Edits are
picked up at once; what is wrong in a file is said with file and line, and the file's last good objects stay. While a
path of -f is away nothing is changed.

Services of type LoadBalancer are served where their loadBalancerClass is vipvs.io/vipvs or not set.

SIGTERM ends the process and leaves the kernel forwarding; the next start takes over what it finds.
\`vipvs status\` shows what was assigned, \`vipvs cleanup\` takes everything out of the kernel.`;

const flags = {
  files: listFlag(
    {
      flags: '-f, --filename <path...>',
      description:
        'manifests: directories (with their sub-directories) and files; they are watched',
      env: 'VIPVS_MANIFESTS',
      complete: 'files',
    },
    1,
    'a directory or a file',
  ),
  bindInterface: requiredFlag(
    {
      flags: '--bind-iface <name>',
      description:
        'interface that gets the VIPs, such as eth0; Pool.spec.bindInterface overrules it',
      env: 'VIPVS_BIND_IFACE',
    },
    'an interface name of at most 15 characters, such as eth0',
    parseInterfaceName,
  ),
  nodeName: nodeNameFlag,
  requireClass: requireClassFlag,
  stateDir: stateDirFlag,
  runDir: runDirFlag,
  ...daemonFlags,
};

export const standaloneCommand = defineCommand({
  summary: 'run a load balancer from a directory of manifests, without Kubernetes',
  details: DETAILS,
  flags,
  run: async (io, values) => {
    for (const path of values.files) await checkPath(resolve(io.cwd, path));
    const named = { ...values, nodeName: values.nodeName ?? hostname().toLowerCase() };
    return runDaemon(io, 'standalone', named, (daemon) => runStandalone(io, named, daemon));
  },
});

/** At the start a path that is not there is a wrong flag; later it is a fault that may heal. */
async function checkPath(path: string): Promise<void> {
  try {
    await stat(path);
  } catch (error) {
    throw new UsageError(`standalone: --filename ${path} ${fileFailure(error)}`);
  }
}

async function runStandalone(
  io: CliIo,
  values: FlagValues<typeof flags> & { readonly nodeName: string },
  { version, log, metrics, serve }: Daemon,
): Promise<ExitCode> {
  let kernelFailure: string | undefined = 'the kernel is not opened yet';
  let standalone: Standalone | undefined;
  // the lock first: a second instance must hear that, not that its port is taken
  const onMissing = (text: string): void => void (kernelFailure = text);
  const ports = { runDirectory: values.runDir, log, metrics, onMissing };
  let kernel = await tryKernel(ports);
  try {
    await serve({
      notReady: () => standalone?.notReady() ?? [kernelFailure ?? 'starting'],
      collect: () => standalone?.collectMetrics(),
    });
    kernel ??= await awaitKernel(ports, io.signal);
    if (kernel === undefined) return EXIT_OK;
    standalone = new Standalone(
      {
        manifests: values.files.map((path) => resolve(io.cwd, path)),
        stateDirectory: resolve(io.cwd, values.stateDir),
        node: {
          name: values.nodeName,
          bindInterface: values.bindInterface,
          hasKubeProxy: false,
          kernelVersion: kernelVersion(),
        },
        handleUnset: !values.requireClass,
        holdSeconds: 0,
      },
      {
        clock: systemClock,
        random: systemRandom,
        disk: realDisk,
        log,
        metrics,
        process: {
          pid: process.pid,
          startTicks: await startTicksOf(process.pid),
          node: values.nodeName,
          version,
          startedAt: new Date().toISOString(),
        },
        kernel,
        releaseMemory: releaseAllMemory,
      },
    );
    await standalone.start();
    await aborted(io.signal);
    log.info({}, 'stopping; the kernel goes on forwarding');
    return EXIT_OK;
  } finally {
    await standalone?.stop();
    await kernel?.close();
  }
}
