// What the agent does next, and when, out of marks, times and facts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  Agenda,
  AUDIT_MS,
  CANARY_MS,
  type Facts,
  type Round,
} from '../../../../src/ipvs-node/reconcile/agenda.ts';
import type { DirtyScope } from '../../../../src/ipvs-node/reconcile/dirty-scope.ts';
import type { Target } from '../../../../src/ipvs-node/reconcile/retries.ts';
import { parseIp } from '../../../../src/net/address.ts';
import { elementKey } from '../../../../src/ipvs-node/model/firewall.ts';
import type { VirtualServerKey } from '../../../../src/net/ipvs.ts';

const KEY = '192.0.2.10:80/TCP' as VirtualServerKey;
const OTHER = '192.0.2.11:80/TCP' as VirtualServerKey;
const VIP = parseIp('192.0.2.10');
const NEVER = Number.POSITIVE_INFINITY;
const AT_ONCE = Number.NEGATIVE_INFINITY;
const NOTHING: Facts = {
  draining: [],
  retries: [],
  vipOf: () => undefined,
  audited: () => [],
};
const keysOf = (count: number): readonly VirtualServerKey[] =>
  Array.from({ length: count }, (_, i) => `192.0.2.1:${i}/TCP` as VirtualServerKey);
/** What is wanted and what is owned: nearly all keys twice. */
const auditing = (count: number): Facts => {
  const keys = keysOf(count);
  return { ...NOTHING, audited: () => [...keys, ...keys] };
};

/** All was read at time 0. */
function started(): Agenda {
  const agenda = new Agenda(() => 0.5);
  agenda.readAll(0);
  return agenda;
}

function incremental(round: Round): Extract<Round, { kind: 'incremental' }> {
  if (round.kind !== 'incremental') throw new Error('a full round');
  return round;
}

const next = (
  agenda: Agenda,
  nowMs: number,
  facts: Partial<Facts> = {},
): ReturnType<typeof incremental> => incremental(agenda.next(nowMs, { ...NOTHING, ...facts }));

/** What is marked, as text. */
function textOf(scope: DirtyScope): string {
  const { virtualServers, addresses, firewall, sysctls, announcements } = scope;
  return [
    ...virtualServers,
    ...addresses,
    ...[...firewall].map(([set, elements]) => `${set} ${[...elements].join()}`),
    ...(sysctls ? ['sysctls'] : []),
    ...[...announcements].map((address) => `announce ${address}`),
  ].join(', ');
}

const FULL: readonly {
  readonly name: string;
  readonly does: (agenda: Agenda) => void;
  /** The first of these times at which the round is a full one. */
  readonly want: number;
}[] = [
  { name: 'before anything was read', does: () => undefined, want: 0 },
  { name: 'all was read', does: (agenda) => agenda.readAll(0), want: NEVER },
  {
    name: 'it is wanted',
    does: (agenda) => {
      agenda.readAll(0);
      agenda.wantFull();
    },
    want: 0,
  },
  {
    name: 'it is wanted later, and earlier than that',
    does: (agenda) => {
      agenda.readAll(0);
      agenda.wantFull(3000);
      agenda.wantFull(2000);
      agenda.wantFull(3000);
    },
    want: 2000,
  },
];
for (const { name, does, want } of FULL) {
  test(`${name}: a full round at ${want}`, () => {
    const agenda = new Agenda(() => 0.5);
    does(agenda);
    const first = [0, 1000, 1999, 2000, 3000].find(
      (ms) => agenda.next(ms, NOTHING).kind === 'full',
    );
    assert.equal(first ?? NEVER, want);
  });
}

const CHANGED = {
  virtualServers: new Set([KEY]),
  addresses: new Set([VIP]),
  firewall: new Map([['vips4' as const, new Set([elementKey(VIP)])]]),
  sysctls: true,
};

test('what is marked is in the next round, and only there', () => {
  const agenda = started();
  agenda.mark(CHANGED);
  agenda.markAddress(parseIp('192.0.2.11'));
  agenda.announce(VIP);
  const text = `${KEY}, ${VIP}, 192.0.2.11, vips4 ${VIP}, sysctls, announce ${VIP}`;
  assert.equal(textOf(next(agenda, 1).scope), text);
  assert.equal(next(agenda, 2).scope.isEmpty, true);
});

test('a round that was not run to its end comes back, beside what was marked meanwhile', () => {
  const agenda = started();
  agenda.mark({ ...CHANGED, firewall: new Map(), sysctls: false });
  agenda.announce(VIP);
  const { scope } = next(agenda, 1);
  agenda.mark({ ...CHANGED, virtualServers: new Set([OTHER]), firewall: new Map() });
  agenda.putBack(scope);
  assert.equal(textOf(next(agenda, 2).scope), `${OTHER}, ${KEY}, ${VIP}, sysctls, announce ${VIP}`);
});

