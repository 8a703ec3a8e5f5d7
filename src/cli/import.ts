// `vipvs import`: objects of other load balancers, from files or from the cluster, as ours. It only reads: what it prints
// is for `kubectl apply`, and the report says what else there is to do.
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { ClusterObject } from '../api/cluster.ts';
import { LOAD_BALANCER_CLASS } from '../api/conditions.ts';
import { parseObject } from '../api/parse.ts';
import { simulate } from '../assigner/simulate.ts';
import { fileFailure } from '../files/manifests.ts';
import { formatManifestProblem } from '../files/parse-document.ts';
import { loadRawManifests, parseYamlText, type RawManifests } from '../files/raw-objects.ts';
import { KubeConfigError, loadKubeAccess } from '../kube/config.ts';
import { isApiError } from '../kube/errors.ts';
import { HttpApiClient } from '../kube/transport.ts';
import { migrate } from '../migration/convert.ts';
import { gather } from '../migration/input.ts';
import type { SourceObject } from '../migration/model.ts';
import { formatReport, reportData } from '../migration/report.ts';
import { patchedServices, verify } from '../migration/verify.ts';
import { quoted } from '../net/address.ts';
import { systemClock } from '../runtime/clock.ts';
import {
  choiceFlag,
  listFlag,
  optionalFlag,
  parseNonEmpty,
  switchFlag,
  UsageError,
} from '../runtime/flags.ts';
import { defineCommand, EXIT_FAILED, EXIT_OK, type CliIo } from './command.ts';
import { jsonText, objectsText } from './data-text.ts';
import { readCluster, type ClusterObjects } from './import-cluster.ts';

const DETAILS = `Reads MetalLB, kube-vip, PureLB, OpenELB, Cilium LB IPAM, inwinSTACK, kube-keepalived-vip and kube-loadbalancer, and
Services; from files (-f), from the cluster (--from-cluster), or both. Prints Pools and one reserved IP for each address
in use, and on stderr a report: what has no equivalent, what is ambiguous, and the kubectl commands for the Services.
Nothing is rendered, and nothing is written to the cluster. Exit code 1: something could not be read, or an address is
not known or would not stay the same.

docs/migration.md goes through a whole move.`;

const importFlags = {
  files: listFlag(
    {
      flags: '-f, --filename <path...>',
      description: 'manifests: a file, a directory (with its sub-directories), or - for stdin',
      complete: 'files',
    },
    0,
    'a file, a directory, or -',
  ),
  fromCluster: switchFlag({
    flags: '--from-cluster',
    description: 'read from the API server; the verb list is enough',
  }),
  kubeconfig: optionalFlag(
    {
      flags: '--kubeconfig <file>',
      description: 'kubeconfig (default: in-cluster, $KUBECONFIG, ~/.kube/config)',
      complete: 'files',
    },
    'a file',
    parseNonEmpty,
  ),
  context: optionalFlag(
    { flags: '--context <name>', description: 'context of the kubeconfig' },
    'a name',
    parseNonEmpty,
  ),
  configMaps: listFlag(
    {
      flags: '--configmap <namespace/name...>',
      description:
        'with --from-cluster: a ConfigMap of kube-keepalived-vip or kube-vip that has another name than the usual one',
    },
    0,
    'namespace/name',
  ),
  services: switchFlag({
    flags: '--services',
    description:
      'print the Services, too, as they are after the changes: for simulate and standalone, not for kubectl',
  }),
  report: optionalFlag(
    {
      flags: '--report <file>',
      description: 'write the report there instead of to stderr',
      complete: 'files',
    },
    'a file',
    parseNonEmpty,
  ),
  output: choiceFlag(
    {
      flags: '-o, --output <format>',
      description: 'form of the objects; with json the report is JSON, too',
      defaultText: 'yaml',
    },
    ['yaml', 'json'],
  ),
};

