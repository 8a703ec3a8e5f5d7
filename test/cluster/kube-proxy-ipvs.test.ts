// kube-proxy in mode ipvs on a director: it edits the same table, and deletes at every sync what it does not know.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { patiently as until } from './guest.ts';
import { coexistence, KubeProxyWorld, leaves, RIVAL } from './kube-proxy-world.ts';
import { slice, VIP } from './node-world.ts';

/** Our Pool. */
const EXCLUDE = ['--ipvs-exclude-cidrs', '10.0.0.100/30,10.0.0.104/30,10.0.0.108/31'];

suite('kube-proxy in mode ipvs beside us', { timeout: 890_000 }, () => {
  let proxy: KubeProxyWorld;

  before(async () => {
    proxy = await KubeProxyWorld.start('ipvs');
  });
  after(async () => {
    await proxy.stop();
  });

  coexistence(() => proxy);

  test('what it deletes again and again stands in the Director and in check host', async () => {
    await until('the Director says it', async () => {
      return (await proxy.director('reason')) === 'PurgedByKubeProxy';
    });
    assert.match(await proxy.director('message'), /10\.0\.0\.100-10\.0\.0\.109 of Pool public/);
    const lines = await proxy.checkHost();
    assert.match(lines, /^WARN kube-proxy: runs in mode ipvs.*excludeCIDRs is empty/m);
    assert.match(lines, /^WARN strict-arp: /m);
  });

  test('a VIP that is in externalIPs of another Service is kube-proxy’s: refused, and left alone', async () => {
    await proxy.world.apply(RIVAL);
    await proxy.world.apply(slice('rival', ['10.0.0.23']));
    await until('the condition says so', async () => {
      return (await proxy.programmed('reason')) === 'TakenByKubeProxy';
    });
    assert.match(
      await proxy.programmed('message'),
      /mode ipvs.*Service default\/rival has it in spec\.externalIPs/,
    );
    const its = [`-A -t ${VIP}:80 -s rr`, `-a -t ${VIP}:80 -r 10.0.0.23:80 -m -w 1`].join('\n');
    await until('the virtual server is kube-proxy’s', async () => {
      return (await proxy.rules()).join('\n') === its;
    });
    assert.equal(await proxy.world.hasVip('d1'), false, 'it is not on the interface of ours');
    await proxy.world.plane.kubectl(['delete', 'svc', 'rival']);
    await proxy.untilServed();
    await until('it is solved', async () => (await proxy.programmed('status')) === 'True');
  });

  test('with our Pool in its excludeCIDRs it leaves us alone', async () => {
    await proxy.stopProxy();
    await proxy.startProxy([...EXCLUDE, '--ipvs-strict-arp']);
    await proxy.untilServed();
    await until('the Director is content', async () => {
      return (await proxy.director('status')) === 'True';
    });
    const ops = await proxy.world.kernelOps('d1');
    await proxy.stopProxy();
    await proxy.startProxy();
    await proxy.settled();
    await proxy.untilServed();
    assert.equal(await proxy.world.kernelOps('d1'), ops);
    const lines = await proxy.checkHost();
    assert.match(lines, /^PASS kube-proxy: runs in mode ipvs.*but for 10\.0\.0\.100\/30/m);
    assert.match(lines, /^PASS strict-arp: /m);
  });

  test('what it has left there is somebody else’s, and stays until a hand deletes it', async () => {
    await proxy.world.apply(RIVAL);
    await until('the virtual server is kube-proxy’s', async () => {
      return (await proxy.rules()).some((line) => line.includes('10.0.0.23:80'));
    });
    await proxy.world.plane.kubectl(['delete', 'svc', 'rival']);
    await until('the condition names it', async () => {
      return (await proxy.programmed('reason')) === 'ForeignVirtualServer';
    });
    assert.match(await proxy.programmed('message'), /first 10\.0\.0\.23 port 80.*kube-proxy/);
    assert.equal((await proxy.rules()).length, 2);
    await proxy.world.guest.output('d1', ['ipvsadm', '-D', '-t', `${VIP}:80`]);
    await proxy.untilServed();
  });

  test('our end leaves all of it', async () => {
    await leaves(proxy);
  });
});
