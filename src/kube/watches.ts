// Several kinds watched together: one moment at which all of them have listed, one answer to why what they hold may be
// old. Invariant: `synced` resolves only after every sink has heard its first list.
import { Reflector, type ReflectorOptions, type ReflectorState } from './reflector.ts';
import type { ApiClient } from './transport.ts';
import type { Clock, Log, Random } from './ports.ts';

export interface WatchesPorts {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** A list lacked so much that it has to be confirmed; the text is for people. */
  readonly onDoubt?: (message: string) => void;
}

/** What is said of one kind. */
export type Watched<T> = Omit<ReflectorOptions<T>, keyof WatchesPorts>;

export class Watches {
  readonly #ports: WatchesPorts;
  readonly #reflectors: Pick<Reflector<unknown>, 'run' | 'state'>[] = [];
  readonly #listed = Promise.withResolvers<undefined>();

  constructor(ports: WatchesPorts) {
    this.#ports = ports;
  }

  /** Every kind has listed once. Never, where none is watched. */
  get synced(): Promise<unknown> {
    return this.#listed.promise;
  }

  /** Before run(). */
  add<T>(watched: Watched<T>): void {
    const { sink } = watched;
    const telling: typeof sink = {
      onSync: (objects) => {
        sink.onSync(objects);
        this.#onListed();
      },
      onUpsert: (key, object) => sink.onUpsert(key, object),
      onDelete: (key, uid) => sink.onDelete(key, uid),
      onRelist: (keys) => sink.onRelist?.(keys),
    };
    this.#reflectors.push(new Reflector<T>({ ...this.#ports, ...watched, sink: telling }));
  }

  states(): readonly ReflectorState[] {
    return this.#reflectors.map((each) => each.state());
  }

  /** Why what is held may be old, for readiness; empty: all are listed, and the last try of each succeeded. */
  problems(): readonly string[] {
    return this.states().flatMap(({ resource, synced, problem }) => {
      if (problem !== undefined) return [problem.message];
      return synced ? [] : [`${resource} are not listed yet`];
    });
  }

  /** Runs until the signal is aborted. Rejects only for a bug. Runs once. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#reflectors.map((reflector) => reflector.run(signal)));
  }

  #onListed(): void {
    // a reflector marks itself synced after its sink was told
    queueMicrotask(() => {
      if (this.#reflectors.every((each) => each.state().synced)) this.#listed.resolve(undefined);
    });
  }
}
