// Runs a plan in steps, each only for what the one before it reached: virtual servers, real servers that come, then
// addresses, drains and deletions, then announcements. What was reached goes into the mirror, the rest are failures.
// Invariants: where building failed, nothing is bound, drained or deleted: what served before goes on serving. No real
// server is put into a virtual server that turned out to be there already: it is somebody else's (the kernel runs every
// message of a batch, whatever became of the one before).
import type { IpAddress } from '../../net/address.ts';
import type { RealServerKey, VirtualServerKey } from '../../net/ipvs.ts';
import { driftKindOf, isRepair, type DriftKind, type Known } from './drift.ts';
import type { Target } from './retries.ts';
import { isServerOp, serverKeyOf, type Kernel, type Op, type OpResult } from '../model/kernel.ts';
import { isBoundByUs } from '../model/owned.ts';
import type { KernelMirror } from './mirror.ts';
import { isAnswerLost, outcomeOf } from './outcome.ts';
import type { Plan, PlanProblem } from '../plan/plan.ts';
import type { DesiredAddress, DrainStarts } from '../model/state.ts';

export interface Failure {
  readonly target: Target;
  readonly op: Op;
  readonly errno: string;
  readonly message: string;
  /** The kernel said no; otherwise its answer was lost, or contradicts what we knew. */
  readonly isRefused: boolean;
}

export interface Execution {
  /** The first failure of each target. */
  readonly failures: readonly Failure[];
  /** Targets that wait for others that failed. */
  readonly waiting: readonly Target[];
  /** What somebody else had changed and is repaired. */
  readonly drift: ReadonlyMap<DriftKind, number>;
  /** A deletion found its work done: the kernel is not as we remember it. */
  readonly wasSurprised: boolean;
  /** An answer was lost: nobody knows what was done. */
  readonly hasLostAnswers: boolean;
  /** How often each operation ended how: `vs.add ok`. */
  readonly counts: ReadonlyMap<string, number>;
  /** Addresses that were put here, but for those that somebody else had taken away. */
  readonly bound: readonly IpAddress[];
  readonly announced: readonly IpAddress[];
  /** Something beside the virtual servers was tried. */
  readonly hasEditedHost: boolean;
  /** Of all parts of the plan. */
  readonly problems: readonly PlanProblem[];
  readonly drains: DrainStarts;
  readonly wakeAtMs: number | undefined;
}

/**
 * The parts of a plan one after the other; each is asked for when the one before it has been run. `remembered`: what was
 * known before the kernel was read; undefined: nothing was read.
 */
export async function executePlan(
  kernel: Kernel,
  mirror: KernelMirror,
  parts: Iterable<Plan>,
  addresses: ReadonlyMap<IpAddress, DesiredAddress>,
  remembered?: Known,
): Promise<Execution> {
  const execution = new Executor(kernel, mirror, addresses, remembered);
  for (const part of parts) {
    const { ops, safeOps } = part;
    execution.note(part);
    const safe = ops.slice(0, safeOps);
    await execution.run(safe.filter((op) => !isOfRealServer(op)));
    await execution.run(safe.filter((op) => isOfRealServer(op) && execution.mayFollow(op)));
    const rest = ops.slice(safeOps);
    await execution.run(rest.filter((op) => op.op !== 'vip.announce' && execution.mayFollow(op)));
    await execution.run(rest.filter((op) => op.op === 'vip.announce' && execution.mayFollow(op)));
  }
  return execution;
}

function isOfRealServer(op: Op): op is Extract<Op, { op: `rs.${string}` }> {
  return op.op === 'rs.add' || op.op === 'rs.set' || op.op === 'rs.del';
}

class Executor implements Execution {
  readonly waiting: Target[] = [];
  readonly drift = new Map<DriftKind, number>();
  wasSurprised = false;
  hasLostAnswers = false;
  readonly counts = new Map<string, number>();
  readonly bound: IpAddress[] = [];
  readonly announced: IpAddress[] = [];
  hasEditedHost = false;
  readonly problems: PlanProblem[] = [];
  readonly drains = new Map<VirtualServerKey, ReadonlyMap<RealServerKey, number>>();
  wakeAtMs: number | undefined;
  readonly #failed = new Map<VirtualServerKey | IpAddress | string, Failure>();
  readonly #kernel: Kernel;
  readonly #mirror: KernelMirror;
  readonly #addresses: ReadonlyMap<IpAddress, DesiredAddress>;
  readonly #remembered: Known | undefined;

