// The harness itself: what the cluster tests rely on without kubelets, and that nothing of it stays behind.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { until } from '../api/clocks.ts';
import { startControlPlane } from './control-plane.ts';

const MANIFESTS = `
apiVersion: v1
kind: Node
metadata: {name: n1}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  allocateLoadBalancerNodePorts: false
  ipFamilyPolicy: PreferDualStack
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, labels: {app: web}}
spec: {nodeName: n1, containers: [{name: web, image: web}]}
`;

const POD_STATUS = JSON.stringify({
  status: {
    phase: 'Running',
    podIP: '10.244.0.5',
    podIPs: [{ ip: '10.244.0.5' }, { ip: 'fd00:244::5' }],
    conditions: [{ type: 'Ready', status: 'True' }],
  },
});

test('control plane: the controllers make EndpointSlices and collect garbage; it stops clean', async () => {
  const plane = await startControlPlane({ controllers: true });
  const pids = [plane.etcd.pid, plane.apiserver.pid, plane.controllers.pid];
  try {
    await plane.kubectl(['apply', '-f', '-'], { stdin: MANIFESTS });
    const patch = ['patch', 'pod', 'web-1', '--subresource=status', '--type=merge'];
    await plane.kubectl([...patch, '-p', POD_STATUS]);
    const template = '{range .items[*].endpoints[*]}{.addresses[0]}={.conditions.ready} {end}';
    const slices = ['get', 'endpointslices', '-l', 'kubernetes.io/service-name=web'];
    const addresses = async (): Promise<string> => {
      const text = await plane.kubectl([...slices, '-o', `jsonpath=${template}`]);
      return text.trim().split(' ').sort().join(' ');
    };
    const both = '10.244.0.5=true fd00:244::5=true';
    await until('slices of both families', async () => (await addresses()) === both);
    await plane.kubectl(['delete', 'service', 'web']);
    await until('the slices are gone', async () => (await addresses()) === '');
  } finally {
    await plane.stop();
  }
  assert.equal(existsSync(plane.directory), false);
  for (const pid of pids) assert.equal(existsSync(`/proc/${pid ?? 0}`), false);
});

test('control plane: a user without rights gets none', async () => {
  const plane = await startControlPlane({
    users: [{ name: 'guest', user: 'guest', groups: ['guests'] }],
  });
  try {
    const { code, stderr } = await plane.tryKubectl(['get', 'pods'], { user: 'guest' });
    assert.equal(code, 1);
    assert.match(stderr, /pods is forbidden: User "guest"/);
  } finally {
    await plane.stop();
  }
});
