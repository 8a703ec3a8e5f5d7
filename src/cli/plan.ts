// `vipvs plan`: what the agent of a node would do, from manifests alone. Same input, same bytes: no kernel, no clock.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ClusterStore, keyOf, type ClusterObject, type ClusterView } from '../api/cluster.ts';
import { LOAD_BALANCER_CLASS } from '../api/conditions.ts';
import { parsePoolSpace, isDeclared } from '../api/pool-space.ts';
import { formatProblem } from '../api/problem.ts';
import { simulate } from '../assigner/simulate.ts';
import { fileFailure, loadManifests } from '../files/manifests.ts';
import { formatManifestProblem } from '../files/parse-document.ts';
import { desiredNode } from '../ipvs-node/desired/all-services.ts';
import type { NodeView } from '../ipvs-node/desired/service.ts';
import { formatNodeState, formatOp } from '../ipvs-node/model/format.ts';
import { ADDRESS_TAG } from '../ipvs-node/kernel/addresses/rtnetlink-codec.ts';
import { EMPTY_KERNEL, parseObserved } from '../ipvs-node/model/observed-text.ts';
import { isFirewallOp } from '../ipvs-node/model/kernel.ts';
import { hostAddressesOf } from '../ipvs-node/model/owned.ts';
import { DEFAULT_LIMITS, planNode } from '../ipvs-node/plan/plan.ts';
import type { Observed } from '../ipvs-node/model/state.ts';
import { objectNameOf, printable, type IpAddress } from '../net/address.ts';
import {
  choiceFlag,
  optionalFlag,
  parseNonEmpty,
  requiredFlag,
  switchFlag,
  UsageError,
} from '../runtime/flags.ts';
import { defineCommand, EXIT_DIFFERENCES, EXIT_FAILED, EXIT_OK, type CliIo } from './command.ts';
import { bindInterfaceFlag, filesFlag, requireClassFlag } from './flag-catalogue.ts';
import { saidOf } from './said-of-manifests.ts';

const DETAILS = `Reads Pools, IPs, Services, EndpointSlices and Nodes, and prints the ipvsadm, ip and sysctl lines that bring the kernel
of a node there. -o rules prints all that the node should hold. A Service that shows no address yet gets the one that
the assigner would give it; those with a status keep what it says.

--observed takes what "vipvs dump" prints on that node; without it the kernel is taken to be empty. What stands on
addresses of Pools and IP objects in it is taken to be ours, and the rest is left alone; so is an address of a Pool that
has neither the tag of vipvs (proto 76) nor a virtual server nor an IP object: it is the host's own. The nft table is not
part of the text.

Exit code: 0 nothing to do, 3 differences, 1 a manifest or the plan has an error, 2 wrong use.`;

const DEFAULT_INTERFACE = 'eth0';

export const planCommand = defineCommand({
  summary: 'print what the agent of a node would do, as ipvsadm and ip lines',
  details: DETAILS,
  flags: {
    files: filesFlag,
    node: requiredFlag(
      { flags: '--node <name>', description: 'the node whose agent is asked' },
      'the name of a node',
      parseNonEmpty,
    ),
    observed: optionalFlag(
      {
        flags: '--observed <file>',
        description: 'what the kernel of the node holds: the output of "vipvs dump"',
        complete: 'files',
      },
      'a file',
      parseNonEmpty,
    ),
    output: choiceFlag(
      {
        flags: '-o, --output <format>',
        description: 'diff: what is to be done; rules: all that the node should hold',
        defaultText: 'diff',
      },
      ['diff', 'rules'],
    ),
    bindInterface: bindInterfaceFlag,
    requireClass: requireClassFlag,
    kubeProxy: switchFlag({
      flags: '--kube-proxy',
      description: 'kube-proxy runs on the node',
    }),
  },
  run: async (io, flags) => {
    const manifests = await loadManifests(flags.files, io);
    const [unreadable] = manifests.unreadable;
    if (unreadable !== undefined)
      throw new UsageError(`plan: ${formatManifestProblem(unreadable)}`);
    io.stderr(saidOf(manifests));
    const view = withAddresses(manifests.objects, !flags.requireClass);
    const node: NodeView = {
      name: flags.node,
      bindInterface: flags.bindInterface ?? DEFAULT_INTERFACE,
      hasKubeProxy: flags.kubeProxy,
    };
    const observed = await readObserved(io, flags.observed, view);
    const { stdout, stderr, hasDifferences } = planText(view, node, observed, flags.output);
    io.stderr(stderr);
    io.stdout(stdout);
    if (manifests.problems.length > 0) return EXIT_FAILED;
    return hasDifferences ? EXIT_DIFFERENCES : EXIT_OK;
  },
});

