// What is announced again, and what is not here to be announced.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AnnounceQueue } from '../../../../src/ipvs-node/reconcile/announce-queue.ts';
import { desiredOf, observedOf } from '../kernel-text.ts';
import { parseIp } from '../../../../src/net/address.ts';

const VIP = parseIp('192.0.2.10');
const BOUND = ['ip address add 192.0.2.10/32 dev eth0'];

const CASES: readonly {
  readonly name: string;
  readonly wanted?: readonly string[];
  /** undefined: never read. */
  readonly found: readonly string[] | undefined;
  readonly isOurs?: boolean;
  readonly want: 'announced' | 'unbound';
}[] = [
  { name: 'bound by us', found: BOUND, want: 'announced' },
  { name: 'not bound', found: [], want: 'unbound' },
  { name: 'not known whether bound', found: undefined, want: 'unbound' },
  { name: 'bound by others', found: BOUND, isOurs: false, want: 'unbound' },
  { name: 'bound, and not wanted', wanted: [], found: BOUND, want: 'unbound' },
];
for (const { name, wanted = BOUND, found, isOurs = true, want } of CASES) {
  test(`${name}: ${want}, once`, () => {
    const queue = new AnnounceQueue();
    assert.equal(queue.isEmpty, true);
    queue.add(VIP);
    assert.equal(queue.isEmpty, false);
    const { addresses } = desiredOf(wanted);
    const here = found && observedOf(found, () => isOurs).addresses;
    const isAnnounced = want === 'announced';
    assert.deepEqual(queue.take(addresses, here), {
      ops: isAnnounced ? [{ op: 'vip.announce', address: VIP, interface: 'eth0' }] : [],
      unbound: isAnnounced ? [] : [VIP],
    });
    assert.equal(queue.isEmpty, true);
    assert.deepEqual(queue.take(addresses, here), { ops: [], unbound: [] });
  });
}
