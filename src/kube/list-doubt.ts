// Whether a list that lacks many known objects is believed. An API server that comes back with half of its data, or a
// cache that was filled halfway, answers with a complete list of too little; deleting what it lacks would take the
// addresses of Services that still exist. Such a list is confirmed by a second one. Pure.

/** A smaller loss is what clusters do all day. */
const MOST_MISSING = 10;
const MOST_MISSING_SHARE = 1 / 4;
/** Longer than an API server takes to fill its cache; short for somebody who has deleted a namespace while we were away. */
export const CONFIRM_AFTER_MS = 10_000;

export class ListDoubt {
  #missing: ReadonlySet<string> = new Set();
  #sinceMs: number | undefined;

  /** When the doubtful list is to be confirmed by another one. */
  get dueMs(): number | undefined {
    return this.#sinceMs === undefined ? undefined : this.#sinceMs + CONFIRM_AFTER_MS;
  }

  /** Of `known` objects the list lacks those of `missing`. Answers the ones that are gone; the others stay for now. */
  gone(known: number, missing: readonly string[], nowMs: number): readonly string[] {
    const { dueMs } = this;
    if (!isLarge(known, missing.length)) return this.#settle(missing);
    if (dueMs === undefined) return this.#begin(missing, nowMs);
    if (nowMs < dueMs) return [];
    const before = this.#missing;
    const confirmed = missing.filter((key) => before.has(key));
    const others = missing.filter((key) => !before.has(key));
    if (!isLarge(known, others.length)) return this.#settle(missing);
    this.#begin(others, nowMs);
    return confirmed;
  }

  #settle(missing: readonly string[]): readonly string[] {
    this.#missing = new Set();
    this.#sinceMs = undefined;
    return missing;
  }

  #begin(missing: readonly string[], nowMs: number): readonly string[] {
    this.#missing = new Set(missing);
    this.#sinceMs = nowMs;
    return [];
  }
}

function isLarge(known: number, missing: number): boolean {
  return missing > MOST_MISSING && missing > known * MOST_MISSING_SHARE;
}
