// One write of the assigner to the API server.
// Invariant: no address is shown by two Services, whatever other leader acts at the same time on whatever old view. The
// API server changes one object at a time, so two rules hold Service and IP together (docs/decisions/0008):
// - A status shows an address anew only after the IP was written (made, given the claim, or confirmed) since the Service
//   was read, and only if the Service has not changed since then.
// - A claim is taken off only if the IP has not changed since it was read and the Service, where it lives and could show
//   the address, was written after that without showing it.
// Of a showing and a taking that overlap, one finds the other's object changed.
import type { ClusterStore } from '../../api/cluster.ts';
import type { IP, IpService } from '../../api/ip.ts';
import { namespacedName, type Service } from '../../api/kubernetes.ts';
import {
  createObject,
  deleteObject,
  mergePatchObject,
  readObject,
  resourceVersionOf,
  type MergePatch,
} from '../../kube/apply.ts';
import { ApiError } from '../../kube/errors.ts';
import { objectAt, textAt } from '../../kube/json.ts';
import { SERVICES, type ObjectName } from '../../kube/resource.ts';
import { IPS } from '../../kube/own-kinds.ts';
import type { ApiClient } from '../../kube/transport.ts';
import { objectNameOf, tryParseIp, type IpAddress } from '../../net/address.ts';
import { messageOf } from '../../runtime/errors.ts';
import type { Answers } from './answers.ts';
import type { Action } from '../decide/decision.ts';
import { claimOf, claimsOf } from '../holders/ip-object.ts';
import type { Answered } from './overtaken.ts';
import { ipPatch, ipStatusPatch, serviceStatusPatch } from './patches.ts';
import { projectIp, projectService } from '../project.ts';

export interface ObjectPorts {
  readonly client: ApiClient;
  readonly store: ClusterStore;
  readonly answers: Answers;
  readonly signal: AbortSignal;
}

/** What a decision has changed so far. A write that the API server found to change nothing is not in here. */
export interface Progress {
  /** Services (`namespace/name`) whose status it wrote. */
  readonly services: Set<string>;
  /** Names of IPs that it made, or whose holders it wrote. */
  readonly ips: Set<string>;
}

/** stale: somebody else wrote first; the store shows what, and the decision must be made anew. */
export type Written = 'done' | 'stale';

/** A write of one object; the Pools have a writer of their own. */
export type ObjectAction = Exclude<Action, { readonly do: 'pool.status' }>;

// A patch that changes nothing makes no new version: these two change with each pair of versions that they are about.
/** On an IP: the version of the Service that is to show it, where it held it from before. */
const CONFIRMED_FOR = 'vipvs.io/confirmed-for';
/** On a Service: the IP that is taken off it though it does not show it, and the IP's version. */
const RELEASED = 'vipvs.io/released';

type IpAction = Exclude<ObjectAction, { readonly do: 'service.status' }>;

export function keyOfAction(action: ObjectAction): string {
  return action.do === 'service.status'
    ? `Service/${action.service}`
    : `IP/${action.ip.metadata.name}`;
}

export class ObjectWriter {
  readonly #ports: ObjectPorts;

  constructor(ports: ObjectPorts) {
    this.#ports = ports;
  }

