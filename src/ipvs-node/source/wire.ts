// Which fields of Services and EndpointSlices the agent reads, as protobuf numbers them (k8s.io/api core/v1 and
// discovery/v1, generated.proto), for the lists at its start: in JSON 10,000 of each are 36 MB to parse.
// Invariant: every field that project.ts or usual-objects.ts looks at is here.
import { SERVICE_NAME_LABEL } from '../../api/kubernetes.ts';
import { SERVICE_PROXY_LABEL } from '../model/kube-proxy.ts';
import { messageOf, type Field, type FieldType, type Message } from '../../kube/protobuf.ts';

const PREFIX = 'vipvs.io/';

function message(fields: Readonly<Record<number, readonly [string, FieldType, 'list'?]>>): Message {
  const named = Object.entries(fields).map(([number, [name, type, list]]): [string, Field] => [
    number,
    { name, type, isList: list === 'list' },
  ]);
  return messageOf(Object.fromEntries(named));
}

const LIST_META = message({ 2: ['resourceVersion', 'text'], 3: ['continue', 'text'] });

const SERVICE_META = message({
  1: ['name', 'text'],
  3: ['namespace', 'text'],
  5: ['uid', 'text'],
  6: ['resourceVersion', 'text'],
  8: ['creationTimestamp', 'time'],
  11: ['labels', { map: (key) => key === SERVICE_PROXY_LABEL }],
  12: ['annotations', { map: (key) => key.startsWith(PREFIX) }],
});

const SLICE_META = message({
  1: ['name', 'text'],
  3: ['namespace', 'text'],
  5: ['uid', 'text'],
  6: ['resourceVersion', 'text'],
  11: ['labels', { map: (key) => key === SERVICE_NAME_LABEL }],
  12: ['annotations', { map: (key) => key.startsWith(PREFIX) }],
});

const SERVICE_PORT = message({
  1: ['name', 'text'],
  2: ['protocol', 'text'],
  3: ['port', 'number'],
  4: ['targetPort', 'number-or-text'],
});

const CLIENT_IP = message({ 1: ['timeoutSeconds', 'number'] });
const AFFINITY_CONFIG = message({ 1: ['clientIP', { message: CLIENT_IP }] });

const SERVICE_SPEC = message({
  1: ['ports', { message: SERVICE_PORT }, 'list'],
  3: ['clusterIP', 'text'],
  4: ['type', 'text'],
  5: ['externalIPs', 'text', 'list'],
  7: ['sessionAffinity', 'text'],
  9: ['loadBalancerSourceRanges', 'text', 'list'],
  11: ['externalTrafficPolicy', 'text'],
  14: ['sessionAffinityConfig', { message: AFFINITY_CONFIG }],
  18: ['clusterIPs', 'text', 'list'],
  21: ['loadBalancerClass', 'text'],
});

const PORT_STATUS = message({
  1: ['port', 'number'],
  2: ['protocol', 'text'],
  3: ['error', 'optional-text'],
});
const INGRESS = message({
  1: ['ip', 'text'],
  2: ['hostname', 'text'],
  3: ['ipMode', 'text'],
  4: ['ports', { message: PORT_STATUS }, 'list'],
});
const LOAD_BALANCER = message({ 1: ['ingress', { message: INGRESS }, 'list'] });
const SERVICE_STATUS = message({ 1: ['loadBalancer', { message: LOAD_BALANCER }] });

const CONDITIONS = message({
  1: ['ready', 'boolean'],
  2: ['serving', 'boolean'],
  3: ['terminating', 'boolean'],
});
const ENDPOINT = message({
  1: ['addresses', 'text', 'list'],
  2: ['conditions', { message: CONDITIONS }],
  6: ['nodeName', 'text'],
});
const ENDPOINT_PORT = message({
  1: ['name', 'optional-text'],
  2: ['protocol', 'text'],
  3: ['port', 'number'],
});

function listOf(items: Message): Message {
  return message({
    1: ['metadata', { message: LIST_META }],
    2: ['items', { message: items }, 'list'],
  });
}

export const SERVICE_LIST = listOf(
  message({
    1: ['metadata', { message: SERVICE_META }],
    2: ['spec', { message: SERVICE_SPEC }],
    3: ['status', { message: SERVICE_STATUS }],
  }),
);

export const ENDPOINT_SLICE_LIST = listOf(
  message({
    1: ['metadata', { message: SLICE_META }],
    2: ['endpoints', { message: ENDPOINT }, 'list'],
    3: ['ports', { message: ENDPOINT_PORT }, 'list'],
    4: ['addressType', 'text'],
  }),
);
