// Drains over restarts of the agent: a host with a run directory and a clock that counts since its boot, agents that come
// and go on it, each with a clock of its own.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { DrainRecord } from '../../../../src/ipvs-node/kernel/ownership/drain-record.ts';
import type { DrainRecordPort } from '../../../../src/ipvs-node/model/kernel.ts';
import { AUDIT_MS } from '../../../../src/ipvs-node/reconcile/agenda.ts';
import type { RealServerKey, VirtualServerKey } from '../../../../src/net/ipvs.ts';
import { silentLog, type LogFields } from '../../../../src/runtime/log.ts';
import { FakeKernel } from '../../../contract/fake-kernel.ts';
import { pool, service, slice } from '../objects.ts';
import { AgentUnderTest, WEB } from './agent-under-test.ts';

const KEY = '192.0.2.10:80/TCP' as VirtualServerKey;
const LEAVES = '10.0.0.1:8080' as RealServerKey;
/** 300 seconds, and one real server of two that is not listed any more. */
const LEFT = [pool(), service(), slice(['10.0.0.2'])];
const SCOPE = { bootId: 'b00t', netnsInode: '42' };

class Host {
  readonly directory: string;
  readonly file: string;
  readonly kernel = new FakeKernel();
  readonly warnings: string[] = [];
  saves = 0;
  /** Why nothing can be written. */
  fault: string | undefined;
  #bootMs = 5_000_000;
  #agent: AgentUnderTest | undefined;

  constructor(t: TestContext) {
    this.directory = mkdtempSync(path.join(tmpdir(), 'vipvs-drains.'));
    t.after(() => rmSync(this.directory, { recursive: true, force: true }));
    this.file = path.join(this.directory, 'drains-42');
  }

  get isDraining(): boolean {
    return this.kernel.virtualServers.get(KEY)?.realServers.has(LEAVES) === true;
  }

