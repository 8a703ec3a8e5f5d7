import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharingIndex } from '../../../../src/assigner/holders/sharing-index.ts';
import { parseIp, type IpAddress } from '../../../../src/net/address.ts';

const v4 = (octet: number): IpAddress => parseIp(`192.0.2.${octet}`);

test('the lowest few of each key and family, and when they are others', () => {
  const index = new SharingIndex();
  const six = parseIp('2001:db8::1');
  assert.equal(index.delete('k', v4(1)), false);
  for (const octet of [9, 8, 7, 6, 5]) assert.equal(index.add('k', v4(octet)), true);
  assert.equal(index.add('k', v4(5)), false, 'it is there');
  assert.equal(index.add('k', six), true);
  assert.equal(index.add('k', v4(20)), true, 'there was room');
  assert.equal(index.add('k', v4(21)), false, 'none of the first');
  assert.equal(index.add('k', v4(4)), true);
  const first = [4, 5, 6, 7, 8, 9].map(v4);
  assert.deepEqual(index.firstUnder('k', 4), first);
  assert.deepEqual(index.firstUnder('k', 6), [six]);
  assert.equal(index.under('k').size, 9);
  assert.equal(index.delete('k', v4(99)), false, 'it was not there');
  assert.equal(index.delete('k', v4(21)), false, 'it was none of the first');
  assert.equal(index.delete('k', v4(4)), true);
  assert.deepEqual(index.firstUnder('k', 4), [...first.slice(1), v4(20)]);
  assert.equal(index.delete('k', six), true);
  assert.deepEqual(index.firstUnder('k', 6), []);
  for (const address of index.firstUnder('k', 4)) assert.equal(index.delete('k', address), true);
  assert.deepEqual([index.firstUnder('k', 4), index.under('k').size], [[], 0]);
});
