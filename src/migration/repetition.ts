// One object in several documents: the same once more, a kustomize patch and its base, overlays, leftovers. Which of them
// count can't be told without rendering, so they are read as one, and nothing that one of them asks for is lost. Pure.
import type { IpAddress } from '../net/address.ts';
import { childOf, isObject, type JsonObject } from './json.ts';
import { labelOf, type AddressUse, type Note, type SourceObject } from './model.ts';
import { addressesAsked, addressesNamed, ingressOf } from './named-addresses.ts';
import { Notes } from './notes.ts';
import { isService } from './services.ts';
import { isRead, systemOf } from './sources.ts';

export interface Once {
  readonly objects: readonly SourceObject[];
  /** Addresses that a document asks for and the object that was made of all does not. */
  readonly uses: readonly AddressUse[];
}

type Group = [SourceObject, ...SourceObject[]];

/** Every object that the import reads, once. Others stay as they are: nobody looks at them. */
export function withoutRepetition(objects: readonly SourceObject[], all: Note[]): Once {
  const groups = new Map<string, Group>();
  const texts = new Map<Group, Set<string>>();
  for (const object of objects) {
    const key = keyOf(object, groups.size);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [object]);
    else if (isNew(object, group, texts)) group.push(object);
  }
  const uses: AddressUse[] = [];
  const found = [...groups.values()].map((group) => oneOf(group, uses, all));
  return { objects: found, uses };
}

function keyOf(object: SourceObject, next: number): string {
  // two Services without a namespace need not be the same one
  const isOne = isRead(object) && (!isService(object) || object.namespace !== undefined);
  return isOne ? `${object.group} ${labelOf(object)}` : `${next}`;
}

/** The same text once more says nothing. */
function isNew(object: SourceObject, group: Group, texts: Map<Group, Set<string>>): boolean {
  const known = texts.get(group) ?? new Set(group.map(({ raw }) => JSON.stringify(raw)));
  texts.set(group, known);
  const before = known.size;
  return known.add(JSON.stringify(object.raw)).size > before;
}

function oneOf(group: Group, uses: AddressUse[], all: Note[]): SourceObject {
  const [first] = group;
  if (group.length === 1) return first;
  const merged = inOrder(group)
    .map(({ raw }) => raw)
    .reduce((target, patch) => mergedOf(target, patch));
  const object = { ...first, raw: isService(first) ? asServed(merged, group) : merged };
  if (!isToTell(object, group)) return object;
  const places = group.map((each) => {
    const named = isService(each) ? addressesNamed(each.raw) : [];
    return named.length === 0 ? each.where : `${each.where} names ${named.join(', ')}`;
  });
  const text = `is given ${group.length} times, as by a kustomize patch or an overlay (${places.join('; ')}): they are read as one, which may not be what is applied; render them (kustomize build) and give that`;
  const notes = Notes.of(all, object);
  notes.add('error', text);
  const taken = addressesNamed(object.raw);
  for (const each of isService(object) ? group : []) {
    const lost = addressesNamed(each.raw).filter((ip) => !taken.includes(ip));
    if (lost.length === 0) continue;
    const names = lost.join(', ');
    notes.add('error', `does not get ${names} of ${each.where}: kept out of use`);
    uses.push(...lost.map((address) => spare(address, each)));
  }
  return object;
}

function spare(address: IpAddress, object: SourceObject): AddressUse {
  const { where } = object;
  return { system: 'services', address, origin: labelOf(object), where, retain: true };
}

/** What is whole before what only changes it. */
function inOrder(group: readonly SourceObject[]): readonly SourceObject[] {
  const isWhole = ({ raw }: SourceObject): boolean =>
    'data' in raw || Object.keys(childOf(raw, 'spec')).some((key) => WHOLE.includes(key));
  return [...group.filter(isWhole), ...group.filter((each) => !isWhole(each))];
}

/** Fields without which a Service or a pool would not be taken. */
const WHOLE = ['ports', 'addresses', 'address', 'blocks', 'cidrs', 'local', 'remote'];

/** Deeper than any manifest that a person writes. */
const DEPTH_MAX = 100;

/** JSON merge patch (RFC 7386): lists are replaced. */
function mergedOf(target: JsonObject, patch: JsonObject, depth = 0): JsonObject {
  if (depth === DEPTH_MAX) return patch;
  const merged: Record<string, unknown> = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    const old = merged[key];
    if (value === null) Reflect.deleteProperty(merged, key);
    else merged[key] = isObject(value) && isObject(old) ? mergedOf(old, value, depth + 1) : value;
  }
  return merged;
}

/** Of a Service: it is a load balancer if one of the documents makes it one, and its status is the one that says most. */
function asServed(raw: JsonObject, group: readonly SourceObject[]): JsonObject {
  const shown = group.find((each) => ingressOf(each.raw).length > 0);
  const spec = group.some(isBalancer)
    ? { ...childOf(raw, 'spec'), type: 'LoadBalancer' }
    : childOf(raw, 'spec');
  return { ...raw, spec, ...(shown === undefined ? {} : { status: shown.raw['status'] }) };
}

function isBalancer({ raw }: SourceObject): boolean {
  return childOf(raw, 'spec')['type'] === 'LoadBalancer';
}

/** A Service that is no load balancer in any document is of no interest, nor are labels of Namespaces. */
function isToTell(object: SourceObject, group: readonly SourceObject[]): boolean {
  if (!isService(object)) return systemOf(object) !== undefined;
  return group.some((each) => isBalancer(each) || addressesAsked(each.raw).length > 0);
}
