// Cilium LB IPAM: CiliumLoadBalancerIPPool (cilium.io/v2 and v2alpha1), and before it the ConfigMap bgp-config, which is
// one of MetalLB; CiliumL2AnnouncementPolicy and the BGP kinds are reported. Pure.
// Facts (Cilium documentation, LB IPAM): a selector may name io.kubernetes.service.namespace and .name beside labels;
// allowFirstLastIPs: No leaves out the ends of each CIDR shorter than /31; not set, it was No up to 1.15 and is Yes since;
// v2 came with 1.18. Up to 1.14 the list was called `cidrs`.
import type { LabelSelector } from '../api/pool.ts';
import { selectorMatches } from '../api/selector.ts';
import { ipFromBigInt } from '../net/address.ts';
import { rangeSize, type IpRange } from '../net/range.ts';
import { Fields, type Entry } from './fields.ts';
import { configKeyOf, readConfig } from './metallb-config.ts';
import { attempt, guarded, SourceError, type Notes } from './notes.ts';
import { cautious, poolAddresses } from './pool-spec.ts';
import { literalInterface } from './interfaces.ts';
import {
  labelOf,
  type Converted,
  type Note,
  type PoolDraft,
  type PoolSpecDraft,
  type ServiceWish,
  type SourceObject,
} from './model.ts';
import { readRange } from './ranges.ts';
import type { SystemContext } from './system.ts';

const GROUP = 'cilium.io';
const POOL_KIND = 'CiliumLoadBalancerIPPool';
/** Of ConfigMap kube-system/bgp-config. */
const CONFIG_KEY = 'config.yaml';
const NAMESPACE_KEY = 'io.kubernetes.service.namespace';
const NAME_KEY = 'io.kubernetes.service.name';
/** Set by Kubernetes on every Namespace. */
const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name';

export function isCilium(object: SourceObject): boolean {
  const { group, kind } = object;
  if (configKeyOf(object, CONFIG_KEY) !== undefined) return true;
  const isOurs =
    [POOL_KIND, 'CiliumL2AnnouncementPolicy'].includes(kind) || kind.startsWith('CiliumBGP');
  return group === GROUP && isOurs;
}

interface ReadPool {
  readonly draft: PoolDraft;
  /** Services that it is for by name: they get the Pool by annotation. */
  readonly named: LabelSelector | undefined;
}

export function convertCilium(objects: readonly SourceObject[], context: SystemContext): Converted {
  const notes: Note[] = [];
  const pools: ReadPool[] = [];
  const interfaces: (string | undefined)[] = [];
  const newer = objects.find(({ kind }) => kind === POOL_KIND);
  for (const object of objects) {
    guarded(notes, object, (about) => {
      if (object.kind === POOL_KIND) {
        const pool = readPool(object, about);
        if (pool !== undefined) pools.push(pool);
      } else if (object.kind === 'ConfigMap') {
        const drafts = readOldConfig(object, newer, about, context);
        pools.push(...drafts.map((draft) => ({ draft, named: undefined })));
      } else if (object.kind === 'CiliumL2AnnouncementPolicy') {
        interfaces.push(readPolicy(object, about));
      } else {
        about.add(
          'no-equivalent',
          'vipvs does not speak BGP: let a BGP daemon on the directors announce the VIPs',
        );
      }
    });
  }
  const [bindInterface] = interfaces.length === 1 ? interfaces : [];
  const drafts = pools.map(({ draft, named }) => ({
    named,
    draft:
      bindInterface === undefined ? draft : { ...draft, spec: { ...draft.spec, bindInterface } },
  }));
  const wishes = drafts.flatMap(({ draft, named }) => wishesOf(draft, named, context));
  return { pools: drafts.map(({ draft }) => draft), uses: [], wishes, notes };
}

/** As Cilium does: where there are pool objects, LB IPAM hands out their addresses and nobody reads the ConfigMap. */
function readOldConfig(
  object: SourceObject,
  newer: SourceObject | undefined,
  notes: Notes,
  context: SystemContext,
): readonly PoolDraft[] {
  if (newer === undefined) return readConfig(object, CONFIG_KEY, 'cilium', notes, context);
  const text = `LB IPAM does not read it, and ${labelOf(newer)} is here: it is left out; remove it`;
  notes.add('ambiguous', text);
  return [];
}

