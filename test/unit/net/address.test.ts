import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import {
  AddressError,
  bitsOf,
  compareIp,
  familyOf,
  ipFromBigInt,
  ipOfObjectName,
  ipToBigInt,
  objectNameOf,
  parseIp,
  printable,
  quoted,
  shownName,
  tryParseIp,
} from '../../../src/net/address.ts';
import { fixtureJson } from '../../fixtures/read-fixture.ts';

const vectorsSchema = z.object({
  valid: z.array(z.tuple([z.string(), z.string()])),
  invalid: z.array(z.tuple([z.string(), z.string()])),
});
const vectors = fixtureJson('net/addresses.json', vectorsSchema);

for (const [given, want] of vectors.valid) {
  test(`parseIp: ${given} -> ${want}`, () => {
    const ip = parseIp(given);
    assert.equal(ip, want);
    assert.equal(ipFromBigInt(familyOf(ip), ipToBigInt(ip)), want);
  });
}

for (const [given, message] of vectors.invalid) {
  test(`parseIp refuses ${JSON.stringify(given)}`, () => {
    assert.throws(() => parseIp(given), new AddressError(message));
    assert.equal(tryParseIp(given), undefined);
  });
}

test('what can not be seen is written out', () => {
  assert.equal(
    printable(`a\u001b[2J\u009b\u202e\u2028${String.fromCharCode(0xd800)}\u{e0001}é–b`),
    String.raw`a\u{1b}[2J\u{9b}\u{202e}\u{2028}\u{d800}\u{e0001}é–b`,
  );
  assert.equal(quoted('a\n\u007f"'), String.raw`"a\n\u{7f}\""`);
  assert.equal(shownName('app.kubernetes.io/name'), 'app.kubernetes.io/name');
  for (const [name, want] of [
    ['', '""'],
    ['a\tb', String.raw`"a\tb"`],
    ['x'.repeat(81), `"${'x'.repeat(80)}…"`],
  ] as const) {
    assert.equal(shownName(name), want);
  }
});

test('a long text is shortened in messages', () => {
  assert.equal(quoted('x'.repeat(100)), `"${'x'.repeat(80)}…"`);
});

test('tryParseIp passes on what is not the fault of the text', () => {
  const text = new Proxy(new String('x'), {
    get: () => {
      throw new TypeError('planted');
    },
  });
  // a caller without types: the bug must not look like a bad address
  assert.throws(() => Reflect.apply(tryParseIp, undefined, [text]), TypeError);
});

test('families and bits', () => {
  assert.deepEqual([familyOf(parseIp('192.0.2.1')), bitsOf(4)], [4, 32]);
  assert.deepEqual([familyOf(parseIp('::1')), bitsOf(6)], [6, 128]);
});

test('values', () => {
  assert.equal(ipToBigInt(parseIp('255.255.255.255')), 0xffff_ffffn);
  assert.equal(ipToBigInt(parseIp('1:2:3:4:5:6:7:8')), 0x1_0002_0003_0004_0005_0006_0007_0008n);
});

test('order: IPv4 first, then by value, not by text', () => {
  const given = ['2001:db8::1', '10.0.0.9', '2001:db8::', '9.0.0.1', '10.0.0.10', '2001:db8::10'];
  const want = ['9.0.0.1', '10.0.0.9', '10.0.0.10', '2001:db8::', '2001:db8::1', '2001:db8::10'];
  assert.deepEqual(given.map(parseIp).sort(compareIp), want);
  assert.equal(compareIp(parseIp('::1'), parseIp('::1')), 0);
});

test('object names', () => {
  const names = [
    ['192.0.2.10', '192.0.2.10'],
    ['2001:db8::1', '2001-0db8-0000-0000-0000-0000-0000-0001'],
  ] as const;
  for (const [ip, name] of names) {
    assert.equal(objectNameOf(parseIp(ip)), name);
    assert.equal(ipOfObjectName(name), ip);
  }
});

test('names that are no address are nobody’s', () => {
  const names = [
    '', 'web', '192.0.2', '192-0-2-10', '2001-db8--1', '::1',
    '2001-0DB8-0000-0000-0000-0000-0000-0001', '0000-0000-0000-0000-0000-ffff-c000-0201',
  ]; // prettier-ignore
  for (const name of names) assert.equal(ipOfObjectName(name), undefined, name);
});
