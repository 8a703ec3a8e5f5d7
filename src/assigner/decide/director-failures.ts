// Which Services the directors could not program, out of the Director objects. From it comes the condition
// vipvs.io/Programmed, which is written only for a Service that fails somewhere, and turned to True when it does no more:
// a healthy new Service costs no write for it. Pure.
import { cutText } from '../../api/bounded-text.ts';
import { CONDITION_MESSAGE_MAX } from '../../api/limits.ts';
import type { Director, FailedService } from '../../api/director.ts';
import { Index } from '../../api/many-to-many.ts';

export interface Failure {
  readonly reason: string;
  readonly message: string;
}

export class DirectorFailures {
  /** Director -> Service -> what fails there */
  readonly #failed = new Map<string, ReadonlyMap<string, FailedService>>();
  /** Service -> directors */
  readonly #directors = new Index<string, string>();

  /** Takes what a director says; undefined: it is gone. Answers the Services to decide anew. */
  set(name: string, director: Director | undefined): ReadonlySet<string> {
    const before = this.#failed.get(name) ?? NONE;
    const after = new Map((director?.status?.failed ?? []).map((each) => [each.service, each]));
    const touched = new Set<string>();
    for (const [service, failed] of after) {
      const old = before.get(service);
      if (old?.reason === failed.reason && old.message === failed.message) continue;
      touched.add(service);
      this.#directors.add(service, name);
    }
    for (const service of before.keys()) {
      if (after.has(service)) continue;
      touched.add(service);
      this.#directors.delete(service, name);
    }
    if (after.size === 0) this.#failed.delete(name);
    else this.#failed.set(name, after);
    return touched;
  }

  /** undefined: no director says that it fails. */
  failureOf(service: string): Failure | undefined {
    const directors = [...this.#directors.get(service)].sort();
    const all = directors
      .map((name) => ({ name, failed: this.#failed.get(name)?.get(service) }))
      .filter((each): each is Named => each.failed !== undefined);
    const [first] = all;
    if (first === undefined) return undefined;
    const byMessage = Map.groupBy(all, ({ failed }) => failed.message);
    const texts = [...byMessage].map(([message, where]) => {
      return `${where.map(({ name }) => name).join(', ')}: ${message}`;
    });
    // a condition has one reason: the first director's
    const message = cutText(texts.join('; '), CONDITION_MESSAGE_MAX);
    return { reason: first.failed.reason, message };
  }
}

interface Named {
  readonly name: string;
  readonly failed: FailedService;
}

const NONE: ReadonlyMap<string, FailedService> = new Map();