/** The objects, with the Services that show no address as the assigner would leave them. */
function withAddresses(objects: readonly ClusterObject[], handleUnset: boolean): ClusterStore {
  const view = new ClusterStore();
  for (const object of objects) view.set(object);
  const config = { loadBalancerClass: LOAD_BALANCER_CLASS, handleUnset, holdSeconds: 0 };
  const isWaiting = (object: ClusterObject): boolean =>
    object.kind === 'Service' && (object.status?.loadBalancer?.ingress ?? []).length === 0;
  for (const object of simulate(objects, config).objects) {
    const before = view.get(object.kind, keyOf(object));
    if (before === undefined || isWaiting(before)) view.set(object);
  }
  return view;
}

async function readObserved(
  io: CliIo,
  file: string | undefined,
  view: ClusterView,
): Promise<Observed> {
  if (file === undefined) return EMPTY_KERNEL;
  let text: string;
  try {
    text = await readFile(resolve(io.cwd, file), 'utf8');
  } catch (error) {
    throw new UsageError(`plan: --observed ${file}: ${fileFailure(error)}`);
  }
  const isOurs = ownershipOf(view);
  const wanted = new Set<string>(
    [...view.services.values()]
      .flatMap(({ status }) => status?.loadBalancer?.ingress ?? [])
      .flatMap(({ ip }) => ip ?? []),
  );
  const { observed, errors } = parseObserved(text, isOurs, {
    tag: ADDRESS_TAG,
    // an address of a Pool on which nothing of vipvs stands is one that the host has itself
    isOurUntagged: (address, hasVirtualServer) =>
      hasVirtualServer || wanted.has(address) || view.ips.has(objectNameOf(address)),
  });
  const [first] = errors;
  if (first !== undefined) throw new UsageError(`plan: ${file}:${first.line}: ${first.text}`);
  return observed;
}

/** An address of a Pool, or one that has an IP object, is one that vipvs gave out. */
function ownershipOf(view: ClusterView): (vip: IpAddress) => boolean {
  const spaces = [...view.pools.values()].flatMap((pool) => parsePoolSpace(pool).space ?? []);
  return (vip) => view.ips.has(objectNameOf(vip)) || spaces.some((space) => isDeclared(space, vip));
}

interface PlanText {
  readonly stdout: string;
  /** What is wrong with the objects. */
  readonly stderr: string;
  readonly hasDifferences: boolean;
}

function planText(
  view: ClusterView,
  node: NodeView,
  observed: Observed,
  output: 'diff' | 'rules',
): PlanText {
  const hostAddresses = hostAddressesOf(observed.addresses ?? new Map(), observed.owned);
  const { state, problems } = desiredNode(view, node, hostAddresses);
  // a text without settings says nothing of them: they are taken for what the agent has set
  const seen = observed.sysctls.size > 0 ? observed : { ...observed, sysctls: state.sysctls };
  const plan = planNode(state, seen, new Map(), 0, DEFAULT_LIMITS);
  // to announce an address is a part of adding it, not a difference of its own
  const lines = plan.ops
    .filter((op) => !isFirewallOp(op) && op.op !== 'vip.announce')
    .map((op) => formatOp(op));
  const stderr = [...problems.map(formatProblem), ...plan.problems.map(({ message }) => message)];
  return {
    stdout: output === 'rules' ? formatNodeState(state) : linesText(lines),
    stderr: linesText(stderr),
    hasDifferences: lines.length > 0,
  };
}

function linesText(lines: readonly string[]): string {
  return lines.map((line) => `${printable(line)}\n`).join('');
}
