// What the tests of src/kube share: kinds to read and write, and a client for a control plane's user.
import { loadKubeAccess } from '../../src/kube/config.ts';
import type { Resource } from '../../src/kube/resource.ts';
import { HttpApiClient } from '../../src/kube/transport.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { MemoryLog } from '../api/clocks.ts';
import type { ControlPlane } from './control-plane.ts';

export const CONFIG_MAPS: Resource = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};
export const SECRETS: Resource = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  namespaced: true,
};
export const GADGETS: Resource = {
  group: 'test.vipvs.io',
  version: 'v1',
  plural: 'gadgets',
  kind: 'Gadget',
  namespaced: false,
};
export const GADGET_CRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.test.vipvs.io}
spec:
  group: test.vipvs.io
  scope: Cluster
  names: {plural: gadgets, singular: gadget, kind: Gadget}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              color: {type: string, enum: [red, green]}
              size: {type: integer}
          status:
            type: object
            properties: {phase: {type: string}}
`;

export async function clientOf(
  plane: ControlPlane,
  user: string,
  callConnections?: number,
): Promise<HttpApiClient> {
  const access = await loadKubeAccess({ kubeconfig: await plane.kubeconfig(user), env: {} });
  const log = new MemoryLog();
  return new HttpApiClient({
    access,
    clock: systemClock,
    log,
    userAgent: 'vipvs/test',
    ...(callConnections === undefined ? {} : { callConnections }),
  });
}