export const importCommand = defineCommand({
  summary: 'turn the objects of other load balancers into ours, addresses in use staying the same',
  details: DETAILS,
  flags: importFlags,
  run: async (io, flags) => {
    if (flags.files.length === 0 && !flags.fromCluster) {
      throw new UsageError('import: nothing to read: give -f PATH, or --from-cluster');
    }
    const { manifests, problems, templates } = await readFiles(flags.files, io);
    const fromCluster = flags.fromCluster ? await readFromCluster(flags, io) : undefined;
    const gathered = gather(
      {
        documents: manifests,
        broken: problems,
        templates,
        cluster: fromCluster?.objects,
        problems: fromCluster?.problems ?? [],
      },
      parseYamlText,
    );
    const migration = migrate(gathered, parseYamlText);
    const verification = verify(
      migration,
      surroundings(gathered.objects),
      (given) => simulate(given, CONFIG).objects,
    );
    const printed = [
      ...migration.pools,
      ...migration.ips,
      ...(flags.services ? patchedServices(migration, 'required') : []),
    ];
    io.stdout(objectsText(printed, flags.output));
    const report = { migration, verification };
    const text = flags.output === 'json' ? jsonText(reportData(report)) : formatReport(report);
    await tell(text, flags.report, io);
    const isClean = migration.notes.every(({ kind }) => kind !== 'error');
    return isClean && verification.lost.length === 0 ? EXIT_OK : EXIT_FAILED;
  },
});

const CONFIG = { loadBalancerClass: LOAD_BALANCER_CLASS, handleUnset: true, holdSeconds: 0 };

async function readFiles(paths: readonly string[], io: CliIo): Promise<RawManifests> {
  const read = await loadRawManifests(paths, io);
  const [first] = read.unreadable;
  if (first !== undefined) throw new UsageError(`import: ${formatManifestProblem(first)}`);
  return read;
}

async function readFromCluster(
  flags: {
    readonly kubeconfig: string | undefined;
    readonly context: string | undefined;
    readonly configMaps: readonly string[];
  },
  io: CliIo,
): Promise<ClusterObjects> {
  const wrong = flags.configMaps.find((key) => !/^[^/]+\/[^/]+$/.test(key));
  if (wrong !== undefined) {
    throw new UsageError(`--configmap: ${quoted(wrong)} is not allowed: namespace/name`);
  }
  const kubeconfig = flags.kubeconfig === undefined ? undefined : resolve(io.cwd, flags.kubeconfig);
  try {
    const access = await loadKubeAccess({ kubeconfig, context: flags.context, env: io.env });
    const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
    const client = new HttpApiClient({
      access,
      clock: systemClock,
      log,
      userAgent: 'vipvs/import',
    });
    try {
      return await readCluster(client, flags.configMaps, io.signal);
    } finally {
      await client.close();
    }
  } catch (error) {
    if (error instanceof KubeConfigError) throw new UsageError(`import: ${error.message}`);
    if (isApiError(error)) return { objects: [], problems: [error.message] };
    throw error;
  }
}

function quiet(): void {
  // what matters of a call is its answer or its error, and the command tells both
}

/** Namespaces and Nodes of the input: labels of the ones and addresses of the others decide what Pools do. */
function surroundings(objects: readonly SourceObject[]): readonly ClusterObject[] {
  return objects
    .filter(({ group, kind }) => group === '' && (kind === 'Namespace' || kind === 'Node'))
    .flatMap(({ raw }) => {
      const parsed = parseObject(raw, { unknownFields: 'drop' });
      return parsed.kind === 'object' ? [parsed.object] : [];
    });
}

async function tell(text: string, path: string | undefined, io: CliIo): Promise<void> {
  if (path === undefined) {
    io.stderr(text);
    return;
  }
  try {
    await writeFile(resolve(io.cwd, path), text);
  } catch (error) {
    throw new UsageError(`--report ${path}: ${fileFailure(error, 'written')}`);
  }
}