  /** `seen`: the version that the decision was based on. Rejects with ApiError, or with the signal's reason. */
  async write(
    action: ObjectAction,
    seen: string | undefined,
    progress: Progress,
  ): Promise<Written> {
    if (action.do === 'service.status') return this.#writeService(action, seen, progress);
    if (action.do === 'ip.create') return this.#createIp(action.ip, progress);
    const { ip } = action;
    const version = this.#ports.answers.translate('IP', ip.metadata.name, seen);
    // the object that it was decided on was never made
    if (version === undefined) return this.#rereadIp(ip.metadata.name);
    if (action.do === 'ip.status') return this.#patchIp(action, version, progress);
    const held = this.#ports.store.ips.get(ip.metadata.name);
    // whom this write takes the address from is known for one version only
    if (held?.metadata.resourceVersion !== version) return this.#rereadIp(ip.metadata.name);
    const left = new Set(claimsOf(ip).map(holderOf));
    for (const claim of claimsOf(held)) {
      if (left.has(holderOf(claim)) || progress.services.has(namespacedName(claim))) continue;
      if (!(await this.#letGo(claim, ip, version))) return 'stale';
    }
    return action.do === 'ip.delete'
      ? this.#deleteIp(ip, version)
      : this.#patchIp(action, version, progress);
  }

  /**
   * Whether the Service has let go of the address. Services and IPs come by two watches, and a new leader's lists are not
   * of one moment: a Service that is not in the store may be there, and show the address.
   */
  async #letGo(claim: IpService, ip: IP, version: string): Promise<boolean> {
    const { store } = this.#ports;
    const key = namespacedName(claim);
    const read = await this.#readService(key);
    const raw = read.answer;
    if (raw === undefined) return true;
    const uid = textAt(objectAt(raw, 'metadata'), 'uid');
    if (claim.uid !== undefined && uid !== claim.uid) return true;
    const service = readable(`Service ${key}`, () => projectService(raw));
    const now = resourceVersionOf(raw);
    const isNews = now !== store.services.get(key)?.metadata.resourceVersion;
    const isKnown = service !== undefined || store.services.has(key);
    if ((isNews && isKnown) || isShown(service, tryParseIp(ip.spec.address))) {
      this.#ports.answers.found('Service', key, service, read);
      return false;
    }
    // as it is nobody can show an address for it
    if (service?.spec.type !== 'LoadBalancer') return true;
    if ((await this.#checkIp(ip.metadata.name, version)) === 'stale') return false;
    // whoever is about to show the address finds the Service changed
    const annotations = { [RELEASED]: `${ip.metadata.name}@${version}` };
    const written = await this.#patchService(key, { metadata: { annotations } }, now);
    return written !== 'stale';
  }

  async #createIp({ apiVersion, kind, metadata, spec }: IP, progress: Progress): Promise<Written> {
    const { client, signal, answers } = this.#ports;
    const { name } = metadata;
    const body = { apiVersion, kind, spec, metadata: { name } };
    const made = await answers.write('IP', name, undefined, () =>
      createObject(client, IPS, body, signal),
    );
    if (made.answer.outcome === 'exists') return this.#rereadIp(name);
    this.#learnIp(name, undefined, made, made.answer.object);
    progress.ips.add(name);
    return 'done';
  }

  async #patchIp(action: IpAction, version: string, progress: Progress): Promise<Written> {
    const { ip } = action;
    const { name } = ip.metadata;
    const isStatus = action.do === 'ip.status';
    const patch = isStatus ? ipStatusPatch(ip) : ipPatch(ip);
    const subresource = isStatus ? ({ subresource: 'status' } as const) : {};
    const written = await this.#mergeIp(name, { patch, ...subresource }, version);
    if (written === 'changed' && !isStatus) progress.ips.add(name);
    return written === 'stale' ? 'stale' : 'done';
  }

  async #deleteIp({ metadata }: IP, version: string): Promise<Written> {
    const { client, signal, answers } = this.#ports;
    const { name, uid } = metadata;
    const preconditions = { uid, resourceVersion: version };
    const deleted = await answers.write('IP', name, version, () =>
      deleteObject(client, IPS, { name }, preconditions, signal),
    );
    // with a finalizer of somebody's it is still there
    if (deleted.answer === 'conflict') return this.#rereadIp(name);
    answers.made('IP', name, { from: version, to: undefined, object: undefined }, deleted);
    return 'done';
  }

