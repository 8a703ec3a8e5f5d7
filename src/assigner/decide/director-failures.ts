// Which Services the directors could not program, out of the Director objects. From it comes the condition
// vipvs.io/Programmed, which is written only for a Service that fails somewhere, and turned to True when it does no more:
// a healthy new Service costs no write for it. Pure.
import type { Director, FailedService } from '../../api/director.ts';

export interface Failure {
  readonly reason: string;
  readonly message: string;
}

export class DirectorFailures {
  /** Service -> director -> what fails there */
  readonly #failures = new Map<string, Map<string, FailedService>>();
  readonly #services = new Map<string, ReadonlyMap<string, FailedService>>();

  /** Takes what a director says; undefined: it is gone. Answers the Services to decide anew. */
  set(name: string, director: Director | undefined): ReadonlySet<string> {
    const before = this.#services.get(name) ?? NONE;
    const after = new Map((director?.status?.failed ?? []).map((each) => [each.service, each]));
    const touched = new Set<string>();
    for (const [service, failed] of after) {
      const old = before.get(service);
      if (old?.reason === failed.reason && old.message === failed.message) continue;
      touched.add(service);
      const directors = this.#failures.get(service) ?? new Map<string, FailedService>();
      this.#failures.set(service, directors.set(name, failed));
    }
    for (const service of before.keys()) {
      if (after.has(service)) continue;
      touched.add(service);
      const directors = this.#failures.get(service);
      directors?.delete(name);
      if (directors?.size === 0) this.#failures.delete(service);
    }
    if (after.size === 0) this.#services.delete(name);
    else this.#services.set(name, after);
    return touched;
  }

  /** undefined: no director says that it fails. */
  failureOf(service: string): Failure | undefined {
    const directors = this.#failures.get(service);
    if (directors === undefined) return undefined;
    const all = [...directors].sort(([a], [b]) => (a < b ? -1 : 1));
    const byMessage = Map.groupBy(all, ([, { message }]) => message);
    const texts = [...byMessage].map(([message, where]) => {
      return `${where.map(([name]) => name).join(', ')}: ${message}`;
    });
    // a condition has one reason: the first director's
    const [reason = ''] = all.map(([, failed]) => failed.reason);
    return { reason, message: texts.join('; ') };
  }
}

const NONE: ReadonlyMap<string, FailedService> = new Map();
