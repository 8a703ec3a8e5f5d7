// Two to five directors that elect one by a Lease, over a network that loses, delays and doubles what they say, with
// agents that die, come back and hang. While it does, nobody takes what he may not; once messages arrive again, one holds
// the VIPs, and it is a Ready one. The election's step is real; the Lease is a register with versions, as the API
// server keeps it, and its client keeps the rules of src/kube/lease.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  dueAtMs,
  FIRST_LEASE_STATE,
  leaseStep,
  type LeaseEvent,
  type LeaseRules,
  type LeaseSaying,
} from '../../src/ipvs-node/mastership/lease-step.ts';

const LEASE_MS = 30_000;
const DEADLINE_MS = 20_000;
const RETRY_MS = 2000;
const TIMEOUT_MS = 5000;
const ANSWER_MS = 5;
/** Longer than it takes to lose the Lease and another one to have it. */
const CUT_OFF_MS = 60_000;
/** After the faults: a Lease runs out, one that came back is given its time, and a kernel that hangs its own. */
const HEALED_MS = 3 * LEASE_MS;

/** What becomes of one message. */
interface Fate {
  readonly isLost: boolean;
  readonly isDoubled: boolean;
  readonly delayMs: number;
}
const GOOD: Fate = { isLost: false, isDoubled: false, delayMs: ANSWER_MS };

interface Incident {
  readonly atMs: number;
  readonly director: number;
  readonly what: (typeof INCIDENTS)[number];
}
const INCIDENTS = [
  'crash',
  'restart',
  'restart with a kernel that hangs',
  'cut off',
  'speak',
] as const;

interface Scenario {
  readonly directors: number;
  readonly faultyMs: number;
  readonly fates: readonly Fate[];
  readonly incidents: readonly Incident[];
}

