// Events that `kubectl describe` shows: events.k8s.io/v1, one object per (about, type, reason, note), repeats counted in
// its series. Recording never blocks and never fails a caller; everything is bounded: how many are remembered, how
// many wait, how fast they are written. What had to be dropped is counted and said in the log. Good news waits until
// nothing else is to be written: nobody waits for it.
import { cutText } from '../api/bounded-text.ts';
import { EVENT_NOTE_MAX } from '../api/limits.ts';
import { createObject, mergePatchObject } from './apply.ts';
import { explainWriting, isApiError, isRbacError, isTransient } from './errors.ts';
import { microTime } from './lease.ts';
import { isAborted, type Clock, type Log, type Random } from './ports.ts';
import { apiVersionOf, EVENTS } from './resource.ts';
import type { ApiClient } from './transport.ts';

export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
}

export interface EventToRecord {
  readonly about: ObjectReference;
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, for machines: `AddressAssigned`. */
  readonly reason: string;
  /** What we were doing, CamelCase: `Assign`. */
  readonly action: string;
  readonly note: string;
  /** Good news: written when there is nothing else to do, dropped first. */
  readonly isUnhurried?: true;
}

export interface EventRecorderOptions {
  readonly client: ApiClient;
  /** `vipvs.io/assigner` */
  readonly controller: string;
  /** This process: the Pod's or the node's name. */
  readonly instance: string;
  /** Somebody waits for other writes of this process: good news is not written meanwhile. */
  readonly isBusy?: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const REMEMBERED_MAX = 4096;
const WAITING_MAX = 1000;
/** client-go tools/events: a series ends when nothing was added for six minutes. */
const SERIES_MS = 6 * 60_000;
/** At most so often is a series' count written; `kubectl describe` shows the last one. */
const SERIES_WRITE_MS = 60_000;
/** 10 a second: 10,000 Services with a problem each must not keep the API server from what matters. */
const WRITE_INTERVAL_MS = 100;
const TRIES_MAX = 3;
const RETRY_MS = 2000;

interface Series {
  readonly event: EventToRecord;
  name: string;
  count: number;
  firstWallMs: number;
  lastWallMs: number;
  /** Monotonic. */
  lastSeenMs: number;
  writtenAtMs: number;
  writtenCount: number;
  waiting: boolean;
}

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  /** In order of last use: the first is forgotten first. */
  readonly #series = new Map<string, Series>();
  readonly #waiting: Series[] = [];
  readonly #unhurried: Series[] = [];
  #wake: (() => void) | undefined;
  #dropped = 0;
  #problem: string | undefined;
  #lastNumber = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** How many were never written because too many waited or the API server refused them. */
  get dropped(): number {
    return this.#dropped;
  }

  /** What RBAC forbids. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Takes note of an event; `run` writes it. Never throws. */
  record(event: EventToRecord): void {
    const { clock } = this.#options;
    const nowMs = clock.nowMs();
    const key = keyOf(event);
    const known = this.#series.get(key);
    this.#series.delete(key);
    const series =
      known !== undefined && nowMs - known.lastSeenMs < SERIES_MS ? known : this.#begin(event);
    series.count += 1;
    series.lastSeenMs = nowMs;
    series.lastWallMs = clock.wallMs();
    this.#series.set(key, series);
    this.#forgetOldest();
    if (!series.waiting && this.#due(series, nowMs)) this.#queue(series);
  }

