// kube-proxy in mode iptables on a director: its DNAT comes before IPVS, and it drops packets that conntrack calls
// invalid, which ours are not with vs/conntrack=1.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { patiently as until } from './guest.ts';
import { coexistence, KubeProxyWorld, leaves, RIVAL } from './kube-proxy-world.ts';
import { slice } from './node-world.ts';

suite('kube-proxy in mode iptables beside us', { timeout: 890_000 }, () => {
  let proxy: KubeProxyWorld;

  before(async () => {
    proxy = await KubeProxyWorld.start('iptables');
  });
  after(async () => {
    await proxy.stop();
  });

  coexistence(() => proxy);

  test('check host has nothing against it', async () => {
    assert.match(await proxy.checkHost(), /^PASS kube-proxy: runs in mode iptables/m);
    assert.equal(await proxy.director('status'), 'True');
  });

  test('a VIP that is in externalIPs of another Service is kube-proxy’s, and it is said', async () => {
    const { world } = proxy;
    await world.apply(RIVAL);
    await world.apply(slice('rival', ['10.0.0.23']));
    await until('the condition says so', async () => {
      return (await proxy.programmed('reason')) === 'TakenByKubeProxy';
    });
    assert.match(
      await proxy.programmed('message'),
      /10\.0\.0\.100:80\/TCP: .*mode iptables.*Service default\/rival has it in spec\.externalIPs/,
    );
    await until('so it is', async () => /be3=6/.test(await world.answers()));
    await world.plane.kubectl(['delete', 'svc', 'rival']);
    await proxy.untilServed();
    await until('it is solved', async () => (await proxy.programmed('status')) === 'True');
  });

  test('our end leaves all of it', async () => {
    await leaves(proxy);
  });
});
