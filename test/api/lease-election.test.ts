// The election's shell on a real Lease client, an API server's rules in memory and virtual time: what is said to the
// agent, and when the Lease goes.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Director } from '../../src/api/director.ts';
import { LeaseElection } from '../../src/ipvs-node/mastership/lease-election.ts';
import { ALL_HELD, type HeldGroups } from '../../src/ipvs-node/model/held-groups.ts';
import { ApiError } from '../../src/kube/errors.ts';
import { objectAt, textAt } from '../../src/kube/json.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { VirtualClock } from './clocks.ts';
import { MemoryApi } from './memory-api.ts';

const PATH = '/apis/coordination.k8s.io/v1/namespaces/vipvs/leases/vipvs-announcer';
const down = new ApiError('no connection', { code: 'network', status: 0 });

class World {
  readonly api = new MemoryApi();
  readonly clock = new VirtualClock();
  #words = 0;

  candidate(name: string): Candidate {
    return new Candidate(name, this);
  }

  get holder(): string | undefined {
    return textAt(objectAt(this.api.objects.get(PATH), 'spec'), 'holderIdentity');
  }

  director(name: string, isReady: boolean, announcing = false): Director {
    this.#words += 1;
    const condition = { type: 'Ready', status: isReady ? ('True' as const) : ('False' as const) };
    return {
      apiVersion: 'vipvs.io/v1alpha1',
      kind: 'Director',
      metadata: { name },
      status: {
        announcing,
        observedAt: `${this.#words}`,
        conditions: [{ ...condition, reason: 'Running', message: '' }],
      },
    };
  }
}

class Candidate {
  readonly election: LeaseElection;
  readonly #end = new AbortController();
  /** What it was told, as texts, and what each waits for. */
  readonly told: string[] = [];
  readonly #waiting: (() => void)[] = [];
  /** The kernel is told at once. */
  isQuick = true;
  onHold: (held: HeldGroups) => void = () => undefined;
  readonly ended: Promise<void>;

  constructor(name: string, { api, clock }: World) {
    this.election = new LeaseElection({
      client: api,
      namespace: 'vipvs',
      nodeName: name,
      clock,
      random: () => 0,
      log: silentLog,
    });
    this.ended = this.election.run(this.#end.signal, (held) => {
      this.onHold(held);
      this.told.push(held === ALL_HELD ? 'all' : 'none');
      if (this.isQuick) return Promise.resolve();
      return new Promise((resolve) => this.#waiting.push(resolve));
    });
  }