  /** Writes what is recorded until the signal is aborted; what waits then is dropped. Never rejects for API errors. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!isAborted(signal)) {
      const series = this.#waiting.shift() ?? this.#takeUnhurried();
      if (series === undefined) {
        if (this.#unhurried.length === 0) await this.#work(signal);
        else await clock.sleep(WRITE_INTERVAL_MS, signal);
        continue;
      }
      series.waiting = false;
      await this.#write(series, signal);
      await clock.sleep(WRITE_INTERVAL_MS, signal);
    }
  }

  #takeUnhurried(): Series | undefined {
    return this.#options.isBusy?.() === true ? undefined : this.#unhurried.shift();
  }

  #begin(event: EventToRecord): Series {
    const { clock, random } = this.#options;
    const wallMs = clock.wallMs();
    this.#lastNumber += 1;
    const chance = Math.floor(random() * 0x1_0000_0000);
    // As client-go names them: the object, then something unique; ours also between two recorders
    const unique = [wallMs, chance, this.#lastNumber].map((part) => part.toString(16)).join('-');
    return {
      event: { ...event, note: cutText(event.note, EVENT_NOTE_MAX) },
      name: `${event.about.name}.${unique}`,
      count: 0,
      firstWallMs: wallMs,
      lastWallMs: wallMs,
      lastSeenMs: 0,
      writtenAtMs: Number.NEGATIVE_INFINITY,
      writtenCount: 0,
      waiting: false,
    };
  }

  #due(series: Series, nowMs: number): boolean {
    return nowMs - series.writtenAtMs >= SERIES_WRITE_MS;
  }

  #queue(series: Series): void {
    const queue = series.event.isUnhurried === true ? this.#unhurried : this.#waiting;
    if (queue.length >= WAITING_MAX) {
      this.#drop('too many events wait to be written');
      return;
    }
    series.waiting = true;
    queue.push(series);
    this.#wake?.();
  }

  #forgetOldest(): void {
    if (this.#series.size <= REMEMBERED_MAX) return;
    for (const key of this.#series.keys()) {
      this.#series.delete(key);
      return;
    }
  }

  #work(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#wake = undefined;
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#wake = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }

  async #write(series: Series, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { count } = series;
        await this.#send(series, signal);
        series.writtenAtMs = clock.nowMs();
        series.writtenCount = count;
        this.#problem = undefined;
        return;
      } catch (error) {
        if (isAborted(signal)) return;
        if (!isApiError(error)) throw error;
        // Refused for good: its namespace is going away, RBAC, or our own mistake
        if (!isTransient(error) || attempt === TRIES_MAX) {
          if (isRbacError(error)) this.#problem = explainWriting(error);
          this.#drop(this.#problem ?? error.message);
          return;
        }
        await clock.sleep(error.retryAfterMs ?? RETRY_MS, signal);
        if (isAborted(signal)) return;
      }
    }
  }

  async #send(series: Series, signal: AbortSignal): Promise<void> {
    const { client } = this.#options;
    const namespace = series.event.about.namespace ?? 'default';
    if (series.writtenCount > 0) {
      const counted = {
        count: series.count,
        lastObservedTime: microTime(series.lastWallMs),
      };
      const at = { namespace, name: series.name };
      const result = await mergePatchObject(
        client,
        EVENTS,
        { at, patch: { series: counted } },
        signal,
      );
      // Kubernetes deletes Events after an hour
      if (result.outcome !== 'gone') return;
    }
    await createObject(client, EVENTS, this.#objectOf(series, namespace), signal);
  }

  #objectOf(
    series: Series,
    namespace: string,
  ): { readonly metadata: { readonly namespace: string; readonly name: string } } {
    const { about, type, reason, action, note } = series.event;
    const body = {
      apiVersion: apiVersionOf(EVENTS),
      kind: EVENTS.kind,
      metadata: { namespace, name: series.name },
      eventTime: microTime(series.firstWallMs),
      reportingController: this.#options.controller,
      reportingInstance: this.#options.instance,
      regarding: about,
      type,
      reason,
      action,
      note,
    };
    if (series.count < 2) return body;
    const lastObservedTime = microTime(series.lastWallMs);
    const counted = { ...body, series: { count: series.count, lastObservedTime } };
    return counted;
  }

  #drop(why: string): void {
    this.#dropped += 1;
    // The first, then ever rarer: 1, 2, 4, 8, ...
    if ((this.#dropped & (this.#dropped - 1)) !== 0) return;
    this.#options.log.warn({ dropped: this.#dropped }, `event not written: ${why}`);
  }
}

function keyOf({ about, type, reason, action, note }: EventToRecord): string {
  const object = [about.kind, about.namespace ?? '', about.name, about.uid ?? ''];
  return JSON.stringify([...object, type, reason, action, note]);
}
