// What the API server would refuse is refused by us first, as a condition; what it refuses nevertheless is told the Service
// that it is about, and makes nothing unready.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ipSchema } from '../../../src/api/ip.ts';
import {
  CONDITION_MESSAGE_MAX,
  IP_PORTS_MAX,
  IP_SERVICES_MAX,
  REASON_MAX,
  SERVICE_PORTS_MAX,
  SHARING_KEY_MAX,
} from '../../../src/api/limits.ts';
import { poolStatusSchema } from '../../../src/api/pool.ts';
import type { ClusterObject } from '../../../src/api/cluster.ts';
import { simulate } from '../../../src/assigner/simulate.ts';
import { claim, CONFIG, ip, pool, service, shown } from './objects.ts';

const P = pool('p', ['192.0.2.0/24']);
const KEY = 'vipvs.io/sharing-key';
const ports = (count: number, first = 1): number[] =>
  Array.from({ length: count }, (_, i) => first + i);

/** What every Service ends with; all that is written is what the CRDs take. */
function told(...objects: readonly ClusterObject[]): readonly string[] {
  const ended = simulate(objects, CONFIG).objects;
  assert.deepEqual(simulate(ended, CONFIG).actions, []);
  return ended.flatMap((object) => {
    if (object.kind === 'IP') ipSchema.parse(object);
    if (object.kind === 'Pool') poolStatusSchema.parse(object.status);
    if (object.kind !== 'Service') return [];
    for (const { message } of object.status?.conditions ?? []) {
      assert.ok(Buffer.byteLength(message) <= CONDITION_MESSAGE_MAX);
    }
    const { addresses, reason, message } = shown(object);
    return [`${object.metadata.name} ${addresses.join()} ${reason}: ${message}`];
  });
}