  /** The kernel was told all of it. */
  answer(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  end(): void {
    this.#end.abort();
  }
}

/** n2 is ready and has the Lease. */
async function leading(world: World): Promise<Candidate> {
  const candidate = world.candidate('n2');
  await world.clock.advance(0);
  candidate.election.ready();
  await world.clock.advance(0);
  assert.deepEqual([candidate.told, world.holder], [['none', 'all'], 'n2']);
  await world.clock.advance(1000);
  return candidate;
}

suite('election by a Lease', () => {
  test('a director that is not ready takes nothing; one that becomes ready does not wait', async () => {
    const world = new World();
    const candidate = world.candidate('n2');
    await world.clock.advance(200_000);
    assert.deepEqual([candidate.told, world.holder], [['none'], undefined]);
    candidate.election.ready();
    await world.clock.advance(0);
    assert.deepEqual([candidate.told, world.holder], [['none', 'all'], 'n2']);
    candidate.end();
    await candidate.ended;
    assert.equal(world.holder, 'n2', 'the next process of this node has it');
  });

  test("the announcer's Lease is released only after the kernel was told", async () => {
    const world = new World();
    const candidate = await leading(world);
    candidate.isQuick = false;
    candidate.election.seen('n1', world.director('n1', true));
    await world.clock.advance(4900);
    assert.deepEqual(candidate.told, ['none', 'all', 'none']);
    assert.equal(world.holder, 'n2', 'the kernel was not told yet');
    candidate.answer();
    await world.clock.advance(0);
    assert.equal(world.holder, '');
    candidate.end();
    await candidate.ended;
  });

  test('a kernel that does not answer holds the Lease for five seconds', async () => {
    const world = new World();
    const candidate = await leading(world);
    candidate.isQuick = false;
    candidate.election.seen('n1', world.director('n1', true));
    await world.clock.advance(5000);
    assert.equal(world.holder, '');
    candidate.end();
    await candidate.ended;
  });

  test('a handover that has begun is finished at the end; none begins after it', async () => {
    const world = new World();
    const candidate = await leading(world);
    candidate.isQuick = false;
    candidate.election.seen('n1', world.director('n1', true));
    candidate.end();
    candidate.election.seen('n1', undefined);
    await world.clock.advance(1000);
    assert.equal(world.holder, 'n2');
    candidate.answer();
    await world.clock.advance(0);
    await candidate.ended;
    assert.equal(world.holder, '');
    const other = new World();
    const ended = await leading(other);
    ended.end();
    ended.election.seen('n1', other.director('n1', true));
    await other.clock.advance(10_000);
    await ended.ended;
    assert.deepEqual([ended.told, other.holder], [['none', 'all'], 'n2']);
  });

  test('two: the one that comes first is handed it; when it withdraws, the other need not wait', async () => {
    const world = new World();
    const two = await leading(world);
    const one = world.candidate('n1');
    await world.clock.advance(0);
    one.election.ready();
    two.election.seen('n1', world.director('n1', true));
    await world.clock.advance(2000);
    assert.deepEqual(
      [one.told, two.told],
      [
        ['none', 'all'],
        ['none', 'all', 'none'],
      ],
    );
    assert.equal(world.holder, 'n1');
    await world.clock.advance(2000);
    one.end();
    await one.ended;
    world.api.remove(PATH);
    two.election.seen('n1', undefined);
    two.election.seen('n1', world.director('n1', false, false));
    await world.clock.advance(0);
    assert.equal(world.holder, 'n2');
    two.end();
    await two.ended;
  });

  test('an agent that comes back and never gets ready gives the Lease to whoever is', async () => {
    const world = new World();
    const first = await leading(world);
    first.end();
    await first.ended;
    const again = world.candidate('n2');
    again.isQuick = false;
    await world.clock.advance(1000);
    again.election.seen('n3', world.director('n3', true));
    await world.clock.advance(28_900);
    assert.deepEqual([again.told, world.holder], [['all'], 'n2']);
    await world.clock.advance(200);
    assert.deepEqual([again.told, world.holder], [['all', 'none'], 'n2']);
    await world.clock.advance(5000);
    assert.equal(world.holder, '');
    again.end();
    await again.ended;
  });

  test('the API server is away: the problem is said, and nothing else', async () => {
    const world = new World();
    const candidate = await leading(world);
    world.api.fault = () => {
      throw down;
    };
    await world.clock.advance(60_000);
    assert.match(String(candidate.election.problem), /no connection/);
    assert.deepEqual(candidate.told, ['none', 'all']);
    world.api.fault = () => undefined;
    await world.clock.advance(2000);
    assert.equal(candidate.election.problem, undefined);
    assert.deepEqual(candidate.told, ['none', 'all']);
    candidate.end();
    await candidate.ended;
  });

  test('an agent that can not be told ends the run, and so does an error that is none of the API', async () => {
    const world = new World();
    const candidate = await leading(world);
    candidate.onHold = () => assert.fail('a bug');
    candidate.election.seen('n1', world.director('n1', true));
    await assert.rejects(candidate.ended, /a bug/);
    const other = new World();
    other.api.fault = () => assert.fail('another bug');
    await assert.rejects(other.candidate('n2').ended, /another bug/);
  });
});