class World {
  nowMs = 0;
  readonly record = { holder: '', version: 1 };
  readonly directors: readonly Simulated[];
  /** Broken rules. */
  readonly faults: string[] = [];
  readonly #scenario: Scenario;
  readonly #queue: { readonly atMs: number; readonly nr: number; readonly run: () => void }[] = [];
  #nr = 0;
  #fate = 0;

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    const names = Array.from({ length: scenario.directors }, (_, i) => `n${i}`);
    this.directors = names.map((name) => new Simulated(this, name));
    this.directors.forEach((each, i) => this.at(i * 7, () => each.start(true)));
    for (const { atMs, director, what } of scenario.incidents) {
      const target = this.directors[director % this.directors.length];
      this.at(atMs, () => target?.meets(what));
    }
  }

  at(atMs: number, run: () => void): void {
    this.#queue.push({ atMs, nr: this.#nr++, run });
  }

  get isFaulty(): boolean {
    return this.nowMs < this.#scenario.faultyMs;
  }

  /** Delivers by the next fate, or well when the faults are over. */
  send(deliver: () => void): void {
    const { fates } = this.#scenario;
    const fate = (this.isFaulty ? fates[this.#fate++ % fates.length] : undefined) ?? GOOD;
    if (fate.isLost) return;
    this.at(this.nowMs + fate.delayMs, deliver);
    if (fate.isDoubled) this.at(this.nowMs + 2 * fate.delayMs + 1, deliver);
  }

  runUntil(endMs: number): void {
    for (;;) {
      let next = 0;
      for (const [i, each] of this.#queue.entries()) {
        const first = this.#queue[next];
        if (first !== undefined && (each.atMs - first.atMs || each.nr - first.nr) < 0) next = i;
      }
      const [entry] = this.#queue.splice(next, 1);
      if (entry === undefined) break;
      if (entry.atMs > endMs) {
        this.#queue.push(entry);
        break;
      }
      this.nowMs = entry.atMs;
      entry.run();
    }
    this.nowMs = endMs;
  }

  /** The API server: a write with an old version is refused. Undefined: that. */
  write(by: Simulated, holder: string, version: number, wasReady: boolean): number | undefined {
    if (version !== this.record.version) return undefined;
    if (this.record.holder !== by.name && !wasReady) {
      this.faults.push(`${this.nowMs}: ${by.name} is not ready and took the Lease`);
    }
    if (holder === '' && by.isBound && this.nowMs < by.withdrawnAtMs + TIMEOUT_MS) {
      this.faults.push(`${this.nowMs}: ${by.name} released with the VIPs bound`);
    }
    this.record.holder = holder;
    this.record.version++;
    return this.record.version;
  }
}

type Answer<T> = (answer: T | 'nobody knows') => void;

class Simulated {
  readonly name: string;
  readonly #world: World;
  readonly #rules: LeaseRules;
  state = FIRST_LEASE_STATE;
  isAlive = false;
  isReady = false;
  /** The kernel has the VIPs, which outlives the agent. */
  isBound = false;
  withdrawnAtMs = Number.NEGATIVE_INFINITY;
  #hangs = false;
  #cutOffUntilMs = 0;
  #word = 0;
  /** Of the process: what an earlier one waits for is nothing any more. */
  #life = 0;
  #version = 0;
  #renewedAtMs = 0;
  #silent = { version: 0, ms: 0, lookedAtMs: 0 };
  #isBusy = false;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.#rules = { name, leaseMs: LEASE_MS, retryMs: RETRY_MS };
  }

  meets(what: Incident['what']): void {
    if (what === 'speak') this.speak();
    else if (what === 'cut off') this.#cutOffUntilMs = this.#world.nowMs + CUT_OFF_MS;
    else if (what === 'crash') this.stop();
    else this.start(what === 'restart');
  }

  stop(): void {
    this.isAlive = false;
    this.isReady = false;
    this.#life++;
  }

  start(followsKernel: boolean): void {
    this.stop();
    this.isAlive = true;
    this.#hangs = !followsKernel;
    this.state = FIRST_LEASE_STATE;
    this.#isBusy = false;
    this.#silent = { version: 0, ms: 0, lookedAtMs: 0 };
    this.speak();
    for (const other of this.#world.directors) other.speakTo(this);
    this.#turn();
  }

  /** Nobody hears it, and it hears nobody; the kernel is its own. */
  get #isCutOff(): boolean {
    return this.#world.isFaulty && this.#world.nowMs < this.#cutOffUntilMs;
  }

  /** Runs in this life of the agent only. */
  #later(delayMs: number, run: () => void): void {
    const life = this.#life;
    this.#world.at(this.#world.nowMs + delayMs, () => {
      if (life === this.#life) run();
    });
  }

  step(event: LeaseEvent): readonly LeaseSaying[] {
    const { nowMs } = this.#world;
    const { state, says } = leaseStep(this.state, event, nowMs, this.#rules);
    this.state = state;
    for (const saying of says) {
      if (saying.say === 'hold') {
        if (!saying.holds) this.withdrawnAtMs = nowMs;
        this.speak();
        this.#hold(saying.holds, saying.saying);
      } else if (saying.say === 'release') this.#release();
      else if (saying.say === 'look') this.#later(0, () => this.#act());
    }
    const dueMs = dueAtMs(state, this.#rules);
    if (Number.isFinite(dueMs))
      this.#later(Math.max(1, dueMs - nowMs), () => this.step({ kind: 'due' }));
    return says;
  }

  /** The agent: the first thing it hears starts it. A kernel that hangs is never told. */
  #hold(holds: boolean, saying: number): void {
    if (this.#hangs) return;
    const life = this.#life;
    this.#world.send(() => {
      if (life !== this.#life) return;
      if (saying === this.state.saying) this.isBound = holds;
      if (!this.isReady) {
        this.isReady = true;
        this.step({ kind: 'ready' });
        this.speak();
      }
      this.step({ kind: 'told', saying });
    });
    // the agent tries again until it has said it
    this.#later(1000, () => {
      if (this.state.saying === saying && !this.state.isTold) this.#hold(holds, saying);
    });
  }

  speak(): void {
    if (!this.isAlive) return;
    this.#word++;
    for (const other of this.#world.directors) this.speakTo(other);
  }

  /** What its Director object says, which outlives it. */
  speakTo(other: Simulated): void {
    if (other === this || this.#word === 0) return;
    const event: LeaseEvent = {
      kind: 'seen',
      director: this.name,
      word: `${this.#word}`,
      isReady: this.isReady,
      announces: this.state.holds,
    };
    this.#world.send(() => {
      if (other.isAlive && !this.#isCutOff && !other.#isCutOff) other.step(event);
    });
  }

  #turn(): void {
    this.#act();
    this.#later(RETRY_MS, () => this.#turn());
  }

  #act(): void {
    if (this.#isBusy) return;
    if (this.state.phase === 'follows') this.#look();
    else if (this.state.phase !== 'releases') this.#renew();
  }

  /** One request: its way there and its way back have fates of their own. */
  #ask<T>(does: () => T, answer: Answer<T>): void {
    let isOver = false;
    const end: Answer<T> = (value) => {
      if (isOver) return;
      isOver = true;
      answer(value);
    };
    const life = this.#life;
    this.#world.send(() => {
      if (this.#isCutOff) return;
      const value = does();
      this.#world.send(() => {
        if (life === this.#life && !this.#isCutOff) end(value);
      });
    });
    this.#later(TIMEOUT_MS, () => end('nobody knows'));
  }

  #write(holder: string, version: number, answer: Answer<number | undefined>): void {
    const wasReady = this.isReady;
    this.#ask(() => this.#world.write(this, holder, version, wasReady), answer);
  }

  #look(): void {
    const askedAtMs = this.#world.nowMs;
    this.#isBusy = true;
    this.#ask(
      () => ({ ...this.#world.record }),
      (found) => {
        this.#isBusy = false;
        if (found === 'nobody knows') return;
        const isOurs = found.holder === this.name;
        if (!isOurs && found.holder !== '' && !this.#isExpired(found.version)) {
          this.step({ kind: 'other', holder: found.holder });
        } else if (isOurs || this.step({ kind: 'free' }).some(({ say }) => say === 'take')) {
          this.#take(askedAtMs, found.version, isOurs);
        } else this.step({ kind: 'left' });
      },
    );
  }

  #take(askedAtMs: number, version: number, isOurs: boolean): void {
    this.#isBusy = true;
    this.#write(this.name, version, (taken) => {
      this.#isBusy = false;
      if (taken === 'nobody knows') return;
      if (taken === undefined) {
        this.step(isOurs ? { kind: 'other', holder: '' } : { kind: 'left' });
        return;
      }
      this.#version = taken;
      this.#renewedAtMs = askedAtMs;
      this.step({ kind: 'won', askedAtMs });
    });
  }

  /** While nobody could read the Lease its holder could not renew it either: that time does not count. */
  #isExpired(version: number): boolean {
    const { nowMs } = this.#world;
    const last = this.#silent.version === version ? this.#silent : undefined;
    const gapMs = last === undefined ? 0 : Math.min(nowMs - last.lookedAtMs, 3 * RETRY_MS);
    this.#silent = { version, ms: (last?.ms ?? 0) + gapMs, lookedAtMs: nowMs };
    return this.#silent.ms > LEASE_MS;
  }

  #renew(): void {
    const sentAtMs = this.#world.nowMs;
    if (sentAtMs >= this.#renewedAtMs + DEADLINE_MS) {
      this.step({ kind: 'lost' });
      return;
    }
    this.#isBusy = true;
    this.#write(this.name, this.#version, (version) => {
      this.#isBusy = false;
      if (version === undefined) this.#reread();
      else if (version !== 'nobody knows') {
        this.#version = version;
        this.#renewedAtMs = sentAtMs;
      }
    });
  }

  #reread(): void {
    this.#isBusy = true;
    this.#ask(
      () => ({ ...this.#world.record }),
      (found) => {
        this.#isBusy = false;
        if (found === 'nobody knows') return;
        if (found.holder === this.name) this.#version = found.version;
        else this.step({ kind: 'lost' });
      },
    );
  }

  /** Tried once, and again after a conflict; where it fails, the next look finds the Lease ours. */
  #release(isAgain = false): void {
    this.#isBusy = true;
    this.#write('', this.#version, (version) => {
      if (version !== undefined || isAgain) this.#released();
      else {
        this.#ask(
          () => ({ ...this.#world.record }),
          (found) => {
            if (found === 'nobody knows' || found.holder !== this.name) this.#released();
            else {
              this.#version = found.version;
              this.#release(true);
            }
          },
        );
      }
    });
  }

  #released(): void {
    this.#isBusy = false;
    this.step({ kind: 'released' });
  }
}

