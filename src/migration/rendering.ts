// What the import does not render: values of charts, patches in Kustomizations, templates, and objects of other programs from
// which a Service is made. It looks for what it knows in them and names it, so that no address is lost in silence. Pure.
import { REQUEST_KEYS } from '../api/annotations.ts';
import type { IpAddress } from '../net/address.ts';
import { isObject, textOf, walk, type JsonObject } from './json.ts';
import type { Note } from './model.ts';
import { addressesIn } from './named-addresses.ts';
import { Notes, shortText } from './notes.ts';

const ADVICE =
  'the import renders nothing, so this is not kept: render it (helm template, kustomize build) and give that, or read the cluster (--from-cluster)';

/** Annotations of other load balancers that decide about addresses. */
const ANNOTATION_KEYS: readonly string[] = [
  ...Object.values(REQUEST_KEYS).flatMap((keys) => keys.slice(1)),
  'eip.openelb.kubesphere.io/v1alpha1',
  'eip.openelb.kubesphere.io/v1alpha2',
  'service.cilium.io/src-ranges-policy',
  'kairen.example.lb/address-pool',
];
/** Where charts keep addresses and pools: the first of MetalLB, v4pool and v6pool of PureLB. */
const FIELDS =
  /^(load_?balancer_?ips?|configInline|address-pools|ipAddressPools|v[46]pools?|VIP_ALLOCATION_(START|END))$/i;
