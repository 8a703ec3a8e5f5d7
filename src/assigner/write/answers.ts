// What the API server's answers teach: they are in the store before anything else is decided, unless a watch has overtaken
// them.
import type { ClusterStore } from '../../api/cluster.ts';
import type { IP } from '../../api/ip.ts';
import type { Service } from '../../api/kubernetes.ts';
import { Overtaken, type Answered } from './overtaken.ts';
import { OwnVersions } from './own-versions.ts';

/** What the assigner writes one by one; the Pools have a writer of their own. */
export type WrittenKind = 'IP' | 'Service';

export interface AnswerPorts {
  readonly store: ClusterStore;
  /** The store shows what a write made, or a read found. */
  readonly onWritten: (kind: WrittenKind, key: string) => void;
}

/** A write that changed something. */
export interface Made {
  /** The version that it replaced; undefined: it made the object. */
  readonly from: string | undefined;
  /** The version that it made; undefined: it deleted the object. */
  readonly to: string | undefined;
  /** undefined: gone, or none of ours any more. */
  readonly object: IP | Service | undefined;
}

export class Answers {
  readonly #ports: AnswerPorts;
  readonly #own = new OwnVersions();
  readonly #overtaken = new Overtaken();

  constructor(ports: AnswerPorts) {
    this.#ports = ports;
  }

  get remembered(): number {
    return this.#own.size + this.#overtaken.size;
  }

  /** Sends a write that replaces version `from` (undefined: that makes the object). */
  write<T>(
    kind: WrittenKind,
    key: string,
    from: string | undefined,
    send: () => Promise<T>,
  ): Promise<Answered<T>> {
    return this.#overtaken.during(`${kind}/${key}`, from, send);
  }

  read<T>(kind: WrittenKind, key: string, ask: () => Promise<T>): Promise<Answered<T>> {
    const known = this.#ports.store.get(kind, key)?.metadata.resourceVersion;
    return this.#overtaken.during(`${kind}/${key}`, known, ask);
  }

  /** Our write was answered. */
  made(kind: WrittenKind, key: string, { from, to, object }: Made, by: Answered<unknown>): void {
    const at = `${kind}/${key}`;
    this.#own.wrote(at, from, to);
    if (by.told.has(to)) this.#own.shown(at, to);
    if (!by.isOvertaken) this.#take(kind, key, object);
  }

  /** Somebody else wrote the object: the store learns how it is now, without waiting for the watch. */
  found(
    kind: WrittenKind,
    key: string,
    object: IP | Service | undefined,
    by: Answered<unknown>,
  ): void {
    this.#own.interrupted(`${kind}/${key}`);
    if (!by.isOvertaken) this.#take(kind, key, object);
  }

  #take(kind: WrittenKind, key: string, object: IP | Service | undefined): void {
    const { store, onWritten } = this.#ports;
    this.#overtaken.told(`${kind}/${key}`, object?.metadata.resourceVersion);
    if (object === undefined) store.delete(kind, key);
    else store.set(object);
    onWritten(kind, key);
  }

  /** The version that stands where `seen` stood, if only we wrote since; otherwise `seen` itself. */
  translate(kind: WrittenKind, key: string, seen: string | undefined): string | undefined {
    return this.#own.translate(`${kind}/${key}`, seen);
  }

  /** A watch shows a version that our own write has replaced. */
  isPast(key: string, version: string | undefined): boolean {
    return this.#own.isPast(key, version);
  }

  /** A watch shows this version; undefined: that the object is gone. */
  shown(key: string, version: string | undefined): void {
    if (!this.#own.isPast(key, version)) this.#overtaken.told(key, version);
    this.#own.shown(key, version);
  }

  /** A kind was listed anew. */
  relisted(): void {
    this.#overtaken.toldOfAll();
  }

  /** No decision about the object is waiting to be written. */
  release(key: string): void {
    this.#own.release(key);
  }
}
