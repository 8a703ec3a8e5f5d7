// `vipvs import --from-cluster` on a real API server: it reads with list rights only, what it prints is applied by the
// real kubectl, its commands are run as they are printed, and after that every Service has what it had.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { until } from '../api/clocks.ts';
import { runCli, type CliResult } from '../unit/cli/run-cli.ts';
import { serviceAccount, startControlPlane, type ControlPlane } from './control-plane.ts';

const CRDS = path.join(import.meta.dirname, '../../deploy/crds');
const run = promisify(execFile);

function crd(group: string, version: string, kind: string, plural: string, scope: string): string {
  return `---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ${plural}.${group}}
spec:
  group: ${group}
  scope: ${scope}
  names: {plural: ${plural}, singular: ${kind.toLowerCase()}, kind: ${kind}}
  versions:
  - {name: ${version}, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`;
}

const FOREIGN_CRDS = [
  crd('metallb.io', 'v1beta1', 'IPAddressPool', 'ipaddresspools', 'Namespaced'),
  crd('metallb.io', 'v1beta1', 'L2Advertisement', 'l2advertisements', 'Namespaced'),
  crd('network.kubesphere.io', 'v1alpha2', 'Eip', 'eips', 'Cluster'),
].join('');

const OBJECTS = `
apiVersion: v1
kind: Namespace
metadata: {name: metallb-system}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: front, namespace: metallb-system}
spec: {addresses: [192.0.2.0/26], serviceAllocation: {priority: 5, namespaces: [default]}}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: front, namespace: metallb-system}
spec: {interfaces: [eth1]}
---
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata: {name: eip}
spec: {address: 198.51.100.10-198.51.100.20, protocol: layer2, interface: eth0}
status: {used: {198.51.100.12: shop/cart;default/share}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: kubevip, namespace: kube-system}
data: {range-shop: 203.0.113.1-203.0.113.9}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: my-vips, namespace: shop}
data: {203.0.113.100: shop/plain}
`;

function service(namespace: string, name: string, port: number, type = 'LoadBalancer'): string {
  return `---\napiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: {type: ${type}, ports: [{port: ${port}}]}\n`;
}

const READER = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: migrator}
rules:
- {apiGroups: [""], resources: [configmaps, services, namespaces, nodes], verbs: [list]}
- {apiGroups: [metallb.io, network.kubesphere.io], resources: ["*"], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: migrator}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: migrator}
subjects: [{kind: ServiceAccount, name: migrator, namespace: default}]
`;

const HAS = {
  'default/web': '192.0.2.7',
  'default/share': '198.51.100.12',
  'shop/cart': '198.51.100.12',
  'shop/api': '203.0.113.4',
  'shop/plain': '203.0.113.100',
};

suite('import from a real API server', () => {
  let plane: ControlPlane;

  before(async () => {
    plane = await startControlPlane({
      users: [
        serviceAccount('migrator', 'default', 'migrator'),
        serviceAccount('stranger', 'default', 'stranger'),
      ],
    });
    const apply = (stdin: string) => plane.tryKubectl(['apply', '-f', '-'], { stdin });
    await plane.kubectl(['apply', '-f', '-'], { stdin: `${FOREIGN_CRDS}---\n${READER}` });
    await plane.kubectl(['apply', '-k', CRDS]);
    // a new kind answers writes a moment after its CRD was taken
    await until('the foreign kinds', async () => (await apply(OBJECTS)).code === 0);
    await plane.kubectl(['apply', '-f', '-'], {
      stdin: [
        service('default', 'web', 80),
        service('default', 'share', 81),
        service('shop', 'cart', 80),
        service('shop', 'api', 443),
        service('shop', 'plain', 80, 'ClusterIP'),
      ].join(''),
    });
    for (const [key, ip] of Object.entries(HAS).filter(([name]) => name !== 'shop/plain')) {
      const [namespace = '', name = ''] = key.split('/');
      const status = JSON.stringify({ status: { loadBalancer: { ingress: [{ ip }] } } });
      await plane.kubectl([
        ...['patch', 'service', '-n', namespace, name, '--subresource=status'],
        ...['--type=merge', '-p', status],
      ]);
    }
  });
  after(() => plane.stop());

  async function importAs(user: string): Promise<CliResult> {
    const kubeconfig = await plane.kubeconfig(user);
    const args = ['--from-cluster', '--kubeconfig', kubeconfig, '--configmap', 'shop/my-vips'];
    return runCli(['import', ...args]);
  }

  test('list rights are enough, and every address stays the same', async () => {
    const imported = await importAs('migrator');
    assert.equal(imported.code, 0, imported.stderr);
    assert.match(imported.stderr, /5 of 5 addresses in use stay the same \(5 Services\)/);
    const pools = imported.stdout.match(/kind: Pool\nmetadata:\n {2}name: \S+/g);
    assert.deepEqual(
      pools?.map((text) => text.split('name: ')[1]),
      ['eip', 'front', 'kube-keepalived-vip', 'kube-vip-shop'],
    );
    await plane.kubectl(['apply', '-f', '-'], { stdin: imported.stdout });

    const commands = imported.stderr.match(/^ {2}kubectl .*$/gm) ?? [];
    assert.ok(commands.length > 0);
    await run('bash', ['-euc', commands.join('\n')], {
      env: {
        PATH: `${plane.binaries}:${process.env['PATH'] ?? ''}`,
        // kubectl keeps a cache there; without a home it would be in the tree
        HOME: plane.directory,
        KUBECONFIG: await plane.kubeconfig('admin'),
      },
    });

    const kinds = 'services,pools.vipvs.io,ips.vipvs.io,namespaces';
    const stdin = await plane.kubectl(['get', kinds, '-A', '-o', 'yaml']);
    const simulated = await runCli(['simulate', '-f', '-', '--default-class', '-o', 'json'], {
      stdin,
    });
    assert.equal(simulated.code, 0, simulated.stderr);
    assert.deepEqual(addressesIn(simulated.stdout), HAS);
  });

  test('a verb that is missing is named, and the exit code says so', async () => {
    const { code, stderr } = await importAs('stranger');
    assert.equal(code, 1);
    assert.match(
      stderr,
      /GET \/api\/v1\/services: 403 Forbidden: .*cannot list resource "services"/,
    );
  });
});

interface Listed {
  readonly items: readonly {
    readonly kind: string;
    readonly metadata: { readonly namespace?: string; readonly name: string };
    readonly status?: {
      readonly loadBalancer?: { readonly ingress?: readonly { readonly ip: string }[] };
    };
  }[];
}

function addressesIn(text: string): Readonly<Record<string, string>> {
  const list = JSON.parse(text) as Listed;
  const found = list.items.flatMap(({ kind, metadata, status }): [string, string][] => {
    const ips = status?.loadBalancer?.ingress?.map(({ ip }) => ip) ?? [];
    if (kind !== 'Service' || ips.length === 0) return [];
    return [[`${metadata.namespace ?? ''}/${metadata.name}`, ips.join(',')]];
  });
  return Object.fromEntries(found);
}