const fate: fc.Arbitrary<Fate> = fc.record({
  isLost: fc.boolean(),
  isDoubled: fc.boolean(),
  delayMs: fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 8000 })),
});
const scenario: fc.Arbitrary<Scenario> = fc
  .record({ directors: fc.integer({ min: 2, max: 5 }), faultyMs: fc.nat(120_000) })
  .chain(({ directors, faultyMs }) =>
    fc.record({
      directors: fc.constant(directors),
      faultyMs: fc.constant(faultyMs),
      fates: fc.array(fate, { maxLength: 60 }),
      incidents: fc.array(
        fc.record({
          atMs: fc.nat(faultyMs),
          director: fc.nat(directors - 1),
          what: fc.constantFrom(...INCIDENTS),
        }),
        { maxLength: 12 },
      ),
    }),
  );

test('once messages arrive again one director holds the VIPs, and it is a Ready one', () => {
  fc.assert(
    fc.property(scenario, (given) => {
      const world = new World(given);
      world.runUntil(given.faultyMs);
      assert.deepEqual(world.faults, []);
      // every change in the cluster lets every director speak
      for (let ms = 0; ms <= HEALED_MS; ms += LEASE_MS / 4) {
        world.at(given.faultyMs + ms, () => world.directors.forEach((each) => each.speak()));
      }
      world.runUntil(given.faultyMs + HEALED_MS);
      assert.deepEqual(world.faults, []);
      const holders = world.directors.filter(({ isAlive, state }) => isAlive && state.holds);
      const areReady = world.directors.some(({ isReady }) => isReady);
      assert.ok(holders.length <= 1, holders.map(({ name }) => name).join(' and '));
      if (!areReady) return;
      assert.deepEqual(
        holders.map(({ isReady, isBound, state }) => [isReady, isBound, state.phase]),
        [[true, true, 'leads']],
      );
      const bound = world.directors.filter(({ isReady, isBound }) => isReady && isBound);
      assert.equal(bound.length, 1);
    }),
    { numRuns: 300 },
  );
});