test('a reading of everything settles what is marked, and hands over what is to be announced', () => {
  const agenda = started();
  agenda.mark(CHANGED);
  agenda.announce(VIP);
  assert.deepEqual([...agenda.readAll(1).announcements], [VIP]);
  assert.equal(next(agenda, 2).scope.isEmpty, true);
});

test('withdrawing comes once, over the marked addresses that are not wanted, and they stay marked', () => {
  const agenda = started();
  const wanted = parseIp('192.0.2.11');
  const take = (): DirtyScope | undefined => agenda.takeWithdrawal((vip) => vip === wanted);
  agenda.mark(CHANGED);
  agenda.markAddress(wanted);
  assert.equal(take(), undefined);
  agenda.withdraw();
  const scope = take();
  assert.equal(scope && textOf(scope), VIP);
  assert.equal(take(), undefined);
  assert.ok(next(agenda, 1).scope.addresses.has(VIP));
});

const RETRIES: readonly {
  readonly name: string;
  readonly target: Target;
  readonly vip?: typeof VIP;
  readonly want: string;
}[] = [
  { name: 'a virtual server', target: { kind: 'virtual server', key: KEY }, want: KEY },
  {
    name: 'a virtual server with its address',
    target: { kind: 'virtual server', key: KEY },
    vip: VIP,
    want: `${KEY}, ${VIP}`,
  },
  { name: 'an address', target: { kind: 'address', address: VIP }, want: VIP },
  {
    name: 'an announcement',
    target: { kind: 'announcement', address: VIP },
    want: `announce ${VIP}`,
  },
  { name: 'the settings', target: { kind: 'sysctls' }, want: 'sysctls' },
  { name: 'the firewall', target: { kind: 'firewall' }, want: 'full' },
];
for (const { name, target, vip, want } of RETRIES) {
  test(`${name} to be tried again: ${want}`, () => {
    const agenda = started();
    const round = agenda.next(1, { ...NOTHING, retries: [target], vipOf: () => vip });
    assert.equal(round.kind === 'full' ? 'full' : textOf(round.scope), want);
  });
}

test('drains are looked at when they are due', () => {
  const agenda = started();
  const facts = { draining: [KEY] };
  const isLookedAt = (nowMs: number): boolean =>
    next(agenda, nowMs, facts).scope.virtualServers.has(KEY);
  assert.equal(isLookedAt(500), false, 'nothing drains');
  agenda.drainsGoOn(true, 700);
  assert.deepEqual([isLookedAt(699), isLookedAt(700)], [false, true]);
  agenda.postponeDrains(800);
  assert.deepEqual([isLookedAt(799), isLookedAt(800)], [false, true]);
  agenda.drainsGoOn(false, 850);
  assert.equal(agenda.wakeAtMs(), 800, 'another one is due before');
  agenda.drainsGoOn(false, undefined);
  assert.equal(agenda.wakeAtMs(), 800, 'another one goes on');
  agenda.drainsGoOn(true, undefined);
  assert.equal(agenda.wakeAtMs(), CANARY_MS);
});

const CANARIES: readonly {
  readonly wanted: readonly string[];
  readonly seen?: readonly string[];
  readonly want: readonly (readonly string[])[];
}[] = [
  { wanted: [], seen: [], want: [[], []] },
  { wanted: ['a', 'b', 'c'], want: [[], []] },
  { wanted: ['a'], seen: ['a'], want: [['a'], ['a']] },
  { wanted: ['a', 'b', 'c'], seen: ['b'], want: [['b'], ['b']] },
  {
    wanted: ['a', 'b', 'c', 'd', 'e'],
    seen: ['a', 'b', 'd', 'e', 'f'],
    want: [
      ['a', 'b'],
      ['d', 'e'],
      ['a', 'b'],
    ],
  },
  {
    wanted: ['a', 'b', 'c'],
    seen: ['a', 'b', 'c'],
    want: [
      ['a', 'b'],
      ['c', 'a'],
      ['b', 'c'],
    ],
  },
];
for (const { wanted, seen, want } of CANARIES) {
  test(`canaries of ${wanted.join('') || 'none'}, of which ${seen?.join('') ?? 'nobody knows which'} are there`, () => {
    const agenda = started();
    const mapOf = (names: readonly string[]): ReadonlyMap<VirtualServerKey, unknown> =>
      new Map(names.map((name) => [name as VirtualServerKey, undefined]));
    const keys = mapOf(wanted);
    const turns = want.map(() => agenda.canaryKeys(keys, seen && mapOf(seen)));
    assert.deepEqual(turns, want);
  });
}

test('the canary is due every second', () => {
  const agenda = started();
  const looks = [999, 1000, 1500, 2000].map((nowMs) => next(agenda, nowMs).looksAtCanary);
  assert.deepEqual(looks, [false, true, false, true]);
});

