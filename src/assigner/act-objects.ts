// One write of the assigner to the API server, and what its answer teaches.
// Invariants: every write is conditional (a create, or a resourceVersion that the decision was based on), so that two
// leaders can't give one address twice; what the answer says is in the store before anything else is decided.
import type { ClusterStore, Kind } from '../api/cluster.ts';
import type { IP, IpService } from '../api/ip.ts';
import { namespacedName, type Service } from '../api/kubernetes.ts';
import {
  createObject,
  deleteObject,
  mergePatchObject,
  readObject,
  resourceVersionOf,
} from '../kube/apply.ts';
import { ApiError } from '../kube/errors.ts';
import { objectAt, textAt } from '../kube/json.ts';
import { SERVICES, type ObjectName } from '../kube/resource.ts';
import { IPS } from '../kube/own-kinds.ts';
import type { ApiClient } from '../kube/transport.ts';
import { messageOf } from '../runtime/errors.ts';
import type { Action } from './decision.ts';
import { claimsOf } from './ip-object.ts';
import type { OwnVersions } from './own-versions.ts';
import {
  ipPatch,
  ipStatusPatch,
  projectIp,
  projectService,
  serviceStatusPatch,
} from './project.ts';

export interface ObjectPorts {
  readonly client: ApiClient;
  readonly store: ClusterStore;
  readonly own: OwnVersions;
  /** The store shows what a write made, or a read found. */
  readonly onWritten: (kind: Kind, key: string) => void;
  readonly signal: AbortSignal;
}

/** stale: somebody else wrote first; the store shows what, and the decision must be made anew. */
export type Written = 'done' | 'stale';

