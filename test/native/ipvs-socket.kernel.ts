// IpvsSocket against a real kernel: every kind of operation, what ipvsadm then shows, and the dumps of it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';

import { ipFromBigInt, parseIp } from '../../src/net/address.ts';
import type { VirtualServer, VirtualServerAddress } from '../../src/net/ipvs.ts';
import { announce } from '../../src/ipvs-node/kernel/addresses/neighbours.ts';
import { IpvsSocket } from '../../src/ipvs-node/kernel/ipvs/socket.ts';
import {
  realServerOf,
  serviceKeyOf,
  virtualServerOf,
  type IpvsOp,
  type KernelDest,
  type ServiceKey,
} from '../../src/ipvs-node/kernel/ipvs/values.ts';

const run = (file: string, ...args: readonly string[]): string =>
  execFileSync(file, args, { encoding: 'utf8' });
const saved = (): readonly string[] => run('ipvsadm', '-Sn').trim().split('\n').filter(Boolean);

const web: VirtualServerAddress = { vip: parseIp('192.0.2.10'), port: 80, protocol: 'TCP' };
const dns: VirtualServerAddress = { vip: parseIp('2001:db8::1'), port: 53, protocol: 'UDP' };
const sip: VirtualServerAddress = { vip: parseIp('2001:db8::2'), port: 5060, protocol: 'SCTP' };
const full = (at: VirtualServerAddress, more: Partial<VirtualServer> = {}): VirtualServer => ({
  ...at,
  scheduler: 'rr',
  schedulerFlags: [],
  persistenceSeconds: 0,
  ...more,
});
const mark: ServiceKey = {
  family: 4,
  protocol: 0,
  address: parseIp('0.0.0.0'),
  port: 0,
  fwmark: 7,
};
const markDest: KernelDest = {
  address: parseIp('10.0.0.1'),
  port: 0,
  forward: 3,
  weight: 1,
  upperThreshold: 100,
  lowerThreshold: 5,
  tunnelType: 0,
  tunnelPort: 0,
  tunnelFlags: 0,
};

const OPS: readonly IpvsOp[] = [
  { op: 'vs.add', server: full(web, { scheduler: 'mh', schedulerFlags: ['flag-1', 'flag-2'], persistenceSeconds: 300 }) },
  { op: 'vs.add', server: full(dns, { scheduler: 'wrr' }) },
  { op: 'vs.add', server: full(sip, { scheduler: 'sed' }) },
  { op: 'rs.add', server: web, real: { address: parseIp('10.0.0.1'), port: 8080, method: 'masquerade', weight: 3 } },
  { op: 'rs.add', server: web, real: { address: parseIp('10.0.0.2'), port: 80, method: 'direct', weight: 0 } },
  { op: 'rs.add', server: web, real: { address: parseIp('10.0.0.3'), port: 80, method: 'tunnel', weight: 65535 } },
  { op: 'rs.add', server: web, real: { address: parseIp('10.0.0.4'), port: 80, method: 'tunnel', weight: 1, tunnel: { type: 'gue', port: 6080, checksum: 'remote' } } },
  { op: 'rs.add', server: web, real: { address: parseIp('10.0.0.5'), port: 80, method: 'tunnel', weight: 1, tunnel: { type: 'gre', checksum: 'full' } } },
  { op: 'rs.add', server: dns, real: { address: parseIp('2001:db8::99'), port: 8053, method: 'masquerade', weight: 1 } },
  { op: 'rs.add', server: sip, real: { address: parseIp('2001:db8::98'), port: 5060, method: 'direct', weight: 1 } },
  { op: 'service.add', service: { key: mark, scheduler: 'lblc', flags: 0, persistenceSeconds: 0, netmask: 0xffffff00, persistenceEngine: '' } },
  { op: 'dest.add', key: mark, dest: markDest },
]; // prettier-ignore

let socket: IpvsSocket;

before(() => {
  run('ip', 'link', 'set', 'lo', 'up');
  socket = IpvsSocket.open();
});
after(async () => {
  await socket.close();
});

test('everything that is added stands in the kernel as ipvsadm names it', async () => {
  const results = await socket.run(OPS);
  assert.ok(results.every((result) => result.ok));
  assert.deepEqual(saved(), [
    '-A -t 192.0.2.10:80 -s mh -p 300 -b mh-fallback,mh-port',
    '-a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 3',
    '-a -t 192.0.2.10:80 -r 10.0.0.2:80 -g -w 0',
    '-a -t 192.0.2.10:80 -r 10.0.0.3:80 -i -w 65535 --tun-type ipip',
    '-a -t 192.0.2.10:80 -r 10.0.0.4:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum',
    '-a -t 192.0.2.10:80 -r 10.0.0.5:80 -i -w 1 --tun-type gre --tun-csum',
    '-A -u [2001:db8::1]:53 -s wrr',
    '-a -u [2001:db8::1]:53 -r [2001:db8::99]:8053 -m -w 1',
    '-A --sctp-service [2001:db8::2]:5060 -s sed',
    '-a --sctp-service [2001:db8::2]:5060 -r [2001:db8::98]:5060 -g -w 1',
    '-A -f 7 -s lblc',
    '-a -f 7 -r 10.0.0.1:0 -g -w 1',
  ]);
});

