// Properties of the value types, against brute force on small ranges and against ip-address itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Address4, Address6 } from 'ip-address';
import {
  AddressError,
  compareIp,
  familyOf,
  ipFromBigInt,
  ipOfObjectName,
  ipToBigInt,
  objectNameOf,
  parseIp,
  type Family,
  type IpAddress,
} from '../../src/net/address.ts';
import {
  compareVirtualServers,
  METHODS,
  PROTOCOLS,
  realServerKey,
  SCHEDULER_FLAGS,
  SCHEDULERS,
  type RealServer,
  type Tunnel,
} from '../../src/net/ipvs.ts';
import { formatRules, type Rule } from '../../src/net/ipvsadm.ts';
import { parseRules } from '../../src/net/ipvsadm-parse.ts';
import { findRange, mergeRanges, subtractRanges } from '../../src/net/range-set.ts';
import {
  formatRange,
  parseCidr,
  parseRange,
  rangeHas,
  rangesOverlap,
  rangeSize,
  type IpRange,
} from '../../src/net/range.ts';
import { specialUseIn, specialUseOf } from '../../src/net/special.ts';

const RUNS = { numRuns: 200 };

const value4 = fc.bigInt({ min: 0n, max: 2n ** 32n - 1n });
/** Half of them with many zero groups, which is where the text forms differ. */
const value6 = fc
  .oneof(
    fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
    fc
      .array(fc.constantFrom<bigint>(0n, 0n, 0n, 1n, 0xabcdn, 0xffffn), {
        minLength: 8,
        maxLength: 8,
      })
      .map((groups) => groups.reduce((value, group) => (value << 16n) | group, 0n)),
  )
  .filter((value) => value >> 32n !== 0xffffn);
const ip4 = value4.map((value) => ipFromBigInt(4, value));
const ip6 = value6.map((value) => ipFromBigInt(6, value));
const ip = fc.oneof(ip4, ip6);

test('value -> text -> value', () => {
  const check = (family: Family) => (value: bigint) => {
    const text = ipFromBigInt(family, value);
    assert.equal(parseIp(text), text);
    assert.equal(familyOf(text), family);
    assert.equal(ipToBigInt(text), value);
  };
  fc.assert(fc.property(value4, check(4)), RUNS);
  fc.assert(fc.property(value6, check(6)), RUNS);
});

/** What ip-address makes of the text, undefined where it refuses. */
function byLibrary(text: string): string | undefined {
  if (text.includes('%') || text.includes('/')) return undefined;
  try {
    if (!text.includes(':')) return new Address4(text).correctForm();
    const address = new Address6(text);
    return address.bigInt() >> 32n === 0xffffn ? undefined : address.correctForm();
  } catch {
    return undefined;
  }
}

function byUs(text: string): string | undefined {
  try {
    return parseIp(text);
  } catch (error) {
    assert.ok(error instanceof AddressError);
    return undefined;
  }
}

test('every text is read, or refused, as ip-address does', () => {
  const almost = fc
    .array(
      fc.constantFrom<string>(':', '::', '0', '1', 'f', 'A', '00', 'ffff', '12345', '.', '1.2.3.4'),
      {
        maxLength: 16,
      },
    )
    .map((parts) => parts.join(''));
  const written = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    value6.map((value) => Address6.fromBigInt(value).canonicalForm()),
    ip.map((text) => text.toUpperCase()),
    fc.string(),
    almost,
  );
  fc.assert(
    fc.property(written, (text) => {
      assert.equal(byUs(text), byLibrary(text));
    }),
    { numRuns: 2000 },
  );
});

test('object names are names of Kubernetes objects, and back', () => {
  fc.assert(
    fc.property(ip, (address) => {
      const name = objectNameOf(address);
      assert.match(name, /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/);
      assert.equal(ipOfObjectName(name), address);
    }),
    RUNS,
  );
});

test('the order of addresses is total and agrees with their values', () => {
  fc.assert(
    fc.property(fc.array(ip, { maxLength: 20 }), (addresses) => {
      const sorted = [...addresses].sort(compareIp);
      const rank = (address: IpAddress): bigint =>
        ipToBigInt(address) + (familyOf(address) === 6 ? 2n ** 128n : 0n);
      const byRank = [...addresses].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
      assert.deepEqual(sorted, byRank);
      for (const a of addresses) {
        for (const b of addresses) assert.equal(compareIp(a, b) + compareIp(b, a), 0);
      }
    }),
    RUNS,
  );
});

/** 10.0.0.240: small ranges cross the edge of a /24. */
const BASE = 0x0a00_00f0n;
const range = fc
  .tuple(fc.constantFrom<Family>(4, 6), fc.nat(40), fc.nat(40))
  .map(([family, a, b]) => ({
    family,
    first: BASE + BigInt(Math.min(a, b)),
    last: BASE + BigInt(Math.max(a, b)),
  }));
/** `4:10.0.0.240` for every address: brute force. */
const enumerate = (ranges: readonly IpRange[]): Set<string> => {
  const all = new Set<string>();
  for (const { family, first, last } of ranges) {
    for (let value = first; value <= last; value += 1n) all.add(`${family}:${value}`);
  }
  return all;
};

test('ranges: text and back', () => {
  fc.assert(
    fc.property(range, (given) => assert.deepEqual(parseRange(formatRange(given)), given)),
    RUNS,
  );
});