function readPool(object: SourceObject, notes: Notes): ReadPool | undefined {
  const spec = Fields.specOf(object, notes);
  const isOld = spec.has('cidrs');
  const blocks = ['cidrs', 'blocks'].flatMap((key) => spec.objects(key));
  const entries = blocks.flatMap((block) => attempt(notes, 'it', () => readBlock(block)) ?? []);
  const allow = spec.text('allowFirstLastIPs');
  const disabled = spec.flag('disabled') === true;
  const selector = spec.selector('serviceSelector');
  spec.end();
  if (blocks.length > 0 && entries.length === 0) return undefined; // each is named
  const addresses = poolAddresses(entries, 'spec.blocks', notes);
  if (addresses === undefined) return undefined;
  const ends = addresses
    .filter((text) => text.includes('/'))
    .map((text) => readRange(text, 'spec.blocks'))
    .filter((range) => rangeSize(range) > 2n);
  const filterIPs = readEnds(allow, { isOld, isV2: object.version === 'v2' }, ends, notes);
  const rule = selector === undefined ? undefined : ruleOf(selector, notes);
  const draft = {
    addresses,
    ...(filterIPs.length === 0 ? {} : { filterIPs }),
    ...(rule?.named === undefined ? {} : { autoAssign: false }),
    ...(disabled || rule?.isForNobody === true ? { disabled: true } : {}),
    ...(rule?.allocation === undefined ? {} : { serviceAllocation: rule.allocation }),
  };
  return {
    draft: {
      system: 'cilium',
      name: object.name,
      origin: labelOf(object),
      where: object.where,
      spec: cautious(draft, notes.damages > 0, notes),
    },
    named: rule?.named,
  };
}

function readBlock(block: Fields): Entry {
  const cidr = block.text('cidr');
  const start = block.text('start');
  const stop = block.text('stop');
  block.end();
  if (cidr !== undefined && cidr !== '') return { text: cidr, field: block.pathOf('cidr') };
  if (start === undefined || start === '') {
    throw new SourceError('has neither cidr nor start', block.pathOf('cidr'));
  }
  const text = stop === undefined || stop === '' ? start : `${start}-${stop}`;
  return { text, field: block.pathOf('start') };
}

function readEnds(
  allow: string | undefined,
  { isOld, isV2 }: { readonly isOld: boolean; readonly isV2: boolean },
  ends: readonly IpRange[],
  notes: Notes,
): readonly string[] {
  const isYes = allow === undefined ? !isOld : allow.toLowerCase() === 'yes';
  if (allow === undefined && ends.length > 0 && !isV2) {
    const taken = isYes
      ? 'Yes is taken: the first and the last address of each CIDR are handed out'
      : 'No is taken, because spec.cidrs is of 1.14 or before: they are in spec.filterIPs';
    const text = `not set, which means No up to Cilium 1.15 and Yes since 1.16; ${taken}`;
    notes.add('ambiguous', text, 'spec.allowFirstLastIPs');
  }
  if (isYes) return [];
  return ends.flatMap(({ family, first, last }) => [
    ipFromBigInt(family, first),
    ipFromBigInt(family, last),
  ]);
}

interface Rule {
  readonly allocation: PoolSpecDraft['serviceAllocation'];
  readonly named: LabelSelector | undefined;
  readonly isForNobody: boolean;
}

type Expression = NonNullable<LabelSelector['matchExpressions']>[number];

/** One Cilium selector -> namespaces and Service labels apart, which must both hold, as in a Pool. */
function ruleOf(selector: LabelSelector, notes: Notes): Rule {
  const all = expressionsOf(selector);
  const onNamespace = all.filter(({ key }) => key === NAMESPACE_KEY);
  const onName = all.filter(({ key }) => key === NAME_KEY);
  const labels = withoutSpecial(selector);
  const { namespaces, others, isForNobody } = namespacesOf(onNamespace);
  if (isForNobody) {
    const text = `selects no namespace at all: the Pool is disabled`;
    notes.add('ambiguous', text, 'spec.serviceSelector');
  }
  if (onName.length > 0) {
    const text = `${NAME_KEY}: a Pool does not select Services by name; it has autoAssign: false, and the Services named get it by annotation`;
    notes.add('no-equivalent', text, 'spec.serviceSelector');
  }
  const allocation = {
    ...(namespaces === undefined ? {} : { namespaces }),
    ...(others.length === 0 ? {} : { namespaceSelectors: [{ matchExpressions: others }] }),
    ...(labels === undefined ? {} : { serviceSelectors: [labels] }),
  };
  return {
    allocation: Object.keys(allocation).length === 0 ? undefined : allocation,
    named: onName.length === 0 ? undefined : selector,
    isForNobody,
  };
}