  get agent(): AgentUnderTest {
    assert.ok(this.#agent);
    return this.#agent;
  }

  /** Another process: it knows what is in the kernel and in the run directory. */
  async start(objects: typeof LEFT): Promise<AgentUnderTest> {
    if (this.#agent !== undefined) {
      await this.#agent.agent.stop();
      this.#bootMs += this.#agent.clock.nowMs();
      this.#agent = undefined;
    }
    const nowMs = (): number => this.#bootMs + (this.#agent?.clock.nowMs() ?? 0);
    const record = new DrainRecord(this.directory, SCOPE, nowMs);
    this.kernel.drainRecord = {
      load: (at) => record.load(at),
      save: (...all) => {
        this.saves++;
        return this.fault ?? record.save(...all);
      },
    } satisfies DrainRecordPort;
    const log = {
      ...silentLog,
      warn: ({ reason }: LogFields, msg: string) =>
        void this.warnings.push(`${msg}: ${String(reason)}`),
    };
    this.#agent = new AgentUnderTest({ objects, kernel: this.kernel, log });
    this.#agent.agent.setSynced(true);
    await this.#agent.advance(1);
    return this.#agent;
  }

  /** One of its two real servers leaves, with a connection that does not end. */
  async drain(): Promise<void> {
    await this.start(WEB);
    this.kernel.setConnections(KEY, LEAVES, 1);
    this.agent.set(slice(['10.0.0.2']));
    await this.agent.advance(1000);
    assert.ok(this.isDraining);
  }

  bytes(): string {
    return readFileSync(this.file, 'utf8');
  }
}

test('five restarts of one drain are one drain', async (t) => {
  const host = new Host(t);
  await host.drain();
  let drainedMs = 1000;
  for (let i = 0; i < 5; i++) {
    const agent = await host.start(LEFT);
    await agent.advance(49_000);
    drainedMs += 49_001;
    assert.ok(host.isDraining, `after ${drainedMs} ms`);
  }
  const last = await host.start(LEFT);
  await last.advance(300_000 - drainedMs - 2000);
  assert.ok(host.isDraining);
  await last.advance(3000);
  assert.equal(host.isDraining, false);
  assert.deepEqual(host.warnings, []);
});

test('a drain that is over when the agent comes back ends with its first rounds', async (t) => {
  const host = new Host(t);
  await host.drain();
  const { clock } = host.agent;
  await host.agent.agent.stop();
  await clock.advance(400_000);
  const agent = await host.start(LEFT);
  await agent.advance(2000);
  assert.equal(host.isDraining, false);
});

test('written when a drain begins and when it ends, and not in between', async (t) => {
  const host = new Host(t);
  await host.start(WEB);
  await host.agent.advance(2 * AUDIT_MS);
  assert.equal(host.saves, 0);
  host.kernel.setConnections(KEY, LEAVES, 1);
  host.agent.set(slice(['10.0.0.2']));
  await host.agent.advance(1000);
  const [begun, { ino }] = [host.bytes(), statSync(host.file)];
  assert.match(begun, /^192\.0\.2\.10:80\/TCP 10\.0\.0\.1:8080 \d+$/m);
  await host.agent.advance(2 * AUDIT_MS);
  await host.start(LEFT);
  await host.agent.advance(AUDIT_MS);
  host.agent.agent.audit();
  await host.agent.advance(1000);
  assert.deepEqual([host.saves, host.bytes(), statSync(host.file).ino], [1, begun, ino]);
  host.kernel.setConnections(KEY, LEAVES, 0);
  await host.agent.advance(2000);
  assert.equal(host.isDraining, false);
  assert.equal(host.saves, 2);
  assert.throws(() => host.bytes(), /ENOENT/);
});

test('one that came back while no agent ran has no start any more', async (t) => {
  const host = new Host(t);
  await host.drain();
  await host.start(WEB);
  assert.throws(() => host.bytes(), /ENOENT/);
  await host.agent.advance(200_000);
  host.agent.set(slice(['10.0.0.2']));
  await host.agent.advance(299_000);
  assert.ok(host.isDraining);
  await host.agent.advance(3000);
  assert.equal(host.isDraining, false);
});

test('one that still serves has no start; when it stops serving, it has', async (t) => {
  const host = new Host(t);
  await host.start(WEB);
  host.kernel.setConnections(KEY, LEAVES, 1);
  const going = { ready: false, serving: true, terminating: true };
  host.agent.set(slice([{ addresses: ['10.0.0.1'], conditions: going }, '10.0.0.2']));
  await host.agent.advance(400_000);
  assert.ok(host.isDraining);
  assert.equal(host.saves, 0);
  host.agent.set(slice(['10.0.0.2']));
  await host.agent.advance(1000);
  assert.equal(host.saves, 1);
  assert.match(host.bytes(), /10\.0\.0\.1:8080 5400\d\d\d\n$/);
});

test('a record that can not be read: one line, the drain counts from now, and it is written anew', async (t) => {
  const host = new Host(t);
  await host.drain();
  writeFileSync(host.file, 'vipvs-drains 9 and what is to come\n');
  await host.start(LEFT);
  await host.agent.advance(5000);
  assert.equal(host.warnings.length, 1);
  assert.match(host.warnings[0] ?? '', /drains-42: it is of version 9.*count from now/);
  assert.match(host.bytes(), /^vipvs-drains 1 .*\n192\.0\.2\.10:80\/TCP 10\.0\.0\.1:8080 \d+\n$/);
  await host.agent.advance(290_000);
  assert.ok(host.isDraining);
  await host.agent.advance(8000);
  assert.equal(host.isDraining, false);
});

test('a full disk: the drain goes on, it is said ever rarer, and noted when there is room', async (t) => {
  const host = new Host(t);
  await host.start(WEB);
  host.fault = 'ENOSPC';
  host.kernel.setConnections(KEY, LEAVES, 1);
  host.agent.set(slice(['10.0.0.2']));
  await host.agent.advance(20_000);
  assert.ok(host.warnings.every((line) => line === 'when drains began can not be noted: ENOSPC'));
  assert.ok(host.warnings.length >= 1 && host.warnings.length <= 5, String(host.warnings.length));
  host.fault = undefined;
  await host.agent.advance(1500);
  assert.match(host.bytes(), /10\.0\.0\.1:8080 \d+\n$/);
  await host.agent.advance(280_000);
  assert.equal(host.isDraining, false);
});
