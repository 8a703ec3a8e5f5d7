// The audit by itself: its steps, and when a reading of the host's part counts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Audit, AUDIT_MS } from '../../../../src/ipvs-node/reconcile/audit.ts';
import type { ObservedHost } from '../../../../src/ipvs-node/model/state.ts';
import type { VirtualServerKey } from '../../../../src/net/ipvs.ts';

const HOST: ObservedHost = {
  addresses: new Map(),
  firewall: 'absent',
  sysctls: new Map(),
  owned: { virtualServers: new Set(), addresses: new Set() },
};
const keysOf = (count: number): readonly VirtualServerKey[] =>
  Array.from({ length: count }, (_, i) => `192.0.2.1:${i}/TCP` as VirtualServerKey);

class UnderTest {
  /** Of each reading that was begun. */
  readonly readings: PromiseWithResolvers<ObservedHost>[] = [];
  reads = 0;
  readonly audit: Audit;

  constructor() {
    const observeHost = (): Promise<ObservedHost> => {
      const reading = Promise.withResolvers<ObservedHost>();
      this.readings.push(reading);
      return reading.promise;
    };
    this.audit = new Audit(
      { observeHost },
      () => 0.5,
      () => {
        this.reads++;
      },
    );
    this.audit.restart(0);
  }

  /** Steps of an audit that begins at `atMs`, until it asks for the host's part. */
  walk(atMs: number, count: number): readonly number[] {
    const sizes: number[] = [];
    while (this.readings.length === 0) {
      // what is wanted and what is owned: nearly all keys twice
      const keys = (): readonly VirtualServerKey[] => [...keysOf(count), ...keysOf(count)];
      sizes.push(this.audit.step(atMs, false, keys).length);
    }
    return sizes;
  }

  async answer(host: ObservedHost): Promise<void> {
    this.readings.shift()?.resolve(host);
    await this.audit.settle();
  }
}

const WALKS: readonly { readonly count: number; readonly want: readonly number[] }[] = [
  { count: 0, want: [0] },
  { count: 3, want: [3, 0] },
  { count: 32, want: [32, 0] },
  { count: 75, want: [32, 32, 11, 0] },
];
for (const { count, want } of WALKS) {
  test(`${count} virtual servers: steps of ${want.join(', ')}, then the host's part`, () => {
    assert.deepEqual(new UnderTest().walk(AUDIT_MS, count), want);
  });
}

test('100,000 virtual servers take no more than 400 steps; each key is in one', () => {
  const under = new UnderTest();
  const seen = new Set<VirtualServerKey>();
  let steps = 0;
  const keys = keysOf(100_000);
  while (under.readings.length === 0) {
    for (const key of under.audit.step(AUDIT_MS, false, () => [...keys, ...keys])) seen.add(key);
    steps++;
  }
  assert.deepEqual([steps, seen.size], [401, 100_000]);
});

test('nothing before the minute is over', () => {
  const { audit } = new UnderTest();
  assert.equal(audit.dueMs, AUDIT_MS);
  assert.deepEqual(
    audit.step(AUDIT_MS - 1, false, () => keysOf(3)),
    [],
  );
});

test('a busy agent takes a step now and then, and ends its audit before the next one', () => {
  const { audit } = new UnderTest();
  const keys = (): readonly VirtualServerKey[] => keysOf(75);
  assert.equal(audit.step(AUDIT_MS, true, keys).length, 32);
  assert.equal(audit.dueMs, Number.NEGATIVE_INFINITY);
  assert.equal(audit.step(AUDIT_MS + 100, true, keys).length, 0);
  assert.equal(audit.step(AUDIT_MS + 100, false, keys).length, 32);
  assert.equal(audit.step(3 * AUDIT_MS, true, keys).length, 11);
});

test('a reading of the host that nothing disturbed counts', async () => {
  const under = new UnderTest();
  under.walk(AUDIT_MS, 0);
  assert.equal(under.audit.takeHost(AUDIT_MS), undefined);
  assert.equal(under.audit.dueMs, 2 * AUDIT_MS);
  await under.answer(HOST);
  assert.equal(under.reads, 1);
  assert.equal(under.audit.takeHost(AUDIT_MS), HOST);
  assert.equal(under.audit.takeHost(AUDIT_MS), undefined);
  assert.equal(under.audit.isStuck, false);
});

const USELESS: readonly {
  readonly name: string;
  readonly host: ObservedHost;
  readonly isEdited?: boolean;
}[] = [
  { name: 'no addresses', host: { ...HOST, addresses: undefined } },
  { name: 'no firewall', host: { ...HOST, firewall: undefined } },
  { name: 'edited meanwhile', host: HOST, isEdited: true },
];
for (const { name, host, isEdited = false } of USELESS) {
  test(`${name}: read again, and after five times a full round has to do it`, async () => {
    const under = new UnderTest();
    under.walk(AUDIT_MS, 0);
    for (let i = 0; i < 5; i++) {
      assert.equal(under.audit.isStuck, false);
      const nowMs = AUDIT_MS + 3000 * i;
      if (isEdited) under.audit.edited();
      await under.answer(host);
      assert.equal(under.audit.takeHost(nowMs), undefined);
      assert.equal(under.audit.dueMs, nowMs + 3000);
      under.audit.step(nowMs + 3000, false, () => []);
    }
    assert.equal(under.audit.isStuck, true);
    under.audit.restart(2 * AUDIT_MS);
    assert.deepEqual([under.audit.isStuck, under.audit.dueMs], [false, 3 * AUDIT_MS]);
  });
}

test('an error of the reading is thrown where it is taken', async () => {
  const under = new UnderTest();
  under.walk(AUDIT_MS, 0);
  under.readings[0]?.reject(new Error('no memory'));
  await under.audit.settle();
  assert.throws(() => under.audit.takeHost(AUDIT_MS), /no memory/);
  assert.equal(under.audit.takeHost(AUDIT_MS), undefined);
});