suite('what no IP object could name', () => {
  test('a sharing key has a length', () => {
    const long = 'k'.repeat(SHARING_KEY_MAX);
    assert.deepEqual(told(P, service('s', { annotations: { [KEY]: long } })), [
      's 192.0.2.0 Assigned: 192.0.2.0 from Pool p, request from annotation vipvs.io/sharing-key',
    ]);
    assert.deepEqual(told(P, service('s', { annotations: { [KEY]: `${long}k` } })), [
      's  InvalidAnnotation: vipvs.io/sharing-key: has 254 characters; allowed: at most 253; request from annotation vipvs.io/sharing-key',
    ]);
    const had = ip('192.0.2.7', 'p', { claims: [claim('s', [80], { sharingKey: 'k' })] });
    assert.deepEqual(told(P, had, service('s', { annotations: { [KEY]: `${long}k` } })), [
      's 192.0.2.7 RequestNotGranted: 192.0.2.7 from Pool p, request from annotation vipvs.io/sharing-key; the request is refused: vipvs.io/sharing-key: has 254 characters; allowed: at most 253',
    ]);
  });

  test('names of Pools are shown as far as they can be, and few', () => {
    const named = (text: string): string =>
      told(P, service('s', { annotations: { 'vipvs.io/pool': text } })).join();
    assert.match(named('x'.repeat(40_000)), /PoolNotFound: Pool "x{80}…" does not exist; request/);
    assert.match(named('p\u001b[31m'), /PoolNotFound: Pool "p\\u001b\[31m" does not exist/);
    assert.match(named(','), /names 0 Pools; allowed: at most 16 names/);
    assert.match(
      named(
        ports(17)
          .map((i) => `p${i}`)
          .join(),
      ),
      /names 17 Pools; allowed: at most 16/,
    );
    assert.match(named(' p , p'), /^s 192\.0\.2\.0 Assigned/);
  });

  test('a Service asks for so many addresses, and no more of them are looked at', () => {
    const asked = (text: string): string =>
      told(P, service('s', { annotations: { 'vipvs.io/addresses': text } })).join();
    const numbers = Array.from({ length: 17 }, (_, i) => `${i}`);
    const said = asked(numbers.join());
    assert.match(said, /vipvs\.io\/addresses: names 17 addresses; allowed: at most 16/);
    assert.doesNotMatch(said, /is not an IP address/);
    assert.match(asked('192.0.2.7,'.repeat(17)), /^s 192\.0\.2\.7 Assigned/);
  });

  test('a Service has so many ports', () => {
    const most = service('s', { ports: ports(SERVICE_PORTS_MAX) });
    assert.match(told(P, most).join(), /^s 192\.0\.2\.0 Assigned/);
    const more = service('s', { ports: ports(SERVICE_PORTS_MAX + 1) });
    assert.deepEqual(told(P, more), [
      's  TooManyPorts: the Service has 1025 ports; allowed: at most 1024',
    ]);
    const kept =
      /^s 192\.0\.2\.7 RequestNotGranted: .* the Service has 1025 ports; allowed: at most 1024$/;
    assert.match(told(P, more, ip('192.0.2.7', 'p', { claims: [claim('s')] })).join(), kept);
    const shows = service('s', { ports: ports(SERVICE_PORTS_MAX + 1), shows: ['192.0.2.7'] });
    assert.match(told(P, shows).join(), kept);
  });

  test('names of Services and uids have a length', () => {
    const long = service('s'.repeat(64), {
      metadata: { name: 's'.repeat(64), uid: 'u'.repeat(65) },
    });
    const [line] = told(P, long);
    assert.match(
      line ?? '',
      /InvalidObject: metadata\.name has 64 .*; metadata\.uid has 65 characters; allowed: at most 64/,
    );
  });

  test('an address has so many Services', () => {
    const annotations = { [KEY]: 'k' };
    const many = ports(IP_SERVICES_MAX + 1).map((port) =>
      service(`s${port + 1000}`, { ports: [port], annotations }),
    );
    const lines = told(P, ...many);
    assert.equal(lines.filter((line) => / 192\.0\.2\.0 Assigned/.test(line)).length, 256);
    assert.match(
      lines.at(-1) ?? '',
      /^s1257 192\.0\.2\.1 SharingRefused: .*; not shared: 192\.0\.2\.0 would have more than 256 Services, the most that one address can have$/,
    );
  });

  test('an address has so many ports', () => {
    const annotations = { [KEY]: 'k' };
    const count = IP_PORTS_MAX / SERVICE_PORTS_MAX + 1;
    const many = ports(count).map((i) =>
      service(`s${i + 10}`, {
        ports: ports(SERVICE_PORTS_MAX, i * SERVICE_PORTS_MAX),
        annotations,
      }),
    );
    assert.match(
      told(P, ...many).at(-1) ?? '',
      /^s27 192\.0\.2\.1 SharingRefused: .* 192\.0\.2\.0 would have more than 16384 ports/,
    );
  });

  test('60,000 ports are refused before anything is compared with anything', () => {
    const given = service('s', { ports: ports(60_000) });
    assert.match(told(P, given).join(), /^s {2}TooManyPorts: the Service has 60000 ports/);
  });
});

suite('texts that fit their field', () => {
  test('the reason of a Pool', () => {
    const addresses = Array.from({ length: 120 }, (_, i) => `192.0.2.0-192.0.2.${i + 1}`);
    const [object] = simulate([pool('p', addresses)], CONFIG).objects;
    assert.ok(object?.kind === 'Pool');
    const { reason = '' } = object.status ?? {};
    assert.ok(reason.endsWith('…') && Buffer.byteLength(reason) <= REASON_MAX);
    told(object);
    const failed = simulate([pool('p', ['192.0.2.0/24', 'x'.repeat(100)])], CONFIG).objects[0];
    assert.ok(failed?.kind === 'Pool' && failed.status?.phase === 'Failed');
  });

  test('the reason of an IP whose memory somebody edited', () => {
    const annotations = { 'vipvs.io/last-service': 'x'.repeat(10_000) };
    const metadata = { name: '192.0.2.1', annotations };
    for (const status of [{ phase: 'Held' }, { phase: 'Reserved' }]) {
      told(P, ip('192.0.2.1', 'p', { retain: true, holdSeconds: 5 }, { metadata, status }));
    }
  });

  test('the message of a condition', () => {
    const many = Array.from({ length: 40 }, (_, i) =>
      pool(`p${i}`, ['x'.repeat(100), ...Array.from({ length: 20 }, () => 'y'.repeat(100))]),
    );
    const wrong = 'z'.repeat(79);
    const annotations = { 'vipvs.io/addresses': Array.from({ length: 400 }, () => wrong).join() };
    told(...many, service('s', { annotations }), service('t'));
  });
});
