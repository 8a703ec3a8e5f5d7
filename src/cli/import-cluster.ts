// Reads from a cluster what `vipvs import` understands: every kind of the source systems that the API server serves,
// ConfigMaps by name or label, Services, and the Namespaces and Nodes that Pools look at. Only reads.
import { isApiError } from '../kube/errors.ts';
import type { JsonObject } from '../kube/json.ts';
import { groupVersions, resourcesOf } from '../kube/discovery.ts';
import { listObjects, type ListQuery } from '../kube/list.ts';
import { NAMESPACES, NODES, SERVICES, type Resource } from '../kube/resource.ts';
import type { ApiClient } from '../kube/transport.ts';

/** Kinds to read of each group; undefined: all that it serves. */
const GROUPS: Readonly<Record<string, readonly string[] | undefined>> = {
  'metallb.io': undefined,
  'purelb.io': undefined,
  'network.kubesphere.io': ['Eip', 'BgpConf', 'BgpPeer'],
  'cilium.io': [
    'CiliumLoadBalancerIPPool',
    'CiliumL2AnnouncementPolicy',
    'CiliumBGPPeeringPolicy',
    'CiliumBGPClusterConfig',
    'CiliumBGPAdvertisement',
  ],
  'inwinstack.com': undefined,
};

const CONFIG_MAPS: Resource = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};

/** metallb-system/config is asked for by name alone, as the others: their namespaces can be chosen. */
const CONFIG_MAP_NAMES = [
  'kubevip',
  'plndr',
  'config',
  'metallb',
  'metallb-config',
  'bgp-config',
  'ip-manager-configmap',
  'daemon-configmap',
  'vip-configmap',
];
const CONFIG_MAP_LABEL = 'app=loadbalancer';

export interface ClusterObjects {
  readonly objects: readonly JsonObject[];
  /** What could not be read, each one line. */
  readonly problems: readonly string[];
}

/** `configMaps`: more of them, `namespace/name`. */
export async function readCluster(
  client: ApiClient,
  configMaps: readonly string[],
  signal: AbortSignal,
): Promise<ClusterObjects> {
  const objects: JsonObject[] = [];
  const problems: string[] = [];
  const read = async (resource: Resource, options: ListQuery = {}): Promise<void> => {
    try {
      objects.push(...(await listObjects(client, resource, signal, options)));
    } catch (error) {
      if (!isApiError(error, 'forbidden', 'not-found')) throw error;
      problems.push(error.message);
    }
  };
  for (const [group, kinds] of Object.entries(GROUPS)) {
    for (const resource of await kindsOf(client, group, signal)) {
      if (kinds === undefined || kinds.includes(resource.kind)) await read(resource);
    }
  }
  for (const name of CONFIG_MAP_NAMES) {
    await read(CONFIG_MAPS, { fieldSelector: `metadata.name=${name}` });
  }
  await read(CONFIG_MAPS, { labelSelector: CONFIG_MAP_LABEL });
  for (const key of configMaps) {
    const [namespace = '', name = ''] = key.split('/');
    const fieldSelector = `metadata.namespace=${namespace},metadata.name=${name}`;
    await read(CONFIG_MAPS, { fieldSelector });
  }
  for (const resource of [SERVICES, NAMESPACES, NODES]) await read(resource);
  return { objects, problems };
}

/** Each kind once, in the preferred version that has it. */
async function kindsOf(
  client: ApiClient,
  group: string,
  signal: AbortSignal,
): Promise<readonly Resource[]> {
  const kinds = new Map<string, Resource>();
  for (const version of await groupVersions(client, group, signal)) {
    for (const resource of await resourcesOf(client, group, version, signal)) {
      if (!kinds.has(resource.kind)) kinds.set(resource.kind, resource);
    }
  }
  return [...kinds.values()];
}