  constructor(
    kernel: Kernel,
    mirror: KernelMirror,
    addresses: ReadonlyMap<IpAddress, DesiredAddress>,
    remembered: Known | undefined,
  ) {
    this.#kernel = kernel;
    this.#mirror = mirror;
    this.#addresses = addresses;
    this.#remembered = remembered;
  }

  get failures(): readonly Failure[] {
    return [...this.#failed.values()];
  }

  note({ problems, drains, wakeAtMs }: Plan): void {
    this.problems.push(...problems);
    for (const [key, starts] of drains) this.drains.set(key, starts);
    if (wakeAtMs !== undefined) this.wakeAtMs = Math.min(this.wakeAtMs ?? wakeAtMs, wakeAtMs);
  }

  /** Whether the operation still makes sense after what failed before it. */
  mayFollow(op: Op): boolean {
    if (op.op === 'vip.add') {
      const servers = this.#addresses.get(op.address)?.virtualServers ?? [];
      const present = this.#mirror.virtualServers;
      if (servers.some((key) => present?.has(key))) return true;
      this.waiting.push({ kind: 'address', address: op.address });
      return false;
    }
    if (op.op === 'vip.announce') {
      return isBoundByUs(this.#mirror, op.address);
    }
    return !isOfRealServer(op) || !this.#failed.has(serverKeyOf(op));
  }

  async run(ops: readonly Op[]): Promise<void> {
    if (ops.length === 0) return;
    const results = await this.#kernel.run(ops);
    for (const [i, op] of ops.entries()) this.#take(op, results[i] ?? NO_ANSWER);
  }

  #take(op: Op, result: OpResult): void {
    const outcome = outcomeOf(op, result);
    if (!isServerOp(op)) this.hasEditedHost = true;
    const label = `${op.op} ${result.ok ? 'ok' : outcome === 'drift' ? 'drift' : 'failed'}`;
    this.counts.set(label, (this.counts.get(label) ?? 0) + 1);
    if (outcome === 'done' || outcome === 'drift') {
      const isRepair = this.#countDrift(op, outcome);
      this.#mirror.apply(op);
      if (op.op === 'vip.add' && !isRepair) this.bound.push(op.address);
      if (op.op === 'vip.announce') this.announced.push(op.address);
      return;
    }
    if (!result.ok && isAnswerLost(result.errno)) this.hasLostAnswers = true;
    const target = targetOf(op);
    const key =
      'key' in target ? target.key : `${op.op} ${'address' in target ? target.address : ''}`;
    if (this.#failed.has(key) || result.ok) return;
    this.#failed.set(key, {
      target,
      op,
      errno: result.errno,
      message: result.message,
      isRefused: outcome === 'refused',
    });
  }

  /** Whether the operation repaired what somebody else had changed. */
  #countDrift(op: Op, outcome: 'done' | 'drift'): boolean {
    if (outcome === 'drift') this.wasSurprised = true;
    else if (this.#remembered === undefined) return false;
    else if (!isRepair(op, this.#remembered, this.#mirror)) return false;
    const kind = driftKindOf(op);
    if (kind !== undefined) this.drift.set(kind, (this.drift.get(kind) ?? 0) + 1);
    return true;
  }
}

const NO_ANSWER: OpResult = { ok: false, errno: 'unknown', message: 'no answer' };

function targetOf(op: Op): Target {
  if (isServerOp(op)) return { kind: 'virtual server', key: serverKeyOf(op) };
  switch (op.op) {
    case 'vip.add':
    case 'vip.del':
      return { kind: 'address', address: op.address };
    case 'vip.announce':
      return { kind: 'announcement', address: op.address };
    case 'fw.add':
    case 'fw.del':
      return { kind: 'firewall' };
    case 'sysctl.set':
      return { kind: 'sysctls' };
  }
}
