import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';

import {
  ADDRESS_TAG,
  CodecError,
  decodeMessages,
  encodeAddress,
  encodeDump,
} from '../../../../src/ipvs-node/kernel/addresses/rtnetlink-codec.ts';
import { parseIp } from '../../../../src/net/address.ts';

/** Vectors are those of a little-endian host, as every platform of the package is. */
function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/(.{8})/g, '$1 ')
    .trim();
}
function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'));
}

const encodings = [
  {
    name: 'dump of addresses',
    given: encodeDump('addresses', 7),
    want: '18000000 16000103 07000000 00000000 00000000 00000000',
  },
  {
    name: 'dump of links',
    given: encodeDump('links', 8),
    want: '20000000 12000103 08000000 00000000 00000000 00000000 00000000 00000000',
  },
  {
    name: 'IPv4 address: create, exclusive, tag',
    given: encodeAddress({ op: 'add', ip: parseIp('192.0.2.10'), ifindex: 3 }, 1, false),
    want:
      '30000000 14000106 01000000 00000000 02200000 03000000 ' +
      '08000200 c000020a 08000100 c000020a 05000b00 4c000000',
  },
  {
    name: 'IPv6 address: no DAD, permanent, never preferred, valid for ever',
    given: encodeAddress({ op: 'add', ip: parseIp('2001:db8::1'), ifindex: 3 }, 2, true),
    want:
      '64000000 14000506 02000000 00000000 0a800000 03000000 ' +
      '14000200 20010db8 00000000 00000000 00000001 ' +
      '14000100 20010db8 00000000 00000000 00000001 ' +
      '08000800 82000000 14000600 00000000 ffffffff 00000000 00000000 05000b00 4c000000',
  },
  {
    name: 'deletion with an answer',
    given: encodeAddress({ op: 'del', ip: parseIp('192.0.2.10'), ifindex: 3 }, 9, true),
    want: '28000000 15000500 09000000 00000000 02200000 03000000 08000200 c000020a 08000100 c000020a',
  },
];

for (const { name, given, want } of encodings) {
  test(`encodes ${name}`, () => assert.equal(hex(given), want));
}

test('what it encodes it decodes', () => {
  for (const text of ['192.0.2.10', '2001:db8::1']) {
    const ip = parseIp(text);
    assert.deepEqual(decodeMessages(encodeAddress({ op: 'add', ip, ifindex: 5 }, 4, false)), [
      {
        seq: 4,
        interrupted: false,
        kind: 'address',
        removed: false,
        address: {
          ip,
          prefixLength: text.includes(':') ? 128 : 32,
          ifindex: 5,
          protocol: ADDRESS_TAG,
        },
      },
    ]);
  }
});

const HEAD = (length: string, type: string, flags: string): string =>
  `${length}000000 ${type}${flags} 2a000000 00000000`;

const decodings = [
  { name: 'an ACK', given: HEAD('14', '0200', '0000') + '00000000', want: ['ack 0'] },
  { name: 'a refusal', given: HEAD('14', '0200', '0000') + 'efffffff', want: ['ack 17'] },
  { name: 'the end of a dump', given: HEAD('14', '0300', '0200') + '00000000', want: ['done 0'] },
  { name: 'the end of a dump without status', given: HEAD('10', '0300', '0200'), want: ['done 0'] },
  {
    name: 'the end of a dump that failed',
    given: HEAD('14', '0300', '0200') + 'fcffffff',
    want: ['done 4'],
  },
  {
    name: 'an interrupted dump',
    given: HEAD('14', '0300', '1200') + '00000000',
    want: ['done 0 interrupted'],
  },
  { name: 'a message of another kind', given: HEAD('10', '1c00', '0000'), want: ['other 28'] },
  { name: 'NLMSG_NOOP', given: HEAD('10', '0100', '0000'), want: [] },
  {
    name: 'two messages',
    given: HEAD('14', '0200', '0000') + '00000000' + HEAD('10', '0300', '0200'),
    want: ['ack 0', 'done 0'],
  },
  {
    name: 'an address without a tag, on a point-to-point link',
    given: HEAD('28', '1400', '0200') + '02200000 04000000 08000100 0a000001 08000200 0a000002',
    want: ['address 10.0.0.2/32 on 4 tag 0'],
  },
  {
    name: 'a removed address',
    given: HEAD('20', '1500', '0000') + '02200000 04000000 08000100 0a000001',
    want: ['address 10.0.0.1/32 on 4 tag 0 removed'],
  },
  {
    name: 'a link that is up and running',
    given:
      HEAD('34', '1000', '0000') +
      '00000100 02000000 43000000 00000000 09000300 65746830 00000000 08000400 dc050000',
    want: ['link 2 eth0 up 1500 ethernet'],
  },
  {
    name: 'a link without carrier, name and MTU, that is no Ethernet',
    given: HEAD('20', '1100', '0000') + '00000403 01000000 03000000 00000000',
    want: ['link 1  down 0 removed'],
  },
];

for (const { name, given, want } of decodings) {
  test(`decodes ${name}`, () => {
    const texts = decodeMessages(bytes(given)).map((message) => {
      assert.equal(message.seq, 42);
      const tail = message.interrupted ? ' interrupted' : '';
      switch (message.kind) {
        case 'ack':
        case 'done':
          return `${message.kind} ${message.errno}${tail}`;
        case 'other':
          return `other ${message.type}`;
        case 'address': {
          const { ip, prefixLength, ifindex, protocol } = message.address;
          const end = message.removed ? ' removed' : '';
          return `address ${ip}/${prefixLength} on ${ifindex} tag ${protocol}${end}`;
        }
        case 'link': {
          const { ifindex, name: label, up, mtu, isEthernet } = message.link;
          const end = `${isEthernet ? ' ethernet' : ''}${message.removed ? ' removed' : ''}`;
          return `link ${ifindex} ${label} ${up ? 'up' : 'down'} ${mtu}${end}`;
        }
      }
    });
    assert.deepEqual(texts, want);
  });
}

const malformed = [
  { name: 'a cut header', given: '10000000 0300' },
  { name: 'a length below the header', given: HEAD('0f', '0300', '0000') },
  { name: 'a length beyond the datagram', given: HEAD('20', '0300', '0000') },
  { name: 'a status that is cut', given: HEAD('12', '0200', '0000') + '0000' },
  {
    name: 'an address message without an address',
    given: HEAD('18', '1400', '0000') + '0220000004000000',
  },
  { name: 'an unknown family', given: HEAD('18', '1400', '0000') + '0720000004000000' },
  {
    name: 'an address of the wrong length',
    given: HEAD('20', '1400', '0000') + '0a800000 04000000 08000100 0a000001',
  },
  {
    name: 'an attribute that is shorter than its head',
    given: HEAD('20', '1400', '0000') + '02200000 04000000 03000100 0a000001',
  },
  {
    name: 'an attribute beyond the message',
    given: HEAD('20', '1400', '0000') + '02200000 04000000 0c000100 0a000001',
  },
];

for (const { name, given } of malformed) {
  test(`refuses ${name}`, () => assert.throws(() => decodeMessages(bytes(given)), CodecError));
}

test('any bytes give messages or CodecError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (random, framed) => {
      const datagram = framed
        ? Uint8Array.from([
            random.length + 16,
            0,
            0,
            0,
            20,
            0,
            0,
            0,
            1,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            ...random,
          ])
        : random;
      try {
        decodeMessages(datagram);
      } catch (error) {
        assert.ok(error instanceof CodecError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