/** A write of one object; the Pools have a writer of their own. */
export type ObjectAction = Exclude<Action, { readonly do: 'pool.status' }>;

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

  /**
   * `seen`: the version that the decision was based on. `proven`: Services whose status this decision has written, which
   * proves that it saw them as they are. Rejects with ApiError, or with the signal's reason.
   */
  async write(
    action: ObjectAction,
    seen: string | undefined,
    proven: ReadonlySet<string>,
  ): Promise<Written> {
    if (action.do === 'ip.create') return this.#createIp(action.ip);
    const version = this.#ports.own.translate(keyOfAction(action), seen);
    if (action.do === 'service.status') return this.#patchService(action, version);
    // the object that it was decided on was never made
    if (version === undefined) return this.#rereadIp(action.ip.metadata.name);
    for (const claim of this.#claimsTakenOff(action)) {
      if (!proven.has(namespacedName(claim)) && !(await this.#isLetGo(claim))) return 'stale';
    }
    if (action.do === 'ip.delete') return this.#deleteIp(action.ip, version);
    return this.#patchIp(action, version);
  }

  #claimsTakenOff({ ip }: IpAction): readonly IpService[] {
    const { name } = ip.metadata;
    const left = new Set(claimsOf(ip).map(namespacedName));
    const held = this.#ports.store.ips.get(name);
    // what is deleted is decided on as it was, with what it is to lose
    const claims = held === undefined ? [] : claimsOf(held);
    return claims.filter((claim) => !left.has(namespacedName(claim)));
  }

  /**
   * Whether the Service really let go of its address. Services and IPs come by two watches, and a new leader's lists are
   * not of one moment: a Service that is not in the store may be there, and show the address.
   */
  async #isLetGo(claim: IpService): Promise<boolean> {
    const { client, signal, store } = this.#ports;
    const key = namespacedName(claim);
    const at = { namespace: claim.namespace, name: claim.name };
    const raw = await readObject(client, SERVICES, at, signal);
    const known = store.services.get(key)?.metadata.resourceVersion;
    const now = resourceVersionOf(raw);
    if (raw === undefined || now === known) return true;
    const uid = textAt(objectAt(raw, 'metadata'), 'uid');
    if (known === undefined && uid !== claim.uid) return true;
    const service = readable(`Service ${key}`, () => projectService(raw));
    // not one of ours, and the store knows nothing else of it
    if (service === undefined && known === undefined) return true;
    this.#reread('Service', key, service);
    return false;
  }

  async #createIp({ apiVersion, kind, metadata, spec }: IP): Promise<Written> {
    const { client, signal } = this.#ports;
    const { name } = metadata;
    const answer = await createObject(
      client,
      IPS,
      { ...{ apiVersion, kind, spec }, metadata: { name } },
      signal,
    );
    if (answer.outcome === 'exists') return this.#rereadIp(name);
    return this.#learnIp(name, undefined, answer.object);
  }

  async #patchIp(action: IpAction, version: string): Promise<Written> {
    const { client, signal } = this.#ports;
    const { ip } = action;
    const { name } = ip.metadata;
    const isStatus = action.do === 'ip.status';
    const answer = await mergePatchObject(
      client,
      IPS,
      {
        at: { name },
        patch: isStatus ? ipStatusPatch(ip) : ipPatch(ip),
        resourceVersion: version,
        ...(isStatus ? { subresource: 'status' } : {}),
      },
      signal,
    );
    if (answer.outcome !== 'updated') return this.#rereadIp(name);
    return this.#learnIp(name, version, answer.object);
  }

  async #deleteIp({ metadata }: IP, version: string): Promise<Written> {
    const { client, signal, store, own, onWritten } = this.#ports;
    const { name, uid } = metadata;
    const preconditions = { uid, resourceVersion: version };
    const outcome = await deleteObject(client, IPS, { name }, preconditions, signal);
    // with a finalizer of somebody's it is still there
    if (outcome === 'conflict') return this.#rereadIp(name);
    own.wrote(`IP/${name}`, version, undefined);
    store.delete('IP', name);
    onWritten('IP', name);
    return 'done';
  }

  async #patchService(
    action: ObjectAction & { readonly do: 'service.status' },
    version: string | undefined,
  ): Promise<Written> {
    const { client, signal, store, own, onWritten } = this.#ports;
    const key = action.service;
    const at = objectNameOfKey(key);
    if (version === undefined) return 'done'; // the Service is gone: its release is decided by that
    const patch = serviceStatusPatch(action.status);
    const answer = await mergePatchObject(
      client,
      SERVICES,
      { at, patch, subresource: 'status', resourceVersion: version },
      signal,
    );
    if (answer.outcome !== 'updated') return this.#rereadService(key, at);
    const service = readable(`Service ${key}`, () => projectService(answer.object));
    own.wrote(`Service/${key}`, version, service?.metadata.resourceVersion);
    if (service === undefined) store.delete('Service', key);
    else store.set(service);
    onWritten('Service', key);
    return 'done';
  }

  #learnIp(name: string, from: string | undefined, raw: unknown): Written {
    const { own, store, onWritten } = this.#ports;
    const ip = readable(`IP ${name}`, () => projectIp(raw));
    own.wrote(`IP/${name}`, from, ip.metadata.resourceVersion);
    store.set(ip);
    onWritten('IP', name);
    return 'done';
  }

  async #rereadIp(name: string): Promise<Written> {
    const { client, signal } = this.#ports;
    const raw = await readObject(client, IPS, { name }, signal);
    const ip = raw === undefined ? undefined : readable(`IP ${name}`, () => projectIp(raw));
    return this.#reread('IP', name, ip);
  }

  async #rereadService(key: string, at: ObjectName): Promise<Written> {
    const { client, signal } = this.#ports;
    const raw = await readObject(client, SERVICES, at, signal);
    const service =
      raw === undefined ? undefined : readable(`Service ${key}`, () => projectService(raw));
    return this.#reread('Service', key, service);
  }

  /** Somebody else wrote it: the store learns how it is now, without waiting for the watch. */
  #reread(kind: 'IP' | 'Service', key: string, object: IP | Service | undefined): Written {
    const { store, own, onWritten } = this.#ports;
    own.interrupted(`${kind}/${key}`);
    if (object === undefined) store.delete(kind, key);
    else store.set(object);
    onWritten(kind, key);
    return 'stale';
  }
}

/** An answer that can't be read is tried again later, as the watch does: it is no bug of ours. */
function readable<T>(what: string, project: () => T): T {
  try {
    return project();
  } catch (cause) {
    throw new ApiError(`${what}: the answer can not be read: ${messageOf(cause)}`, {
      ...{ code: 'bad-answer', status: 0, cause },
    });
  }
}

function objectNameOfKey(key: string): ObjectName {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