const KUBE_VIP_KEY = /^(cidr|range)-[a-z0-9-]+$/;
const LIKE_ADDRESSES = /\d\.\d|:.*:|\$|\{\{/;
const KINDS = [
  'IPAddressPool',
  'AddressPool',
  'CiliumLoadBalancerIPPool',
  'ServiceGroup',
  'Eip',
  'L2Advertisement',
];
const BALANCER = 'LoadBalancer';

/** Worth parsing: a text of YAML that may hold any of them. */
const HINT =
  /metallb|kube-vip|purelb|lbipam|io\.cilium|openelb|kairen|src-ranges-policy|load_?balancer|address-pools|configInline|AddressPool|v[46]pool|(cidr|range)-/i;

const CHART_KINDS = new Map(
  Object.entries({
    'helm.toolkit.fluxcd.io': ['HelmRelease'],
    'helm.fluxcd.io': ['HelmRelease'],
    'argoproj.io': ['Application', 'ApplicationSet'],
    'helm.cattle.io': ['HelmChart', 'HelmChartConfig'],
    'addons.cluster.x-k8s.io': ['HelmChartProxy'],
    'fleet.cattle.io': ['Bundle', 'GitRepo'],
    'helm.crossplane.io': ['Release'],
  }),
);
/** Nobody's Service comes from them; Secrets are not to be shown. */
const NEVER = ['CustomResourceDefinition', 'Secret', 'Event'];
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** A document that the import does not read. */
export interface Unread {
  readonly raw: JsonObject;
  /** `HelmRelease network/nginx`, or the file where it has no kind. */
  readonly label: string;
  readonly where: string;
}

interface Find {
  readonly field: string;
  readonly value: unknown;
}

const FINDS_MAX = 20;

export interface RenderingContext {
  /** Never throws. */
  readonly parseYaml: (text: string) => unknown;
  /** Addresses that Services of the input have: a chart's value says nothing new about them. */
  readonly isKept: (address: IpAddress) => boolean;
}

export function noteUnrendered(
  { raw, label, where }: Unread,
  context: RenderingContext,
  all: Note[],
): void {
  if (NEVER.includes(textOf(raw, 'kind') ?? '')) return;
  const notes = new Notes(all, label, where);
  const finds = findsIn(raw, context).filter(({ value }) => {
    const addresses = typeof value === 'string' ? addressesIn(value) : [];
    return addresses.length === 0 || !addresses.every(context.isKept);
  });
  for (const { field, value } of finds.slice(0, FINDS_MAX)) {
    notes.add('error', `${shortText(value)}: ${ADVICE}`, field);
  }
  if (finds.length <= FINDS_MAX) return;
  notes.add('error', `${finds.length - FINDS_MAX} more of the kind: ${ADVICE}`);
}

/** `HelmRelease`, for a document from which a chart is rendered; `values` for a file of values. */
export function chartKindOf(raw: JsonObject): string | undefined {
  const { kind, apiVersion } = raw;
  if (typeof kind !== 'string' || typeof apiVersion !== 'string') return undefined;
  const [group = ''] = apiVersion.split('/');
  return CHART_KINDS.get(group)?.includes(kind) === true ? kind : undefined;
}

const TEXTS_MAX = 3;

function findsIn(raw: JsonObject, context: RenderingContext): readonly Find[] {
  const finds: Find[] = [];
  const isValues = raw['kind'] === undefined || chartKindOf(raw) !== undefined;
  const look = (value: unknown, base: string, texts: number): void => {
    walk(value, (each, path) => {
      const key = path.at(-1);
      if (key === LAST_APPLIED) return;
      const field = `${base}${pathText(path)}`.replace(/^\./, '');
      if (isFound(key, each, isValues)) finds.push({ field, value: each });
      else if (isObject(each)) finds.push(...pairIn(each, field, isValues), ...kindIn(each, field));
      else if (typeof each === 'string' && texts < TEXTS_MAX && HINT.test(each)) {
        const inner = each.includes('\n') || each.includes(': ') ? context.parseYaml(each) : each;
        if (isObject(inner) || Array.isArray(inner)) look(inner, field, texts + 1);
      }
    });
  };
  look(raw, '', 0);
  // what is below a find comes right after it, and says nothing more
  const outer: Find[] = [];
  for (const find of finds) if (!isInside(find.field, outer.at(-1))) outer.push(find);
  return outer;
}

function isInside(field: string, outer: Find | undefined): boolean {
  return (
    outer !== undefined &&
    /^[.[]/.test(field.slice(outer.field.length)) &&
    field.startsWith(outer.field)
  );
}

function isFound(key: string | number | undefined, value: unknown, isValues: boolean): boolean {
  if (typeof key !== 'string' || isEmpty(value)) return false;
  const name = plainKey(key);
  if (ANNOTATION_KEYS.some((known) => name === known || name.endsWith(`.${known}`))) {
    return !isObject(value);
  }
  const last = name.slice(name.lastIndexOf('.') + 1);
  // a schema describes the field and has none
  if (FIELDS.test(last)) return !isObject(value) || !('type' in value && 'description' in value);
  if (KUBE_VIP_KEY.test(name)) return typeof value === 'string' && LIKE_ADDRESSES.test(value);
  return isValues && value === BALANCER && /type$/i.test(last);
}

function isEmpty(value: unknown): boolean {
  return (
    value === null ||
    value === '' ||
    value === false ||
    (Array.isArray(value) && value.length === 0) ||
    (isObject(value) && Object.keys(value).length === 0)
  );
}

/** `helm --set` writes a dot of a key as `\.`, and a JSON patch a slash as `~1`, after the path to it. */
function plainKey(key: string): string {
  if (!key.startsWith('/')) return key.replaceAll('\\.', '.');
  return key.slice(1).replaceAll('/', '.').replaceAll('~1', '/');
}

/** Parameters of Argo CD, and operations of a JSON patch. */
function pairIn(value: JsonObject, field: string, isValues: boolean): readonly Find[] {
  const key = textOf(value, 'name') ?? textOf(value, 'path');
  return isFound(key, value['value'], isValues)
    ? [{ field: `${field}[${String(key)}]`, value: value['value'] }]
    : [];
}

/** A pool of another load balancer inside something else. */
function kindIn(value: JsonObject, field: string): readonly Find[] {
  const kind = textOf(value, 'kind') ?? '';
  const isPool = field !== '' && KINDS.includes(kind) && typeof value['apiVersion'] === 'string';
  return isPool ? [{ field, value: kind }] : [];
}

/** `spec.values.service.annotations[metallb.io/loadBalancerIPs]` */
function pathText(path: readonly (string | number)[]): string {
  const parts = path.map((part) => {
    if (typeof part === 'number') return `[${part}]`;
    return /^[A-Za-z_][\w-]*$/.test(part) ? `.${part}` : `[${part}]`;
  });
  return parts.join('');
}

/** Lines of a template that say more than a chart's own, which are in every chart. */
const TEMPLATE_LINES: readonly RegExp[] = [
  /^\s*(?:- )?["']?(kind:\s*["']?(?:IPAddressPool|AddressPool|CiliumLoadBalancerIPPool|ServiceGroup|Eip))\b/m,
  /^\s*["']?(address-pools|configInline|(?:cidr|range)-global)["']?:/m,
  /^\s*["']?((?:serviceT|t)ype:\s*["']?LoadBalancer)\b/m,
];

/** What stands in a template that the import knows. */
export function findsInTemplate(text: string): readonly string[] {
  const keys = ANNOTATION_KEYS.filter((key) => text.includes(key));
  const lines = TEMPLATE_LINES.flatMap((pattern) => pattern.exec(text)?.[1] ?? []);
  return [...lines, ...keys];
}

export { ADVICE as RENDER_ADVICE };