test('the next wake-up is the first thing that is due', () => {
  const agenda = new Agenda(() => 0.5);
  assert.equal(agenda.wakeAtMs(), AT_ONCE);
  agenda.readAll(0);
  assert.equal(agenda.wakeAtMs(), CANARY_MS);
  agenda.retryAt(900);
  assert.equal(agenda.wakeAtMs(), 900);
  agenda.drainsGoOn(true, 800);
  assert.equal(agenda.wakeAtMs(), 800);
  agenda.wantFull(700);
  assert.equal(agenda.wakeAtMs(), 700);
});

const WALKS: readonly { readonly count: number; readonly want: readonly number[] }[] = [
  { count: 0, want: [0] },
  { count: 3, want: [3, 0] },
  { count: 32, want: [32, 0] },
  { count: 75, want: [32, 32, 11, 0] },
];
for (const { count, want } of WALKS) {
  test(`${count} virtual servers: steps of ${want.join(', ')}, then the host's part`, () => {
    const agenda = started();
    const sizes: number[] = [];
    for (let isOver = false; !isOver;) {
      const { audited, readsHost } = next(agenda, AUDIT_MS, auditing(count));
      sizes.push(audited.length);
      isOver = readsHost;
      // the rest of it waits for nothing
      if (!isOver) assert.ok(agenda.wakeAtMs() <= AUDIT_MS);
    }
    assert.deepEqual(sizes, want);
    assert.equal(next(agenda, AUDIT_MS + 1).readsHost, false);
  });
}

test('100,000 virtual servers take no more than 400 steps; each key is in one', () => {
  const agenda = started();
  const seen = new Set<VirtualServerKey>();
  const facts = auditing(100_000);
  let steps = 0;
  for (let isOver = false; !isOver; steps++) {
    const { audited, readsHost } = next(agenda, AUDIT_MS, facts);
    for (const key of audited) seen.add(key);
    isOver = readsHost;
  }
  assert.deepEqual([steps, seen.size], [401, 100_000]);
});

const JITTER: readonly { readonly random: number; readonly want: number }[] = [
  { random: 0, want: 54_000 },
  { random: 0.5, want: 60_000 },
  { random: 0.999, want: 65_988 },
];
for (const { random, want } of JITTER) {
  test(`a die that shows ${random}: an audit after ${want} ms`, () => {
    const agenda = new Agenda(() => random);
    agenda.readAll(0);
    assert.equal(next(agenda, want - 1, auditing(3)).audited.length, 0);
    assert.equal(next(agenda, want, auditing(3)).audited.length, 3);
  });
}

test('a busy agent takes a step now and then, and ends its audit before the next one', () => {
  const agenda = started();
  const stepAt = (nowMs: number, isBusy: boolean): number => {
    if (isBusy) agenda.announce(VIP);
    return next(agenda, nowMs, auditing(75)).audited.length;
  };
  assert.equal(stepAt(AUDIT_MS, true), 32);
  assert.equal(agenda.wakeAtMs(), AT_ONCE);
  assert.equal(stepAt(AUDIT_MS + 100, true), 0);
  assert.equal(stepAt(AUDIT_MS + 100, false), 32);
  assert.equal(stepAt(3 * AUDIT_MS, true), 11);
});

test('a reading of the host that nothing disturbed counts', () => {
  const agenda = started();
  assert.equal(next(agenda, AUDIT_MS).readsHost, true);
  assert.equal(agenda.acceptHost(agenda.hostEdits, true, AUDIT_MS), true);
  assert.equal(next(agenda, AUDIT_MS + 30_000).readsHost, false);
});

const USELESS: readonly {
  readonly name: string;
  readonly isWhole: boolean;
  readonly disturb: (agenda: Agenda) => void;
}[] = [
  { name: 'not read whole', isWhole: false, disturb: () => undefined },
  { name: 'edited meanwhile', isWhole: true, disturb: (agenda) => agenda.hostEdited() },
];
for (const { name, isWhole, disturb } of USELESS) {
  test(`a host ${name} is read again, and after five times with all the rest`, () => {
    const agenda = started();
    for (let i = 0; i < 5; i++) {
      const nowMs = AUDIT_MS + 3000 * i;
      assert.equal(next(agenda, nowMs).readsHost, true);
      assert.equal(next(agenda, nowMs + 1).readsHost, false);
      const { hostEdits } = agenda;
      disturb(agenda);
      assert.equal(agenda.acceptHost(hostEdits, isWhole, nowMs), false);
    }
    assert.equal(agenda.next(AUDIT_MS + 12_000, NOTHING).kind, 'full');
    agenda.readAll(2 * AUDIT_MS);
    assert.equal(next(agenda, 2 * AUDIT_MS + 3000).readsHost, false);
    disturb(agenda);
    agenda.acceptHost(0, isWhole, 2 * AUDIT_MS);
    assert.equal(agenda.next(2 * AUDIT_MS, NOTHING).kind, 'incremental', 'counted anew');
  });
}

test('an audit that begins makes what was read of the host before it useless', () => {
  const agenda = started();
  const { hostEdits } = agenda;
  agenda.readAll(1000);
  assert.equal(agenda.acceptHost(hostEdits, true, 1000), false);
});
