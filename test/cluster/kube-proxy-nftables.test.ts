// kube-proxy in mode nftables on a director: it flushes IPVS whenever it starts, and its DNAT comes before IPVS.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { service } from './assigner-world.ts';
import { patiently as until } from './guest.ts';
import { coexistence, KubeProxyWorld, leaves } from './kube-proxy-world.ts';
import { slice, VIP } from './node-world.ts';

suite('kube-proxy in mode nftables beside us', { timeout: 890_000 }, () => {
  let proxy: KubeProxyWorld;

  before(async () => {
    proxy = await KubeProxyWorld.start('nftables');
  });
  after(async () => {
    await proxy.stop();
  });

  coexistence(() => proxy);

  test('check host says what its start does', async () => {
    assert.match(
      await proxy.checkHost(),
      /^WARN kube-proxy: runs in mode nftables, which flushes/m,
    );
    assert.equal(await proxy.director('status'), 'True');
  });

  test('a VIP that another load balancer shows without ipMode Proxy is kube-proxy’s, and it is said', async () => {
    const { world } = proxy;
    await world.apply(service('lb', { loadBalancerClass: 'example.com/other' }));
    await world.apply(slice('lb', ['10.0.0.23']));
    const patch = JSON.stringify({ status: { loadBalancer: { ingress: [{ ip: VIP }] } } });
    await world.plane.kubectl(['patch', 'svc', 'lb', '--subresource=status', '-p', patch]);
    await until('the condition says so', async () => {
      return (await proxy.programmed('reason')) === 'TakenByKubeProxy';
    });
    assert.match(
      await proxy.programmed('message'),
      /10\.0\.0\.100:80\/TCP: .*mode nftables.*before IPVS sees them, because Service default\/lb has it in status/,
    );
    await until('so it is', async () => /be3=6/.test(await world.answers()));
    await world.plane.kubectl(['delete', 'svc', 'lb']);
    await proxy.untilServed();
    await until('it is solved', async () => (await proxy.programmed('status')) === 'True');
  });

  test('our end leaves all of it', async () => {
    await leaves(proxy);
  });
});
