// Two assigners that both believe they lead, killed and started again at random, while Services come and go on a Pool that
// is just large enough: the API server's own history must show no address twice, ever.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createObject, deleteObject } from '../../src/kube/apply.ts';
import { SERVICES } from '../../src/kube/resource.ts';
import type { HttpApiClient } from '../../src/kube/transport.ts';
import { AddressHistory } from './address-history.ts';
import { until } from '../api/clocks.ts';
import { everybodyLeads } from '../api/everybody-leads.ts';
import { dice } from '../api/dice.ts';
import { pool, startAssigner, startWorld, type RunningAssigner } from './assigner-world.ts';
import type { ControlPlane } from './control-plane.ts';
import { clientOf } from './gadgets.ts';

const SERVICES_MADE = 500;
const SERVICES_DELETED = 120;
/** As many as are left in the end: an address that leaks, or is lost, leaves a Service without one. */
const ADDRESSES = SERVICES_MADE - SERVICES_DELETED;
const WRITERS = 8;
const KILLS = 12;

suite('two assigners that both believe they lead', { timeout: 120_000 }, () => {
  const random = dice(20_261_121);
  const signal = AbortSignal.timeout(120_000);
  let plane: ControlPlane;
  let admin: HttpApiClient;
  let history: AddressHistory;

  before(async () => {
    plane = await startWorld();
    admin = await clientOf(plane, 'admin');
    history = await AddressHistory.start(admin);
    const range = `10.1.0.0-10.1.${(ADDRESSES - 1) >> 8}.${(ADDRESSES - 1) & 255}`;
    await plane.kubectl(['apply', '-f', '-'], { stdin: pool('public', range) });
  });
  after(async () => {
    history.stop();
    await admin.close();
    await plane.stop();
  });

  const name = (i: number): string => `s${i}`;
  const create = async (i: number): Promise<void> => {
    const body = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: 'default', name: name(i) },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }], allocateLoadBalancerNodePorts: false },
    };
    assert.equal((await createObject(admin, SERVICES, body, signal)).outcome, 'created');
  };
  const remove = async (i: number): Promise<void> => {
    await deleteObject(admin, SERVICES, { namespace: 'default', name: name(i) }, {}, signal);
  };

  /** An assigner that answers to nobody's clock but its own. */
  const start = async (): Promise<RunningAssigner> => {
    const assigner = await startAssigner(plane, { election: everybodyLeads });
    assigner.client.before = () => sleep(random() * 8);
    return assigner;
  };

  test('give no address twice, whoever is killed when', async () => {
    const assigners = [await start(), await start()];
    let isChanging = true;
    let kills = 0;
    const killing = async (): Promise<void> => {
      while (isChanging || kills < KILLS) {
        await sleep(100 + random() * 500);
        const victim = random() < 0.5 ? 0 : 1;
        await assigners[victim]?.stop();
        kills += 1;
        assigners[victim] = await start();
      }
    };
    const changing = async (): Promise<void> => {
      let next = 0;
      const writer = async (): Promise<void> => {
        while (next < SERVICES_MADE) {
          const i = next;
          next += 1;
          await create(i);
          // those that go have lived a while, so that most had an address
          if (i >= 50 && i < 50 + SERVICES_DELETED) await remove(i - 50);
        }
      };
      await Promise.all(Array.from({ length: WRITERS }, writer));
      isChanging = false;
    };
    await Promise.all([killing(), changing()]);
    await until('every Service that is left has an address', async () => {
      const path = '{range .items[*]}{.status.loadBalancer.ingress[0].ip}{"\\n"}{end}';
      const text = await plane.kubectl(['get', 'svc', '-o', `jsonpath=${path}`]);
      await sleep(100);
      return text.split('\n').filter((line) => line !== '').length === ADDRESSES;
    });
    for (const assigner of assigners) await assigner.stop();
    const last = {
      apiVersion: 'v1',
      kind: 'Service',
      spec: { ports: [{ port: 80 }] },
      metadata: { namespace: 'default', name: 'last' },
    };
    await createObject(admin, SERVICES, last, signal);
    await until('the history is whole', () => history.sees('Service', 'default/last', []));
    history.check();
    assert.ok(history.length > 2 * SERVICES_MADE, `${history.length} changes were seen`);
  });
});