test('the dumps give back what was put in', async () => {
  const services = await socket.dumpServices();
  assert.equal(services.complete, true);
  const dests = await socket.dumpDests(services.entries.map(({ key }) => key));
  assert.equal(dests.complete, true);
  const servers = OPS.flatMap((op) => (op.op === 'vs.add' ? [op.server] : []));
  const dumped = services.entries.flatMap((service) => virtualServerOf(service) ?? []);
  const byVip = (a: { vip: string }, b: { vip: string }): number => (a.vip < b.vip ? -1 : 1);
  assert.deepEqual(dumped.sort(byVip), servers.sort(byVip));
  const reals = services.entries.flatMap(({ key }, i) =>
    (dests.entries[i] ?? []).map((dest) => ({ vip: key.address, real: realServerOf(dest) })),
  );
  for (const op of OPS) {
    if (op.op !== 'rs.add') continue;
    const found = reals.find((entry) => entry.real?.address === op.real.address && entry.vip === op.server.vip); // prettier-ignore
    assert.deepEqual(found?.real, op.real);
  }
  const foreign = services.entries.findIndex(({ key }) => key.fwmark === 7);
  const [dest] = dests.entries[foreign] ?? [];
  assert.equal(services.entries[foreign]?.netmask, 0xffffff00);
  assert.deepEqual({ ...dest, counters: undefined }, { ...markDest, activeConnections: 0, inactiveConnections: 0, persistentConnections: 0, counters: undefined }); // prettier-ignore
});

test('one virtual server, and one that is not there', async () => {
  assert.equal((await socket.getService(serviceKeyOf(dns)))?.scheduler, 'wrr');
  assert.equal((await socket.getService(mark))?.scheduler, 'lblc');
  assert.equal(await socket.getService(serviceKeyOf({ ...web, port: 4242 })), undefined);
});

test('failures are told one by one and stop nothing', async () => {
  const real = { address: parseIp('10.0.0.77'), port: 80, method: 'direct', weight: 1 } as const;
  const results = await socket.run([
    { op: 'vs.add', server: full(web) },
    { op: 'rs.set', server: web, real },
    { op: 'rs.set', server: { ...web, port: 1 }, real: { ...real, port: 1 } },
    { op: 'rs.add', server: web, real: { ...real, port: 81 } },
    { op: 'rs.add', server: web, real: { ...real, weight: 70000 } },
    { op: 'vs.add', server: full({ ...web, port: 65616 }) },
    { op: 'vs.add', server: full({ ...web, port: 82 }, { scheduler: 'twos' }) },
    { op: 'rs.set', server: web, real: { ...real, address: parseIp('10.0.0.2'), weight: 5 } },
  ]);
  assert.deepEqual(
    results.map((result) => (result.ok ? 'ok' : `${result.errno} ${result.outcome}`)),
    [
      'EEXIST refused',
      'ENOENT refused',
      'ESRCH refused',
      'EINVAL refused',
      'ERANGE refused',
      'EINVAL refused',
      'ENOENT refused',
      'ok',
    ],
  );
  assert.ok(saved().includes('-a -t 192.0.2.10:80 -r 10.0.0.2:80 -g -w 5'));
});

test('changes and removals', async () => {
  const results = await socket.run([
    { op: 'vs.set', server: full(web, { scheduler: 'wlc' }) },
    { op: 'rs.set', server: web, real: { address: parseIp('10.0.0.4'), port: 80, method: 'tunnel', weight: 2 } },
    { op: 'rs.del', server: web, real: { address: parseIp('10.0.0.1'), port: 8080 } },
    { op: 'rs.del', server: web, real: { address: parseIp('10.0.0.3'), port: 80 } },
    { op: 'rs.del', server: web, real: { address: parseIp('10.0.0.5'), port: 80 } },
    { op: 'vs.zero', server: web },
    { op: 'vs.del', server: dns },
    { op: 'vs.del', server: sip },
    { op: 'dest.del', key: mark, dest: markDest },
    { op: 'service.del', key: mark },
  ]); // prettier-ignore
  assert.ok(results.every((result) => result.ok));
  assert.deepEqual(saved(), [
    '-A -t 192.0.2.10:80 -s wlc',
    '-a -t 192.0.2.10:80 -r 10.0.0.2:80 -g -w 5',
    '-a -t 192.0.2.10:80 -r 10.0.0.4:80 -i -w 2 --tun-type ipip',
  ]);
});

