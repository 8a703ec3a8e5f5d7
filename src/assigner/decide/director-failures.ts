// Which Services the directors could not program, or only as far as they can see, out of the Director objects. From it
// comes the condition vipvs.io/Programmed, which is written only for such a Service, and turned to a plain True when all is
// well: a healthy new Service costs no write for it. Pure.
import { cutText } from '../../api/bounded-text.ts';
import type { Shortcoming } from '../../api/conditions.ts';
import { CONDITION_MESSAGE_MAX } from '../../api/limits.ts';
import type { Director } from '../../api/director.ts';
import { Index } from '../../api/many-to-many.ts';

type OfDirector = ReadonlyMap<string, Shortcoming>;

export class DirectorFailures {
  /** Director -> Service -> what it says of it */
  readonly #said = new Map<string, OfDirector>();
  /** Service -> directors */
  readonly #directors = new Index<string, string>();

  /** Takes what a director says; undefined: it is gone. Answers the Services to decide anew. */
  set(name: string, director: Director | undefined): ReadonlySet<string> {
    const before = this.#said.get(name) ?? NONE;
    const after = saidBy(director);
    const touched = new Set<string>();
    for (const [service, { reason, message, isWarning }] of after) {
      const old = before.get(service);
      if (old?.reason === reason && old.message === message && old.isWarning === isWarning) {
        continue;
      }
      touched.add(service);
      this.#directors.add(service, name);
    }
    for (const service of before.keys()) {
      if (after.has(service)) continue;
      touched.add(service);
      this.#directors.delete(service, name);
    }
    if (after.size === 0) this.#said.delete(name);
    else this.#said.set(name, after);
    return touched;
  }

  /** What fails somewhere, else what is unchecked somewhere; undefined: no director says anything of it. */
  shortcomingOf(service: string): Shortcoming | undefined {
    const directors = [...this.#directors.get(service)].sort();
    const all = directors
      .map((name) => ({ name, said: this.#said.get(name)?.get(service) }))
      .filter((each): each is Named => each.said !== undefined)
      .sort((a, b) => Number(a.said.isWarning) - Number(b.said.isWarning));
    const [first] = all;
    if (first === undefined) return undefined;
    const byMessage = Map.groupBy(all, ({ said }) => said.message);
    const texts = [...byMessage].map(([message, where]) => {
      return `${where.map(({ name }) => name).join(', ')}: ${message}`;
    });
    // a condition has one reason: that of the first director with a failure, if there is one
    const message = cutText(texts.join('; '), CONDITION_MESSAGE_MAX);
    return { ...first.said, message };
  }
}

interface Named {
  readonly name: string;
  readonly said: Shortcoming;
}

const NONE: OfDirector = new Map();

function saidBy(director: Director | undefined): OfDirector {
  const { failed = [], unchecked = [] } = director?.status ?? {};
  const said = new Map<string, Shortcoming>();
  for (const { service, reason, message } of unchecked) {
    said.set(service, { reason, message, isWarning: true });
  }
  for (const { service, reason, message } of failed) {
    said.set(service, { reason, message, isWarning: false });
  }
  return said;
}
