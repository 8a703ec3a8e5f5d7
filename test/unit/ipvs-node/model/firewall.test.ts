// Elements of the nft sets: their keys, and what they are about.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  elementKey,
  portOfSource,
  vipOfElement,
  type FirewallElement,
} from '../../../../src/ipvs-node/model/firewall.ts';
import { parseIp } from '../../../../src/net/address.ts';
import { parseRange } from '../../../../src/net/range.ts';

const V4 = { vip: parseIp('192.0.2.10'), port: 80, protocol: 'TCP' } as const;
const V6 = { vip: parseIp('2001:db8::1'), port: 53, protocol: 'UDP' } as const;

const CASES: readonly {
  readonly element: FirewallElement;
  readonly key: string;
  readonly vip: string | undefined;
  readonly port?: string;
}[] = [
  { element: V4.vip, key: '192.0.2.10', vip: '192.0.2.10' },
  { element: V6.vip, key: '2001:db8::1', vip: '2001:db8::1' },
  { element: parseRange('10.1.2.3/8'), key: '10.0.0.0/8', vip: undefined },
  { element: parseRange('10.0.0.1 - 10.0.0.9'), key: '10.0.0.1-10.0.0.9', vip: undefined },
  { element: V4, key: '192.0.2.10:80/TCP', vip: '192.0.2.10' },
  { element: V6, key: '[2001:db8::1]:53/UDP', vip: '2001:db8::1' },
  {
    element: { port: V4, source: parseRange('10.0.0.0/8') },
    key: '192.0.2.10:80/TCP 10.0.0.0/8',
    vip: '192.0.2.10',
    port: '192.0.2.10:80/TCP',
  },
  {
    element: { port: V6, source: parseRange('2001:db8:9::/48') },
    key: '[2001:db8::1]:53/UDP 2001:db8:9::/48',
    vip: '2001:db8::1',
    port: '[2001:db8::1]:53/UDP',
  },
];
for (const { element, key, vip, port } of CASES) {
  test(`element ${key}`, () => {
    assert.equal(elementKey(element), key);
    assert.equal(vipOfElement(element), vip);
    assert.equal(portOfSource(element), port);
  });
}

test('an address and a range of that one address are one element, as nft prints them', () => {
  assert.equal(elementKey(parseRange('192.0.2.10/32')), elementKey(V4.vip));
});
