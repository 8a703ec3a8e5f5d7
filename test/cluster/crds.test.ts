// The generated CRDs on a real API server: accepted at all (it prices every CEL rule), and refusing what they should.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { until } from '../api/clocks.ts';
import { startControlPlane, type ControlPlane } from './control-plane.ts';

const CRDS = path.join(import.meta.dirname, '../../deploy/crds');

suite('the CRDs on a real API server', () => {
  let plane: ControlPlane;

  before(async () => {
    plane = await startControlPlane();
    await plane.kubectl(['apply', '-k', CRDS]);
    await plane.kubectl([
      'wait', '--for=condition=Established', 'crd/pools.vipvs.io', 'crd/ips.vipvs.io',
    ]); // prettier-ignore
    // a new kind answers writes a moment after it is called established
    await until('the new kinds', async () => {
      const done = [await apply(pool('warm', { addresses: ['10.9.0.1'] }))];
      done.push(await apply(ip('10.9.0.1', { address: '10.9.0.1' })));
      return done.every(({ code }) => code === 0);
    });
  });
  after(() => plane.stop());

  const pool = (name: string, spec: object) => ({
    apiVersion: 'vipvs.io/v1alpha1',
    kind: 'Pool',
    metadata: { name },
    spec,
  });
  const ip = (name: string, spec: object) => ({
    apiVersion: 'vipvs.io/v1alpha1',
    kind: 'IP',
    metadata: { name },
    spec: { poolName: 'a', ...spec },
  });
  const apply = (object: object) =>
    plane.tryKubectl(['apply', '-f', '-'], { stdin: JSON.stringify(object) });

  test('a Pool with every form of address', async () => {
    const addresses = [
      '10.0.0.0/24', '192.0.2.1', '192.0.2.5-192.0.2.9', '192.0.2.20 - 192.0.2.29',
      '2001:db8::/64', '2001:db8:1::1-2001:db8:1::5',
    ]; // prettier-ignore
    const { code, stderr } = await apply(pool('forms', { addresses, filterIPs: addresses }));
    assert.equal(code, 0, stderr);
  });

  const REFUSED = [
    { name: 'garbage', spec: { addresses: ['x'] }, want: 'must be an address, a CIDR' },
    { name: 'octet 300', spec: { addresses: ['10.0.0.300'] }, want: 'must be an address, a CIDR' },
    { name: 'v4 to v6', spec: { addresses: ['10.0.0.1-2001:db8::1'] }, want: 'must be an address, a CIDR' },
    { name: 'half a range', spec: { addresses: ['10.0.0.1-'] }, want: 'must be an address, a CIDR' },
    { name: 'prefix 33', spec: { addresses: ['10.0.0.0/33'] }, want: 'must be an address, a CIDR' },
    { name: 'a zone', spec: { addresses: ['fe80::1%eth0'] }, want: 'must be an address, a CIDR' },
    { name: 'IPv4-mapped', spec: { addresses: ['::ffff:192.0.2.1'] }, want: 'must be an address, a CIDR' },
    { name: 'a /0', spec: { addresses: ['0.0.0.0/0'] }, want: 'a /0 is every address there is' },
    { name: 'a bad filter', spec: { addresses: ['10.0.0.1'], filterIPs: ['y'] }, want: 'spec.filterIPs[0]' },
    { name: 'nothing', spec: { addresses: [] }, want: 'at least 1 items' },
    { name: 'an unknown field', spec: { adresses: ['10.0.0.1'] }, want: 'unknown field "spec.adresses"' },
    { name: 'an interface name with a blank', spec: { addresses: ['10.0.0.1'], bindInterface: 'eth 0' }, want: 'spec.bindInterface' },
    { name: 'a scheduler nobody has', spec: { addresses: ['10.0.0.1'], defaults: { scheduler: 'best' } }, want: 'Unsupported value: "best"' },
    {
      name: 'a selector without values',
      spec: { addresses: ['10.0.0.1'], serviceAllocation: { serviceSelectors: [{ matchExpressions: [{ key: 'a', operator: 'In' }] }] } },
      want: 'In and NotIn need values',
    },
  ]; // prettier-ignore
  for (const { name, spec, want } of REFUSED) {
    test(`refused: a Pool with ${name}`, async () => {
      const { code, stderr } = await apply(pool('refused', spec));
      assert.equal(code, 1);
      assert.ok(stderr.includes(want), stderr);
    });
  }

  test('a new IP shows its holder and Active with no second write', async () => {
    const claims = [{ namespace: 'shop', name: 'web', ports: [{ port: 80, protocol: 'TCP' }] }];
    const { code, stderr } = await apply(ip('192.0.2.10', { address: '192.0.2.10', claims }));
    assert.equal(code, 0, stderr);
    const [head = '', row = ''] = (await plane.kubectl(['get', 'vip', '192.0.2.10'])).split('\n');
    assert.deepEqual(head.split(/\s+/), ['NAME', 'ADDRESS', 'POOL', 'STATUS', 'SERVICE', 'AGE']);
    assert.deepEqual(row.split(/\s+/).slice(0, -1), [
      '192.0.2.10', '192.0.2.10', 'a', 'Active', 'web',
    ]); // prettier-ignore
    const moved = await apply(ip('192.0.2.10', { address: '192.0.2.11', claims }));
    assert.equal(moved.code, 1);
    assert.match(moved.stderr, /cannot be changed/);
  });

  const NAMES = [
    ['2001-0db8-0000-0000-0000-0000-0000-0001', '2001:db8::1', 0],
    ['2001-0db8-0000-0000-0000-0000-0000-0002', '2001:db8::1', 1],
    ['2001-db8--3', '2001:db8::3', 1],
    ['2001-0db8-0000-0000-0000-0000-0000-0003', '2001:DB8::3', 1],
    ['192.0.2.12', '192.0.2.13', 1],
    ['web', 'web', 1],
  ] as const;
  for (const [name, address, want] of NAMES) {
    test(`${want === 0 ? 'taken' : 'refused'}: IP ${name} for ${address}`, async () => {
      const { code, stderr } = await apply(ip(name, { address }));
      assert.equal(code, want, stderr);
    });
  }

  test('the columns of Pools', async () => {
    const head = (await plane.kubectl(['get', 'pools'])).split('\n')[0] ?? '';
    const want = ['NAME', 'ALLOCATABLE', 'CAPACITY', 'STATUS', 'AGE'];
    assert.deepEqual(head.split(/\s+/), want);
  });
});