test('CIDRs: every prefix of every address holds it and has its size', () => {
  fc.assert(
    fc.property(ip, fc.nat(128), (address, length) => {
      const bits = familyOf(address) === 4 ? 32 : 128;
      const prefix = length % (bits + 1);
      const cidr = parseCidr(`${address}/${prefix}`);
      assert.equal(rangeSize(cidr), 2n ** BigInt(bits - prefix));
      assert.equal(cidr.first % rangeSize(cidr), 0n);
      assert.ok(rangeHas(cidr, address));
    }),
    RUNS,
  );
});

test('merge, subtract and find agree with brute force', () => {
  const ranges = fc.array(range, { maxLength: 8 });
  fc.assert(
    fc.property(range, ranges, (from, others) => {
      const merged = mergeRanges(others);
      assert.deepEqual(enumerate(merged), enumerate(others));
      merged.slice(1).forEach((next, i) => {
        const before = merged[i];
        assert.ok(
          before !== undefined && (before.family < next.family || before.last + 1n < next.first),
        );
      });
      const cut = enumerate(others);
      const want = new Set([...enumerate([from])].filter((value) => !cut.has(value)));
      assert.deepEqual(enumerate(subtractRanges(from, merged)), want);
      for (let value = from.first; value <= from.last; value += 1n) {
        const found = findRange(merged, from.family, value) !== undefined;
        assert.equal(found, enumerate(others).has(`${from.family}:${value}`));
      }
    }),
    RUNS,
  );
});

test('overlap agrees with brute force, and is symmetric', () => {
  fc.assert(
    fc.property(range, range, (a, b) => {
      const inB = enumerate([b]);
      const want = [...enumerate([a])].some((value) => inB.has(value));
      assert.equal(rangesOverlap(a, b), want);
      assert.equal(rangesOverlap(b, a), want);
    }),
    RUNS,
  );
});

test('special use of an address is that of the range of one', () => {
  fc.assert(
    fc.property(ip, (address) => {
      assert.equal(specialUseOf(address), specialUseIn(parseRange(address)));
    }),
    { numRuns: 1000 },
  );
});

const port = fc.integer({ min: 1, max: 65535 });
const PLAIN = { noNullPrototype: true };
const virtualServer = fc.record(
  {
    vip: ip,
    port,
    protocol: fc.constantFrom(...PROTOCOLS),
    scheduler: fc.constantFrom(...SCHEDULERS),
    schedulerFlags: fc.subarray([...SCHEDULER_FLAGS]),
    persistenceSeconds: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2_678_400 })),
  },
  PLAIN,
);
const tunnel: fc.Arbitrary<Tunnel | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.record(
    {
      type: fc.constant('gue' as const),
      port,
      checksum: fc.constantFrom('none', 'full', 'remote'),
    },
    PLAIN,
  ),
  fc.record(
    { type: fc.constant('gre' as const), checksum: fc.constantFrom('none', 'full') },
    PLAIN,
  ),
);
const rule: fc.Arbitrary<Rule> = virtualServer.chain((server) =>
  fc
    .array(
      fc
        .record(
          {
            address: familyOf(server.vip) === 4 ? ip4 : ip6,
            port,
            method: fc.constantFrom(...METHODS),
            weight: fc.integer({ min: 0, max: 65535 }),
            tunnel,
          },
          PLAIN,
        )
        .map(({ tunnel: kind, ...real }): RealServer => {
          if (real.method === 'masquerade') return real;
          const samePort = { ...real, port: server.port };
          return kind === undefined || real.method === 'direct'
            ? samePort
            : { ...samePort, tunnel: kind };
        }),
      { maxLength: 5 },
    )
    .map((reals) => ({
      server,
      realServers: [...new Map(reals.map((real) => [realServerKey(real), real])).values()],
    })),
);

test('rules: text and back', () => {
  const rules = fc.uniqueArray(rule, {
    maxLength: 6,
    comparator: (a, b) => compareVirtualServers(a.server, b.server) === 0,
  });
  fc.assert(
    fc.property(rules, (given) => {
      const text = formatRules(given);
      const parsed = parseRules(text);
      assert.deepEqual(parsed.errors, []);
      const back = [...parsed.rules.values()].map(({ server, realServers }) => ({
        server,
        realServers: [...realServers.values()],
      }));
      assert.equal(formatRules(back), text);
      assert.equal(back.length, given.length);
      for (const { server, realServers } of given) {
        const same = back.find((other) => compareVirtualServers(other.server, server) === 0);
        assert.deepEqual(same?.server, server);
        assert.deepEqual(new Set(same.realServers), new Set(realServers));
      }
    }),
    RUNS,
  );
});

test('no text makes the reader of rules throw', () => {
  const word = fc.constantFrom(
    '-A', '-a', '-t', '-u', '-f', '-r', '-s', '-p', '-b', '-w', '-m', '-i', '--tun-type', 'gue', 'rr',
    '192.0.2.1:80', '[::1]:80', '1', '\n', '#', 'ipvsadm',
  ); // prettier-ignore
  const text = fc.oneof(
    fc.string(),
    fc.array(word, { maxLength: 12 }).map((words) => words.join(' ')),
  );
  fc.assert(
    fc.property(text, (given) => {
      const { rules, foreign, rest, errors } = parseRules(given);
      const lines = given.split('\n').length;
      assert.ok(rules.size + foreign.length + rest.length + errors.length <= lines);
    }),
    { numRuns: 1000 },
  );
});