  async #writeService(
    { service: key, status }: ObjectAction & { readonly do: 'service.status' },
    seen: string | undefined,
    progress: Progress,
  ): Promise<Written> {
    const version = this.#ports.answers.translate('Service', key, seen);
    if (version === undefined) return 'done'; // the Service is gone: its release is decided by that
    for (const { ip } of status.loadBalancer?.ingress ?? []) {
      const address = ip === undefined ? undefined : tryParseIp(ip);
      if (address === undefined || progress.ips.has(objectNameOf(address))) continue;
      if ((await this.#confirm(address, key, version)) === 'stale') return 'stale';
    }
    const written = await this.#patchService(key, serviceStatusPatch(status), version);
    if (written === 'changed') progress.services.add(key);
    return written === 'stale' ? 'stale' : 'done';
  }

  /** The Service is to show an address that it holds from before: writes the IP, if it is not shown already. */
  async #confirm(address: IpAddress, key: string, version: string): Promise<Written> {
    const { store } = this.#ports;
    const service = store.services.get(key);
    const isSame = service?.metadata.resourceVersion === version;
    if (isSame && isShown(service, address)) return 'done';
    const name = objectNameOf(address);
    const ip = store.ips.get(name);
    const claim = ip === undefined ? undefined : claimOf(claimsOf(ip), key);
    const isHeld = claim !== undefined && claim.uid === service?.metadata.uid;
    const resourceVersion = ip?.metadata.resourceVersion;
    if (!isHeld || resourceVersion === undefined) return this.#rereadIp(name);
    if ((await this.#checkService(key, version)) === 'stale') return 'stale';
    const annotations = { [CONFIRMED_FOR]: version };
    const confirmed = await this.#mergeIp(
      name,
      { patch: { metadata: { annotations } } },
      resourceVersion,
    );
    return confirmed === 'stale' ? 'stale' : 'done';
  }

  async #mergeIp(
    name: string,
    merge: Pick<MergePatch, 'patch' | 'subresource'>,
    version: string,
  ): Promise<'changed' | 'same' | 'stale'> {
    const { client, signal, answers } = this.#ports;
    const patch = { at: { name }, resourceVersion: version, ...merge };
    const merged = await answers.write('IP', name, version, () =>
      mergePatchObject(client, IPS, patch, signal),
    );
    if (merged.answer.outcome !== 'updated') return this.#rereadIp(name);
    return this.#learnIp(name, version, merged, merged.answer.object) ? 'changed' : 'same';
  }

  /** By way of the status, which takes annotations as well. */
  async #patchService(
    key: string,
    patch: Readonly<Record<string, unknown>>,
    version: string | undefined,
  ): Promise<'changed' | 'same' | 'stale'> {
    const { client, signal, answers } = this.#ports;
    const merge = { at: objectNameOfKey(key), patch, resourceVersion: version } as const;
    const merged = await answers.write('Service', key, version, () =>
      mergePatchObject(client, SERVICES, { ...merge, subresource: 'status' }, signal),
    );
    if (merged.answer.outcome !== 'updated') return this.#rereadService(key);
    const raw = merged.answer.object;
    const object = readable(`Service ${key}`, () => projectService(raw));
    const to = resourceVersionOf(raw);
    if (to === version) return 'same';
    answers.made('Service', key, { from: version, to, object }, merged);
    return 'changed';
  }

  /** Answers false where the write changed nothing. */
  #learnIp(name: string, from: string | undefined, by: Answered<unknown>, raw: unknown): boolean {
    const object = readable(`IP ${name}`, () => projectIp(raw));
    const to = object.metadata.resourceVersion;
    if (to === from) return false;
    this.#ports.answers.made('IP', name, { from, to, object }, by);
    return true;
  }

  // on an old view one object is not written for the other's sake: two leaders would keep each other busy

  async #checkIp(name: string, version: string): Promise<Written> {
    const read = await this.#readIp(name);
    return resourceVersionOf(read.answer) === version ? 'done' : this.#showIp(name, read);
  }

  async #checkService(key: string, version: string): Promise<Written> {
    const read = await this.#readService(key);
    return resourceVersionOf(read.answer) === version ? 'done' : this.#showService(key, read);
  }

  async #rereadIp(name: string): Promise<'stale'> {
    return this.#showIp(name, await this.#readIp(name));
  }

  async #rereadService(key: string): Promise<'stale'> {
    return this.#showService(key, await this.#readService(key));
  }

  #readIp(name: string): Promise<Answered<unknown>> {
    const { client, signal, answers } = this.#ports;
    return answers.read('IP', name, () => readObject(client, IPS, { name }, signal));
  }

  #readService(key: string): Promise<Answered<unknown>> {
    const { client, signal, answers } = this.#ports;
    const at = objectNameOfKey(key);
    return answers.read('Service', key, () => readObject(client, SERVICES, at, signal));
  }

  #showIp(name: string, read: Answered<unknown>): 'stale' {
    const raw = read.answer;
    const ip = raw === undefined ? undefined : readable(`IP ${name}`, () => projectIp(raw));
    this.#ports.answers.found('IP', name, ip, read);
    return 'stale';
  }

  #showService(key: string, read: Answered<unknown>): 'stale' {
    const raw = read.answer;
    const service =
      raw === undefined ? undefined : readable(`Service ${key}`, () => projectService(raw));
    this.#ports.answers.found('Service', key, service, read);
    return 'stale';
  }
}

function isShown(service: Service | undefined, address: IpAddress | undefined): boolean {
  const ingress = service?.status?.loadBalancer?.ingress ?? [];
  return ingress.some(({ ip }) => ip !== undefined && tryParseIp(ip) === address);
}

function holderOf(claim: IpService): string {
  return `${namespacedName(claim)} ${claim.uid ?? ''}`;
}

/** An answer that can't be read is tried again later, as the watch does: it is no bug of ours. */
function readable<T>(what: string, project: () => T): T {
  try {
    return project();
  } catch (cause) {
    throw new ApiError(`${what}: the answer can not be read: ${messageOf(cause)}`, {
      code: 'bad-answer',
      status: 0,
      cause,
    });
  }
}

function objectNameOfKey(key: string): ObjectName {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
