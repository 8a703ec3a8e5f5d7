// `vipvs assigner`: opens the API server, runs the assigner until a signal or the loss of its Lease, and answers for its
// health meanwhile. What it does in between is in assigner/program.ts.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { LOAD_BALANCER_CLASS } from '../api/conditions.ts';
import { AssignerProgram, CALL_CONNECTIONS } from '../assigner/program.ts';
import type { KubeAccess } from '../kube/config.ts';
import { HttpApiClient } from '../kube/transport.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { optionalFlag, switchFlag, valueFlag, type FlagValues } from '../runtime/flags.ts';
import { defineCommand, EXIT_FAILED, EXIT_OK, type CliIo, type ExitCode } from './command.ts';
import { countEvents, countObjects } from './count-objects.ts';
import { openAccess } from './open-access.ts';
import { daemonFlags, runDaemon, type Daemon } from './daemon.ts';
import { contextFlag, kubeconfigFlag, leaseNamespaceFlag } from './flag-catalogue.ts';
import { releaseAllMemory } from './release-memory.ts';

const DETAILS = `Gives every Service of type LoadBalancer with loadBalancerClass ${LOAD_BALANCER_CLASS} (with --default-class those
without a class, too) an address of a Pool. Start it twice or more: one holds the Lease vipvs-assigner and works, the
others wait for it. One that loses the Lease ends with exit code 1, to be started again.

It runs in a Pod with its ServiceAccount, elsewhere with a kubeconfig.`;

const HOLD_SECONDS_MAX = 365 * 24 * 3600;

const flags = {
  kubeconfig: kubeconfigFlag,
  context: contextFlag,
  leaseNamespace: leaseNamespaceFlag,
  identity: optionalFlag(
    {
      flags: '--identity <name>',
      description:
        'how the Lease names this process (default: the host name), with something random',
      env: 'POD_NAME',
    },
    'a name of at most 200 letters, digits, - and .',
    (text) => (/^[A-Za-z0-9.-]{1,200}$/.test(text) ? text : undefined),
  ),
  defaultClass: switchFlag({
    flags: '--default-class',
    description: 'serve Services without a loadBalancerClass, too',
  }),
  holdSeconds: valueFlag(
    {
      flags: '--hold-seconds <n>',
      description: 'keep an address back for so long after its last Service went',
      defaultText: '0',
    },
    `whole seconds, at most ${HOLD_SECONDS_MAX}`,
    (text) =>
      /^\d{1,8}$/.test(text) && Number(text) <= HOLD_SECONDS_MAX ? Number(text) : undefined,
  ),
  ...daemonFlags,
};

export const assignerCommand = defineCommand({
  summary: 'give Services of a Kubernetes cluster their addresses',
  details: DETAILS,
  flags,
  run: async (io, values) => {
    const access = await openAccess('assigner', io, values);
    return runDaemon(io, 'assigner', values, (daemon) => runAssigner(io, values, access, daemon));
  },
});

async function runAssigner(
  io: CliIo,
  values: FlagValues<typeof flags>,
  access: KubeAccess,
  { version, log, metrics, serve }: Daemon,
): Promise<ExitCode> {
  const client = new HttpApiClient({
    access,
    clock: systemClock,
    log,
    userAgent: `vipvs-assigner/${version}`,
    callConnections: CALL_CONNECTIONS,
  });
  const program = new AssignerProgram(
    {
      config: {
        loadBalancerClass: LOAD_BALANCER_CLASS,
        handleUnset: values.defaultClass,
        holdSeconds: values.holdSeconds,
      },
      namespace: values.leaseNamespace,
      identity: `${values.identity ?? hostname()}_${randomUUID()}`,
    },
    {
      client,
      clock: systemClock,
      random: systemRandom,
      log,
      metrics,
      releaseMemory: releaseAllMemory,
    },
  );
  log.info({ server: access.server, source: access.source }, 'API server');
  try {
    await serve({
      notReady: () => program.notReady(),
      collect: () => {
        countObjects(metrics, program.store, program.sources());
        countEvents(metrics.source, program.eventsDropped);
      },
    });
    const end = await program.run(io.signal);
    if (end === 'lost') return EXIT_FAILED;
    log.info({}, 'stopped');
    return EXIT_OK;
  } finally {
    await client.close();
  }
}
