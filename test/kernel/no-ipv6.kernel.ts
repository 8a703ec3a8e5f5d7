// lab: -k ipv6.disable=1
// A kernel that was booted without IPv6: programs start, and a VIP of IPv4 is served as elsewhere.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';

import { LinuxKernel } from '../../src/ipvs-node/kernel/linux.ts';
import { emptyFirewall } from '../../src/ipvs-node/model/firewall.ts';
import { parseIp } from '../../src/net/address.ts';
import { OperationalError } from '../../src/runtime/errors.ts';
import { parseListen, type ListenAddress } from '../../src/runtime/flags.ts';
import { startHealthServer, type HealthServer } from '../../src/runtime/http.ts';
import { addElement } from '../contract/firewall-op.ts';
import { SELF, ip, run } from '../lab/topology.ts';

const VIP = parseIp('192.0.2.10');
let kernel: LinuxKernel;

before(async () => {
  assert.equal(existsSync('/proc/sys/net/ipv6'), false, 'the guest has no IPv6');
  await run(SELF, ['modprobe', '-a', 'dummy', 'ip_vs'], { mayFail: true });
  await ip(SELF, ['link add eth0 type dummy', 'link set eth0 up']);
  kernel = await LinuxKernel.open({ runDirectory: '/run/vipvs-test' });
});

after(async () => {
  await kernel.close();
});

function serve(text: string): Promise<HealthServer> {
  const listen = parseListen(text) as ListenAddress;
  return startHealthServer(listen, {
    notReady: () => [],
    metrics: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
  });
}

test('every address is every one that there is', async () => {
  const server = await serve(':0');
  const answer = await fetch(`http://127.0.0.1:${server.port}/healthz`);
  assert.equal(await answer.text(), 'ok\n');
  // the same port, a second time: the error is of IPv4, where it is taken
  await assert.rejects(
    serve(`:${server.port}`),
    (error) => error instanceof OperationalError && error.message.includes('EADDRINUSE'),
  );
  await server.close();
});

test('an address of IPv6 can not be had, and that is said', async () => {
  await assert.rejects(
    serve('[::1]:0'),
    (error) =>
      error instanceof OperationalError &&
      error.code === 'listen-failed' &&
      error.message.startsWith('cannot listen on [::1]:0: '),
  );
});

test('a VIP of IPv4 is served, with its firewall', async () => {
  const server = {
    vip: VIP,
    port: 80,
    protocol: 'TCP',
    scheduler: 'rr',
    schedulerFlags: [],
    persistenceSeconds: 0,
  } as const;
  const real = { address: parseIp('10.0.0.1'), port: 80, method: 'masquerade', weight: 1 } as const;
  const before = await kernel.observe();
  assert.deepEqual(before.firewall, emptyFirewall());
  assert.equal(before.virtualServers?.size, 0);
  const results = await kernel.run([
    addElement('vips4', VIP),
    { op: 'vs.add', server },
    { op: 'rs.add', server, real },
    { op: 'vip.add', address: VIP, interface: 'eth0' },
    { op: 'vip.announce', address: VIP, interface: 'eth0' },
  ]);
  assert.deepEqual(
    results.filter(({ ok }) => !ok),
    [],
  );
  const { virtualServers, addresses, sysctls } = await kernel.observe();
  assert.deepEqual([virtualServers?.size, addresses?.get(VIP)?.length], [1, 1]);
  assert.equal(sysctls.has('net/ipv6/conf/all/forwarding'), false);
});
