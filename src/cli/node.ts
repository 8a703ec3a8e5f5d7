// `vipvs node`: opens the kernel and the API server, runs the agent of a director until a signal, and leaves the kernel
// forwarding. What it does in between is in ipvs-node/program.ts.
import { hostname, networkInterfaces, release } from 'node:os';
import type { LinuxKernel } from '../ipvs-node/kernel/linux.ts';
import { probeKubeProxy } from '../ipvs-node/host/kube-proxy-probe.ts';
import { announcerLease } from '../ipvs-node/mastership/lease-election.ts';
import { NodeProgram } from '../ipvs-node/program.ts';
import type { KubeAccess } from '../kube/config.ts';
import { HttpApiClient } from '../kube/transport.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { parseDurationMs, valueFlag, type FlagValues } from '../runtime/flags.ts';
import { defineCommand, EXIT_OK, type CliIo, type ExitCode } from './command.ts';
import { countEvents, countWatches } from './count-objects.ts';
import { daemonFlags, runDaemon, type Daemon } from './daemon.ts';
import {
  bindInterfaceFlag,
  contextFlag,
  kubeconfigFlag,
  leaseNamespaceFlag,
  nodeNameFlag,
  runDirFlag,
} from './flag-catalogue.ts';
import { openAccess } from './open-access.ts';
import { awaitKernel, kernelVersion, tryKernel } from './open-kernel.ts';
import { releaseAllMemory } from './release-memory.ts';
import { countKernel, countRound } from '../ipvs-node/report/metrics.ts';

const DETAILS = `Runs on every director, by custom the nodes with the label vipvs.io/director, as a DaemonSet. All of them have the virtual
servers in their kernels; the one that holds the Lease vipvs-announcer has the VIPs on its interface.

\`kubectl get directors\` shows what each of them holds and what failed.

SIGTERM ends the process and leaves the kernel forwarding; the next start takes over what it finds.
\`vipvs cleanup\` takes everything out of the kernel.`;

/** Watches keep their own connections; what else is called are the Director, the Lease and Events. */
const CALL_CONNECTIONS = 4;

const LEAST_LEASE_MS = 5_000;
const MOST_LEASE_MS = 600_000;

/** Whole seconds: the Lease object counts in them. */
function parseLeaseMs(text: string): number | undefined {
  const ms = parseDurationMs(text);
  const isGood = ms !== undefined && ms >= LEAST_LEASE_MS && ms <= MOST_LEASE_MS && ms % 1000 === 0;
  return isGood ? ms : undefined;
}

const flags = {
  kubeconfig: kubeconfigFlag,
  context: contextFlag,
  nodeName: { ...nodeNameFlag, env: 'NODE_NAME' },
  bindInterface: {
    ...bindInterfaceFlag,
    description:
      'interface that gets the VIPs (default: the one with an address of the node); Pool.spec.bindInterface overrules it',
  },
  leaseNamespace: leaseNamespaceFlag,
  leaseDuration: valueFlag(
    {
      flags: '--lease-duration <time>',
      description:
        'silence of the announcer after which another director takes the VIPs; the same on all',
      env: 'VIPVS_LEASE_DURATION',
      defaultText: '30s',
    },
    '5s to 10m',
    parseLeaseMs,
  ),
  runDir: runDirFlag,
  ...daemonFlags,
};

export const nodeCommand = defineCommand({
  summary: 'keep the kernel of a director as the Services of a Kubernetes cluster want it',
  details: DETAILS,
  flags,
  run: async (io, values) => {
    const access = await openAccess('node', io, values);
    return runDaemon(io, 'node', values, (daemon) => runNode(io, values, access, daemon));
  },
});

async function runNode(
  io: CliIo,
  values: FlagValues<typeof flags>,
  access: KubeAccess,
  daemon: Daemon,
): Promise<ExitCode> {
  const { log, metrics } = daemon;
  let problem = 'the kernel is not opened yet';
  let program: NodeProgram | undefined;
  const onMissing = (text: string): void => void (problem = text);
  // the lock first: a second instance must hear that, not that its port is taken
  const ports = { runDirectory: values.runDir, log, metrics, onMissing };
  let kernel = await tryKernel(ports);
  try {
    await daemon.serve({
      notReady: () => program?.notReady() ?? [problem],
      collect: () => {
        if (program === undefined) return;
        countWatches(metrics.source, program.sources());
        countEvents(metrics.source, program.eventsDropped);
        const { state } = program;
        if (state !== undefined) countKernel(metrics, state.desired, state.observed);
      },
    });
    kernel ??= await awaitKernel(ports, io.signal);
    if (kernel === undefined) return EXIT_OK;
    const client = new HttpApiClient({
      access,
      clock: systemClock,
      log,
      userAgent: `vipvs-node/${daemon.version}`,
      callConnections: CALL_CONNECTIONS,
    });
    log.info({ server: access.server, source: access.source }, 'API server');
    try {
      program = makeProgram(values, client, kernel, daemon);
      await program.run(io.signal);
    } finally {
      await client.close();
    }
    log.info({}, 'stopped; the kernel goes on forwarding');
    return EXIT_OK;
  } finally {
    await kernel?.close();
  }
}

function makeProgram(
  values: FlagValues<typeof flags>,
  client: HttpApiClient,
  kernel: LinuxKernel,
  { log, metrics, version }: Daemon,
): NodeProgram {
  return new NodeProgram(
    {
      node: {
        name: values.nodeName ?? hostname().toLowerCase(),
        kernelVersion: kernelVersion(),
      },
      bindInterface: values.bindInterface,
      namespace: values.leaseNamespace,
      leaseTimes: announcerLease(values.leaseDuration),
      versions: { vipvs: version, kernel: release(), node: process.versions.node },
    },
    {
      client,
      kernel,
      interfaceOf,
      probeKubeProxy,
      clock: systemClock,
      random: systemRandom,
      log,
      releaseMemory: releaseAllMemory,
      onRound: (round) => countRound(metrics, round, systemClock.wallMs()),
    },
  );
}

function interfaceOf(addresses: readonly string[]): string | undefined {
  for (const [name, entries = []] of Object.entries(networkInterfaces())) {
    if (entries.some(({ address, internal }) => !internal && addresses.includes(address))) {
      return name;
    }
  }
  return undefined;
}
