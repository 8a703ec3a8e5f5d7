// Every address that net/address.ts can hold survives the way through the library's records unchanged, both families.
import fc from 'fast-check';
import { test } from 'node:test';

import { ipFromBigInt, type Family } from '../../src/net/address.ts';
import {
  afOf,
  createRecords,
  getAddress,
  getName,
  putAddress,
  putName,
} from '../../src/ipvs-node/kernel/ipvs/records.ts';

const RUNS = { numRuns: 200 };

function addresses(family: Family): fc.Arbitrary<bigint> {
  const all = (1n << (family === 4 ? 32n : 128n)) - 1n;
  // zero runs are where the text form of IPv6 has its rules
  const sparse = fc
    .array(fc.constantFrom(0n, 0n, 1n, 0xffffn), { minLength: 8, maxLength: 8 })
    .map((groups) => groups.reduce<bigint>((value, group) => (value << 16n) | group, 0n) & all);
  return fc.oneof(fc.bigInt({ min: 0n, max: all }), sparse);
}

for (const family of [4, 6] as const) {
  test(`IPv${family} addresses go through a record unchanged`, () => {
    const records = createRecords('key', 1);
    fc.assert(
      fc.property(addresses(family), (value) => {
        const address = ipFromBigInt(family, value);
        records.bytes.fill(0xee);
        putAddress(records, 4, address, family);
        return getAddress(records, 4, afOf(family)) === address;
      }),
      RUNS,
    );
  });
}

test('names of up to 15 ASCII characters go through a record unchanged', () => {
  const records = createRecords('daemon', 1);
  const name = fc
    .array(fc.integer({ min: 33, max: 126 }), { maxLength: 15 })
    .map((codes) => String.fromCharCode(...codes));
  fc.assert(
    fc.property(name, (text) => {
      records.bytes.fill(0xee);
      putName(records, 6, text);
      return getName(records, 6) === text;
    }),
    RUNS,
  );
});
