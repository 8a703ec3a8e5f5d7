// What kube-proxy takes from us on its node, and what it deletes.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { ClusterObject } from '../../../../src/api/cluster.ts';
import { resolvePools } from '../../../../src/api/pools.ts';
import { DesiredIndex } from '../../../../src/ipvs-node/desired/all-services.ts';
import {
  KubeProxyClaims,
  purgeProblem,
} from '../../../../src/ipvs-node/desired/kube-proxy-claims.ts';
import { parseIp } from '../../../../src/net/address.ts';
import { ADDRESS, checkDesired, RR } from './desired-case.ts';
import { NODE, pool, service, storeOf, type ServiceParts } from '../objects.ts';
import type { KubeProxy } from '../../../../src/ipvs-node/model/kube-proxy.ts';

const IPVS = { ...NODE, hasKubeProxy: true, kubeProxyMode: 'ipvs' } as const;
const NFT = { ...NODE, hasKubeProxy: true, kubeProxyMode: 'nftables' } as const;
const UNKNOWN = { ...NODE, hasKubeProxy: true } as const;
const VIP = '192.0.2.10';
const web = service({ ingress: [{ ip: VIP, ipMode: 'Proxy' }] });
const rival = ({ spec, ...parts }: ServiceParts = {}): ClusterObject =>
  service({
    name: 'rival',
    ingress: [],
    spec: { type: 'ClusterIP', externalIPs: [VIP], ...spec },
    ...parts,
  });
const NO_ENDPOINT = 'NoEndpoints: 80/TCP';
const SERVED = [RR, ADDRESS];

suite('a VIP that kube-proxy takes', () => {
  checkDesired([
    {
      name: 'externalIPs of another Service, mode ipvs: refused',
      node: IPVS,
      given: [pool(), web, rival()],
      want: [],
      problems: [
        'TakenByKubeProxy: 192.0.2.10: kube-proxy on this node (mode ipvs) makes virtual servers of its own for it, and vipvs leaves them alone, because Service default/rival has it in spec.externalIPs',
      ],
    },
    {
      name: 'any port of it, in mode ipvs: kube-proxy binds the address',
      node: IPVS,
      given: [pool(), web, rival({ spec: { ports: [{ port: 81 }] } })],
      want: [],
      problems: ['TakenByKubeProxy: rival'],
    },
    {
      name: 'the same port in another mode: it is said, and what is programmed stays',
      node: NFT,
      given: [pool(), web, rival()],
      want: SERVED,
      problems: [
        'TakenByKubeProxy: 192.0.2.10:80/TCP: kube-proxy on this node (mode nftables) forwards its packets before IPVS sees them',
        NO_ENDPOINT,
      ],
    },
    {
      name: 'another port in another mode is no matter',
      node: NFT,
      given: [
        pool(),
        web,
        rival({ spec: { ports: [{ port: 81 }, { port: 80, protocol: 'UDP' }] } }),
      ],
      want: SERVED,
      problems: [NO_ENDPOINT],
    },
    {
      name: 'without kube-proxy on this node it is no matter',
      given: [pool(), web, rival()],
      want: SERVED,
      problems: [NO_ENDPOINT],
    },
    {
      name: 'a Service without ports takes nothing from DNAT',
      node: UNKNOWN,
      given: [pool(), web, rival({ spec: { ports: undefined } })],
      want: SERVED,
      problems: [NO_ENDPOINT],
    },
    {
      name: 'its own status without ipMode: the API server is too old for it',
      node: UNKNOWN,
      given: [pool(), service()],
      want: SERVED,
      problems: [
        'TakenByKubeProxy: kube-proxy on this node forwards its packets before IPVS sees them, because the Service has it in status.loadBalancer.ingress without ipMode Proxy',
        NO_ENDPOINT,
      ],
    },
    {
      name: 'a status without an address and one without ports',
      node: UNKNOWN,
      given: [pool(), service({ spec: { ports: undefined }, ingress: [VIP, { hostname: 'a' }] })],
      want: [],
    },
    {
      name: 'nobody takes it, and it is bound on this node all the same',
      node: IPVS,
      host: [VIP],
      given: [pool(), web],
      want: [],
      problems: ['AddressOfHost: may have bound it to kube-ipvs0'],
    },
    {
      name: 'several, by name',
      node: IPVS,
      given: [
        pool(),
        web,
        rival(),
        rival({ name: 'arrival', ingress: [{ ip: VIP, ipMode: 'VIP' }] }),
        service({ name: 'lb', spec: { loadBalancerClass: 'x' }, ingress: [VIP] }),
      ],
      want: [],
      problems: [
        'TakenByKubeProxy: Service default/arrival has it in spec.externalIPs',
        'TakenByKubeProxy: Service default/lb has it in status',
        'TakenByKubeProxy: Service default/rival has it in spec.externalIPs',
      ],
    },
  ]);

  const label = { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } };
  const skipped: Readonly<Record<string, ClusterObject>> = {
    'another program proxies': rival({ metadata: label }),
    'is headless': rival({ spec: { clusterIP: 'None' } }),
    'is a name': rival({ spec: { type: 'ExternalName' } }),
    'has no address there': rival({ spec: { externalIPs: ['x'] } }),
  };
  for (const [name, object] of Object.entries(skipped)) {
    test(`kube-proxy takes nothing for a Service that ${name}`, () => {
      const takings = new KubeProxyClaims();
      assert.equal(object.kind, 'Service');
      assert.deepEqual(takings.set('default/rival', object), []);
      assert.deepEqual(takings.of(parseIp(VIP)), []);
    });
  }
});