function expressionsOf(selector: LabelSelector): readonly Expression[] {
  const labels = Object.entries(selector.matchLabels ?? {}).map(([key, value]): Expression => ({
    key,
    operator: 'In',
    values: [value],
  }));
  return [...labels, ...(selector.matchExpressions ?? [])];
}

function isSpecial(key: string): boolean {
  return key === NAMESPACE_KEY || key === NAME_KEY;
}

/** The part that is about labels; undefined where there is none. */
function withoutSpecial(selector: LabelSelector): LabelSelector | undefined {
  const matchLabels = Object.fromEntries(
    Object.entries(selector.matchLabels ?? {}).filter(([key]) => !isSpecial(key)),
  );
  const matchExpressions = (selector.matchExpressions ?? []).filter(({ key }) => !isSpecial(key));
  const hasLabels = Object.keys(matchLabels).length > 0;
  if (!hasLabels && matchExpressions.length === 0) return undefined;
  return {
    ...(hasLabels ? { matchLabels } : {}),
    ...(matchExpressions.length === 0 ? {} : { matchExpressions }),
  };
}

interface Namespaces {
  /** Exactly these; undefined: `others` decides. */
  readonly namespaces: readonly string[] | undefined;
  readonly others: readonly Expression[];
  readonly isForNobody: boolean;
}

/** A Pool takes a namespace that is named or selected, so what is excluded is taken out of the names here. */
function namespacesOf(expressions: readonly Expression[]): Namespaces {
  const lists = expressions.flatMap(({ operator, values = [] }) =>
    operator === 'In' ? [values] : [],
  );
  const excluded = expressions.flatMap(({ operator, values = [] }) =>
    operator === 'NotIn' ? values : [],
  );
  const never = expressions.some(({ operator }) => operator === 'DoesNotExist');
  const [first, ...rest] = lists;
  if (first !== undefined) {
    const namespaces = [...new Set(first)].filter(
      (name) => rest.every((list) => list.includes(name)) && !excluded.includes(name),
    );
    if (namespaces.length > 0 && !never) return { namespaces, others: [], isForNobody: false };
    return { namespaces: undefined, others: [], isForNobody: true };
  }
  const others: readonly Expression[] =
    excluded.length === 0
      ? []
      : [{ key: NAMESPACE_NAME_LABEL, operator: 'NotIn', values: [...new Set(excluded)] }];
  return { namespaces: undefined, others, isForNobody: never };
}

function wishesOf(
  draft: PoolDraft,
  named: LabelSelector | undefined,
  context: SystemContext,
): readonly ServiceWish[] {
  if (named === undefined) return [];
  const selected = context.services.filter(({ service, name, request }) => {
    const labels = {
      ...service.metadata.labels,
      [NAMESPACE_KEY]: name.namespace,
      [NAME_KEY]: name.name,
    };
    const isBalanced = service.spec.type === 'LoadBalancer';
    return isBalanced && request.pool === undefined && selectorMatches(named, labels);
  });
  const why = `${draft.name} selects it by ${NAME_KEY}`;
  return selected.map(({ name }) => ({ service: name, pool: draft, why }));
}

/** The one interface of a policy for all Services. */
function readPolicy(object: SourceObject, notes: Notes): string | undefined {
  const spec = Fields.specOf(object, notes);
  const nodes = 'label the nodes that may hold VIPs as directors instead (vipvs.io/director)';
  spec.unsupported('nodeSelector', nodes);
  const hasSelector = spec.selector('serviceSelector') !== undefined;
  const expressions = spec.texts('interfaces');
  spec.unsupported('externalIPs', 'vipvs serves status.loadBalancer only');
  spec.ignore('loadBalancerIPs');
  spec.end();
  if (hasSelector) {
    const text = 'every Service with an address of a Pool is announced';
    notes.add('no-equivalent', text, 'spec.serviceSelector');
  }
  const [expression] = expressions;
  if (expression === undefined) return undefined;
  const name = literalInterface(expression);
  if (expressions.length === 1 && name !== undefined && !hasSelector) return name;
  const text = `${expressions.join(', ')}: not one interface for all Services; set spec.bindInterface of the Pools, or --bind-iface of the agent decides`;
  notes.add('ambiguous', text, 'spec.interfaces');
  return undefined;
}