test('timeouts, version, sync daemons', async () => {
  assert.match((await socket.info()).version, /^1\.2\./);
  const group = parseIp('224.0.0.99');
  const backup = { role: 'backup', interface: 'lo', syncId: 52, group, port: 9000, ttl: 3, maxLengthBytes: 1400 } as const; // prettier-ignore
  const results = await socket.run([
    { op: 'timeouts.set', timeouts: { tcpSeconds: 1000, tcpFinSeconds: 0, udpSeconds: 60 } },
    { op: 'daemon.start', daemon: { role: 'master', interface: 'lo', syncId: 51 } },
    { op: 'daemon.start', daemon: backup },
    { op: 'daemon.start', daemon: backup },
    { op: 'daemon.start', daemon: { ...backup, role: 'master', interface: 'nosuch0' } },
  ]);
  assert.deepEqual(
    results.map((result) => (result.ok ? 'ok' : result.errno)),
    ['ok', 'ok', 'ok', 'EEXIST', 'ENODEV'],
  );
  assert.deepEqual(await socket.timeouts(), {
    tcpSeconds: 1000,
    tcpFinSeconds: 120,
    udpSeconds: 60,
  });
  const daemons = await socket.daemons();
  assert.equal(daemons.complete, true);
  assert.equal(daemons.entries[0]?.role, 'master');
  assert.deepEqual(daemons.entries[1], backup);
  const stopped = await socket.run([
    { op: 'daemon.stop', role: 'master' },
    { op: 'daemon.stop', role: 'backup' },
    { op: 'daemon.stop', role: 'backup' },
  ]);
  assert.deepEqual(
    stopped.map((result) => (result.ok ? 'ok' : result.message)),
    ['ok', 'ok', 'this sync daemon does not run'],
  );
});

test('a large batch and its dumps run together with small calls', async () => {
  const servers = Array.from({ length: 3000 }, (_, i) => full({ ...web, vip: ipFromBigInt(4, BigInt(0x0a64_0000 + i)) })); // prettier-ignore
  const ops = servers.flatMap((server): readonly IpvsOp[] => [
    { op: 'vs.add', server },
    { op: 'rs.add', server, real: { address: parseIp('10.0.0.9'), port: 8080, method: 'masquerade', weight: 1 } },
  ]); // prettier-ignore
  const [results, timeouts] = await Promise.all([
    socket.run(ops, { pauseMs: 1 }),
    socket.timeouts(),
  ]);
  assert.equal(results.filter((result) => result.ok).length, 6000);
  assert.equal(timeouts.udpSeconds, 60);
  const [services, daemons] = await Promise.all([socket.dumpServices(), socket.daemons()]);
  assert.equal(services.entries.length, 3001);
  assert.deepEqual(daemons.entries, []);
  const dests = await socket.dumpDests([mark, ...servers.map(serviceKeyOf)]);
  assert.equal(dests.complete, true);
  assert.deepEqual(dests.entries[0], [], 'of a virtual server that is not there');
  assert.ok(dests.entries.slice(1).every((entry) => entry?.length === 1));
});

test('addresses are announced to the neighbours', async () => {
  run('ip', 'link', 'add', 'name', 'vt0', 'type', 'veth', 'peer', 'name', 'vt1');
  run('ip', 'netns', 'add', 'peer');
  run('ip', 'link', 'set', 'vt1', 'netns', 'peer');
  run('ip', 'link', 'set', 'vt0', 'up');
  const peer = (...args: readonly string[]): string => run('ip', '-n', 'peer', ...args);
  peer('link', 'set', 'vt1', 'up');
  peer('address', 'add', '192.0.2.1/24', 'dev', 'vt1');
  run('ip', 'netns', 'exec', 'peer', 'sysctl', '-q', '-w', 'net.ipv4.conf.vt1.arp_accept=1');
  // an advertisement changes an entry that is there (RFC 4861 7.2.5); ARP may create one (arp_accept)
  peer(
    '-6',
    'neigh',
    'add',
    '2001:db8::10',
    'lladdr',
    '02:00:00:00:00:01',
    'dev',
    'vt1',
    'nud',
    'stale',
  );
  const link = run('ip', '-o', 'link', 'show', 'vt0');
  const ifindex = Number(/^\d+/.exec(link)?.[0]);
  const mac = /ether (\S+)/.exec(link)?.[1] ?? 'no MAC';
  const results = await announce(ifindex, [
    { address: web.vip },
    { address: parseIp('2001:db8::10') },
  ]);
  assert.deepEqual(results, [{ ok: true }, { ok: true }]);
  const neighbours = peer('neigh', 'show', 'dev', 'vt1');
  assert.match(neighbours, new RegExp(`^192\\.0\\.2\\.10 lladdr ${mac} `, 'm'));
  assert.match(neighbours, new RegExp(`^2001:db8::10 lladdr ${mac} `, 'm'));
  await assert.rejects(announce(1, [{ address: web.vip }]), /EPROTONOSUPPORT/);
  await assert.rejects(announce(99999, [{ address: web.vip }]), /interface 99999: ENODEV/);
});

test('a closed socket refuses further calls', async () => {
  const other = IpvsSocket.open();
  await other.close();
  await other.close();
  await assert.rejects(other.info(), /closed/);
});