test('a Service that comes, changes and goes touches the one it takes from', () => {
  const store = storeOf(pool(), web);
  const index = new DesiredIndex(store, IPVS);
  index.update(['default/web']);
  const keys = (): readonly string[] => [...index.state.virtualServers.keys()];
  const told = (object: ClusterObject): readonly string[] => {
    store.set(object);
    return [...index.update(['default/rival']).services].sort();
  };
  assert.equal(keys().length, 1);
  assert.deepEqual(told(rival()), ['default/web']);
  assert.equal(keys().length, 0);
  assert.deepEqual(told(rival({ spec: { externalIPs: ['203.0.113.1'] } })), ['default/web']);
  assert.equal(keys().length, 1);
  told(rival());
  store.delete('Service', 'default/rival');
  index.update(['default/rival']);
  assert.equal(keys().length, 1);
});

test('kube-proxy that comes, and goes', () => {
  const store = storeOf(pool(), web, rival());
  const index = new DesiredIndex(store, NODE);
  assert.deepEqual(
    index.pools.valid.map(({ name }) => name),
    ['a'],
  );
  assert.equal(index.kubeProxyMode, undefined);
  index.update(store.services.keys());
  const services = index.setKubeProxy({ hasKubeProxy: true, kubeProxyMode: 'ipvs' });
  assert.deepEqual([...services], ['default/web']);
  index.update(services);
  assert.equal(index.state.virtualServers.size, 0);
  index.update(index.setKubeProxy({ hasKubeProxy: false }));
  assert.equal(index.state.virtualServers.size, 1);
});

suite('what kube-proxy deletes at every sync', () => {
  const POOLS = [
    pool({ addresses: ['192.0.2.0/25'] }),
    pool({ addresses: ['198.51.100.0/24'] }, 'b'),
    pool({ addresses: ['203.0.113.0/24'], driver: 'f5' }, 'c'),
  ].filter((object) => object.kind === 'Pool');
  const ipvs = (excludeCidrs: readonly string[] | undefined): KubeProxy => ({
    mode: 'ipvs',
    excludeCidrs,
    strictArp: true,
  });
  const cases: readonly (readonly [string, KubeProxy | undefined, RegExp | undefined])[] = [
    ['none here', undefined, undefined],
    ['another mode', { ...ipvs([]), mode: 'nftables' }, undefined],
    ['all excluded', ipvs(['192.0.2.0/24', '198.51.100.0/24']), undefined],
    [
      'half a Pool',
      ipvs(['192.0.2.0/26', '198.51.100.0/24']),
      /: 192\.0\.2\.64\/26 of Pool a: add/,
    ],
    ['nothing', ipvs([]), /: 192\.0\.2\.0\/25 of Pool a and 1 more: add them to its/],
    ['garbage', ipvs(['x', '192.0.2.0/24']), /: 198\.51\.100\.0\/24 of Pool b: add/],
    ['not told', ipvs(undefined), /can not be read/],
  ];
  for (const [name, kubeProxy, want] of cases) {
    test(name, () => {
      const found = purgeProblem(kubeProxy, resolvePools(POOLS));
      if (want === undefined) assert.equal(found, undefined);
      else assert.match(found ?? '', want);
    });
  }
});
