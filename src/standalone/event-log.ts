// The Events of standalone mode: the last ones, repeated ones counted. Kubernetes keeps them for an hour; here they
// are kept by number, in the state file.
import { formatRef, type ObjectRef } from '../api/problem.ts';
import type { StateEvent } from '../files/state.ts';

/** Enough to see what happened to a Service; 200 lines of about 200 characters. */
export const MAX_EVENTS = 200;

export interface EventInput {
  readonly regarding: ObjectRef;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly note: string;
}

export class EventLog {
  /** Insertion order is time order: a repeated event moves to the end. */
  readonly #events = new Map<string, StateEvent>();

  restore(events: readonly StateEvent[]): void {
    for (const event of events) this.#put(event);
  }

  add(event: EventInput, time: string): void {
    const { type, reason, note: message } = event;
    const object = formatRef(event.regarding);
    const count = this.#events.get(keyOf({ object, reason, message }))?.count ?? 0;
    this.#put({ time, type, reason, object, message, count: count + 1 });
  }

  /** The newest last. */
  list(): readonly StateEvent[] {
    return [...this.#events.values()];
  }

  #put(event: StateEvent): void {
    const key = keyOf(event);
    this.#events.delete(key);
    this.#events.set(key, event);
    for (const oldest of this.#events.keys()) {
      if (this.#events.size <= MAX_EVENTS) break;
      this.#events.delete(oldest);
    }
  }
}

function keyOf(event: Pick<StateEvent, 'object' | 'reason' | 'message'>): string {
  return `${event.object}\n${event.reason}\n${event.message}`;
}
