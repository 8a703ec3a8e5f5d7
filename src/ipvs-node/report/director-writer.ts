// Writes this node's Director object: by server-side apply, only when something in it changed, at most once a second. So
// what a change costs the API server is one write for each director, however many VIPs it touches.
import type { DirectorStatus } from '../../api/director.ts';
import type { Condition, Node } from '../../api/kubernetes.ts';
import { API_VERSION } from '../../api/pool.ts';
import { applyObject } from '../../kube/apply.ts';
import { explainWriting, isApiError } from '../../kube/errors.ts';
import { DIRECTORS } from '../../kube/own-kinds.ts';
import type { ApiClient } from '../../kube/transport.ts';
import type { BackoffLimits } from '../../runtime/backoff.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { Loop, type RoundResult } from '../../runtime/loop.ts';

export interface DirectorWriterPorts {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What is to be shown, given the conditions that are shown. */
  readonly status: (shown: readonly Condition[], now: string) => DirectorStatus;
  /** As the API server shows them at the start. */
  readonly conditions: () => readonly Condition[];
  /** Its Director goes with the node. */
  readonly node: () => Node | undefined;
}

const FIELD_MANAGER = 'vipvs-node';
/** Least time between two writes. */
const WRITE_INTERVAL_MS = 1000;
const RETRY: BackoffLimits = { firstMs: 1000, maxMs: 30_000 };
/** For the last write: a server that is away must not hold up the end. */
const LAST_WRITE_TIMEOUT_MS = 2000;

export class DirectorWriter {
  readonly #name: string;
  readonly #ports: DirectorWriterPorts;
  readonly #loop: Loop;
  readonly #stopping = new AbortController();
  #conditions: readonly Condition[] | undefined;
  #written: string | undefined;
  #lastWriteMs = Number.NEGATIVE_INFINITY;
  #problem: string | undefined;
  #marks = 0;
  /** Up to which of the marks it is written. */
  #writtenMarks = 0;

  constructor(name: string, ports: DirectorWriterPorts) {
    this.#name = name;
    this.#ports = ports;
    this.#loop = new Loop({
      clock: ports.clock,
      random: ports.random,
      backoff: RETRY,
      round: () => this.#round(this.#stopping.signal),
      onFailure: (error, delayMs) => this.#failed(error, delayMs),
    });
  }

  /** Why it can't be written at the moment. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Nothing of it is left to be written. */
  get isIdle(): boolean {
    return this.#writtenMarks === this.#marks;
  }

  /** Something in it may have changed. */
  mark(): void {
    this.#marks += 1;
    this.#loop.mark();
  }

  /** Somebody deleted it. */
  deleted(): void {
    this.#written = undefined;
    this.mark();
  }

  /** Writes a last time what has changed by the stop itself. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop.stop();
    this.#lastWriteMs = Number.NEGATIVE_INFINITY;
    try {
      await this.#round(AbortSignal.timeout(LAST_WRITE_TIMEOUT_MS));
    } catch (error) {
      const reason = isApiError(error) ? explainWriting(error) : String(error);
      this.#ports.log.warn({ director: this.#name, reason }, 'the last status was not written');
    }
  }

  async #round(signal: AbortSignal): Promise<RoundResult> {
    const { clock } = this.#ports;
    const nowMs = clock.nowMs();
    const dueMs = this.#lastWriteMs + WRITE_INTERVAL_MS;
    if (nowMs < dueMs) return { wakeAtMs: dueMs };
    const marks = this.#marks;
    const now = new Date(clock.wallMs()).toISOString();
    const status = this.#ports.status(this.#conditions ?? this.#ports.conditions(), now);
    const text = JSON.stringify(status);
    if (text === this.#written) {
      this.#writtenMarks = marks;
      return {};
    }
    this.#lastWriteMs = nowMs;
    await this.#write({ ...status, observedAt: now }, signal);
    this.#written = text;
    this.#conditions = status.conditions;
    this.#problem = undefined;
    this.#writtenMarks = marks;
    return {};
  }

  async #write(status: DirectorStatus, signal: AbortSignal): Promise<void> {
    const { client } = this.#ports;
    const head = { apiVersion: API_VERSION, kind: DIRECTORS.kind };
    const apply = {
      body: { ...head, metadata: { name: this.#name }, status },
      fieldManager: FIELD_MANAGER,
      force: true,
      subresource: 'status' as const,
    };
    const { outcome } = await applyObject(client, DIRECTORS, apply, signal);
    if (outcome !== 'gone') return;
    const body = { ...head, metadata: { name: this.#name, ...this.#owner() } };
    const made = { body, fieldManager: FIELD_MANAGER, force: true };
    await applyObject(client, DIRECTORS, made, signal);
    await applyObject(client, DIRECTORS, apply, signal);
  }

  /** The garbage collector then deletes it with the node. */
  #owner(): object {
    const node = this.#ports.node();
    const uid = node?.metadata.uid;
    if (node === undefined || uid === undefined) return {};
    const { name } = node.metadata;
    return { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name, uid }] };
  }

  #failed(error: unknown, delayMs: number): void {
    if (this.#stopping.signal.aborted) return;
    if (!isApiError(error)) throw error;
    const reason = explainWriting(error);
    const fields = { director: this.#name, code: error.code, delayMs: Math.round(delayMs), reason };
    if (this.#problem === reason) this.#ports.log.debug(fields, 'director is not written');
    else this.#ports.log.warn(fields, 'director is not written');
    this.#problem = reason;
  }
}
