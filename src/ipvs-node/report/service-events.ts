// Which problems of a Service become events, and when: failures at once; that it has no endpoints only where that lasts,
// because the EndpointSlice of every new Service comes a moment after it.
import type { Problem } from '../../api/problem.ts';
import { aborted } from '../../runtime/abort.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Part } from '../../runtime/part.ts';
import type { ServiceReport } from '../reconcile/service-reports.ts';

/** The EndpointSlice controller takes well under a second, a Pod of an image that is there a few. */
export const LASTING_MS = 5000;

export class ServiceEvents implements Part {
  readonly problem = undefined;
  readonly #clock: Pick<Clock, 'timer'>;
  readonly #record: (service: string, problem: Problem) => void;
  /** Services whose missing endpoints have not been told yet. */
  readonly #held = new Map<string, () => void>();

  constructor(clock: Pick<Clock, 'timer'>, record: (service: string, problem: Problem) => void) {
    this.#clock = clock;
    this.#record = record;
  }

  /** A Service's state on this node changed. */
  told(service: string, report: ServiceReport | undefined): void {
    this.#held.get(service)?.();
    this.#held.delete(service);
    const problems = report?.problems ?? [];
    const later = problems.filter(({ reason }) => reason === 'NoEndpoints');
    for (const problem of problems) {
      if (!later.includes(problem)) this.#record(service, problem);
    }
    if (later.length === 0) return;
    const cancel = this.#clock.timer(LASTING_MS, () => {
      this.#held.delete(service);
      for (const problem of later) this.#record(service, problem);
    });
    this.#held.set(service, cancel);
  }

  async run(signal: AbortSignal): Promise<void> {
    await aborted(signal);
    for (const cancel of this.#held.values()) cancel();
    this.#held.clear();
  }
}
