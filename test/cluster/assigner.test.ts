// The assigner against a real API server, with its own token and its shipped RBAC: what a user sees with kubectl.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { until } from '../api/clocks.ts';
import {
  pool,
  service,
  startAssigner,
  startWorld,
  type RunningAssigner,
} from './assigner-world.ts';
import type { ControlPlane } from './control-plane.ts';

suite('assigner on a real API server', { timeout: 120_000 }, () => {
  let plane: ControlPlane;
  let assigner: RunningAssigner;

  before(async () => {
    plane = await startWorld();
    assigner = await startAssigner(plane);
  });
  after(async () => {
    await assigner.stop();
    await plane.stop();
  });

  const apply = (text: string): Promise<string> =>
    plane.kubectl(['apply', '-f', '-'], { stdin: text });
  const get = (what: string, path: string): Promise<string> =>
    plane.kubectl(['get', ...what.split(' '), '-o', `jsonpath=${path}`]);
  const ADDRESS = '{.status.loadBalancer.ingress[*].ip}';
  const REASON = '{.status.conditions[?(@.type=="vipvs.io/AddressAssigned")].reason}';
  const untilIs = (what: string, path: string, want: string): Promise<unknown> =>
    until(`${what} ${path} = ${want}`, async () => (await get(what, path)) === want);

  test('a Service waits for a Pool, and gets its address when one comes', async () => {
    await apply(service('web'));
    await untilIs('svc web', REASON, 'NoPool');
    await apply(pool('public', '192.0.2.10-192.0.2.19'));
    await untilIs('svc web', ADDRESS, '192.0.2.10');
    assert.equal(await get('svc web', '{.status.loadBalancer.ingress[0].ipMode}'), 'Proxy');
    assert.equal(
      await get('ip 192.0.2.10', '{.status.phase} {.spec.claims[0].name}'),
      'Active web',
    );
    await untilIs('pool public', '{.status.phase} {.status.allocatable}', 'Active 9');
  });

  test('a new Service costs two writes, and a steady state none', async () => {
    await apply(service('two'));
    await untilIs('svc two', ADDRESS, '192.0.2.11');
    const version = await get('svc two', '{.metadata.resourceVersion}');
    const ip = await get('ip 192.0.2.11', '{.metadata.resourceVersion}');
    await untilIs('pool public', '{.status.allocatable}', '8');
    await apply(service('three'));
    await untilIs('svc three', ADDRESS, '192.0.2.12');
    assert.equal(await get('svc two', '{.metadata.resourceVersion}'), version, 'not written again');
    assert.equal(
      await get('ip 192.0.2.11', '{.metadata.resourceVersion}'),
      ip,
      'not written again',
    );
    assert.equal(await get('ip 192.0.2.11', '{.metadata.generation}'), '1', 'written once');
  });

  test('an address that another writer took is left to him', async () => {
    await apply(
      JSON.stringify({
        apiVersion: 'vipvs.io/v1alpha1',
        kind: 'IP',
        metadata: { name: '192.0.2.13' },
        spec: { address: '192.0.2.13', poolName: 'public', retain: true },
      }),
    );
    await untilIs('ip 192.0.2.13', '{.status.phase}', 'Reserved');
    await apply(service('four'));
    await untilIs('svc four', ADDRESS, '192.0.2.14');
  });

  test('the address is given back with the Service, also when its type changes', async () => {
    await plane.kubectl(['delete', 'svc', 'three']);
    await until('the IP is gone', async () => {
      return (await plane.tryKubectl(['get', 'ip', '192.0.2.12'])).code !== 0;
    });
    await plane.kubectl(['patch', 'svc', 'two', '-p', '{"spec":{"type":"ClusterIP"}}']);
    await until('the IP is gone', async () => {
      return (await plane.tryKubectl(['get', 'ip', '192.0.2.11'])).code !== 0;
    });
    await untilIs('svc two', '{.status.conditions}', '');
  });

  test('kubectl describe says why a Service is pending', async () => {
    await apply(service('wrong', {}, { 'vipvs.io/addresses': '203.0.113.7' }));
    await until('the reason is shown', async () => {
      const text = await plane.kubectl(['describe', 'svc', 'wrong']);
      return text.includes('203.0.113.7') && text.includes('Warning');
    });
  });

  test('two Services share one address under one key', async () => {
    const key = { 'vipvs.io/sharing-key': 'k', 'vipvs.io/addresses': '192.0.2.15' };
    await apply(service('s1', { ports: [{ port: 80 }] }, key));
    await untilIs('svc s1', ADDRESS, '192.0.2.15');
    await apply(service('s2', { ports: [{ port: 81 }] }, key));
    await untilIs('svc s2', ADDRESS, '192.0.2.15');
    assert.equal(await get('ip 192.0.2.15', '{.spec.claims[*].name}'), 's1 s2');
    await plane.kubectl(['delete', 'svc', 's1']);
    await untilIs('ip 192.0.2.15', '{.spec.claims[*].name}', 's2');
  });

  test('a wiped status comes back with the same address', async () => {
    await plane.kubectl([
      ...['patch', 'svc', 'web', '--subresource=status', '--type=merge'],
      ...['-p', '{"status":{"loadBalancer":null,"conditions":null}}'],
    ]);
    await untilIs('svc web', ADDRESS, '192.0.2.10');
  });

  test('a Pool in use stays, Terminating, until its last address is given back', async () => {
    await apply(pool('small', '198.51.100.1'));
    await untilIs('pool small', '{.status.phase}', 'Active');
    await apply(service('last', {}, { 'vipvs.io/pool': 'small' }));
    await untilIs('svc last', ADDRESS, '198.51.100.1');
    await untilIs('pool small', '{.metadata.finalizers[*]}', 'vipvs.io/addresses-in-use');
    await plane.kubectl(['delete', 'pool', 'small', '--wait=false']);
    await untilIs('pool small', '{.status.phase}', 'Terminating');
    assert.equal(await get('svc last', ADDRESS), '198.51.100.1', 'kept');
    await plane.kubectl(['delete', 'svc', 'last']);
    await until('the Pool is gone', async () => {
      return (await plane.tryKubectl(['get', 'pool', 'small'])).code !== 0;
    });
  });

  test('no VIP is inside the Service CIDR, or a ClusterIP of anybody', async () => {
    await apply(pool('inside', '10.96.0.0/28'));
    await untilIs('pool inside', '{.status.capacity}', '0');
    assert.match(
      await get('pool inside', '{.status.reason}'),
      /^overlaps Service CIDR 10\.96\.0\.0\/16 \(kubernetes\); that is left out; hands out nothing/,
    );
    await apply(service('want', {}, { 'vipvs.io/addresses': '10.96.0.1' }));
    await untilIs('svc want', REASON, 'AddressNotInPool');
    await plane.kubectl(['delete', 'svc', 'want']);
    await plane.kubectl(['delete', 'pool', 'inside']);
  });

  test('a key that is longer than an IP object takes is told its Service, and nobody else', async () => {
    await apply(service('long', {}, { 'vipvs.io/sharing-key': 'k'.repeat(254) }));
    await untilIs('svc long', REASON, 'InvalidAnnotation');
    assert.deepEqual(assigner.program.notReady(), []);
    await plane.kubectl(['delete', 'svc', 'long']);
  });

  test('a restart changes nothing, and what happened meanwhile is made good', async () => {
    assert.equal(await assigner.stop(), 'stopped');
    await plane.kubectl(['delete', 'svc', 'four']);
    await apply(service('five'));
    const version = await get('svc web', '{.metadata.resourceVersion}');
    assigner = await startAssigner(plane);
    await untilIs('svc five', ADDRESS, '192.0.2.11');
    await until('the IP of the Service that went is gone', async () => {
      return (await plane.tryKubectl(['get', 'ip', '192.0.2.14'])).code !== 0;
    });
    assert.equal(await get('svc web', '{.metadata.resourceVersion}'), version);
  });
});
