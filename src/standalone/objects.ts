// The objects of standalone mode: what the manifests say, joined with what the assigner wrote. In Kubernetes the API
// server joins spec and status; here this file does.
// Invariant: a status, a claim and the time an object was first seen survive every edit of its manifest.
import type { Action } from '../assigner/decide/decision.ts';
import { ClusterStore, type ClusterObject, type Kind } from '../api/cluster.ts';
import type { IP } from '../api/ip.ts';
import type { Condition, Node, ObjectMeta, Service, ServiceStatus } from '../api/kubernetes.ts';
import type { Pool, PoolStatus } from '../api/pool.ts';
import type { SourceChange } from '../files/file-index.ts';
import type { State } from '../files/state.ts';

export interface ObjectChange {
  readonly kind: Kind;
  readonly key: string;
  readonly before: ClusterObject | undefined;
  readonly after: ClusterObject | undefined;
}
export type ChangeListener = (change: ObjectChange) => void;

export type NewCondition = Omit<Condition, 'type'>;

interface Remembered<S> {
  readonly status: S;
  readonly firstSeen: string | undefined;
}

export class StandaloneObjects {
  readonly store = new ClusterStore();
  readonly #onChange: ChangeListener;
  /** Status of objects whose manifests are not read yet. */
  readonly #services = new Map<string, Remembered<ServiceStatus>>();
  readonly #pools = new Map<string, Remembered<PoolStatus>>();
  /** IP objects as their manifests have them. */
  readonly #ipManifests = new Map<string, IP>();
  #ownNode: Node | undefined;

  constructor(onChange: ChangeListener) {
    this.#onChange = onChange;
  }

  /** Before the first manifest: what an earlier run left. */
  restore(state: Pick<State, 'ips' | 'services' | 'pools'>): void {
    for (const ip of state.ips) this.store.set(ip);
    for (const { key, status, firstSeen } of state.services) {
      this.#services.set(key, { status, firstSeen });
    }
    for (const { name, status, firstSeen } of state.pools) {
      this.#pools.set(name, { status, firstSeen });
    }
  }

  /** All manifests were read: what is still waiting for its manifest will not come. */
  forgetMissing(): void {
    this.#services.clear();
    this.#pools.clear();
  }

  /** `seenAt`: RFC 3339, the creation time of objects whose manifests have none. */
  applySource(changes: readonly SourceChange[], seenAt: string): void {
    for (const { kind, key, loaded } of changes) {
      const before = this.store.get(kind, key);
      if (loaded === undefined) this.#removeManifest(kind, key);
      else this.#setManifest(key, loaded.object, seenAt);
      this.#onChange({ kind, key, before, after: this.store.get(kind, key) });
    }
  }

  /** Applies what the assigner decided. The changes are answered, not told: the caller tells them when it is time. */
  applyActions(actions: readonly Action[]): readonly ObjectChange[] {
    return actions.map((action) => {
      const { kind, key } = targetOf(action);
      const before = this.store.get(kind, key);
      this.#apply(action);
      return { kind, key, before, after: this.store.get(kind, key) };
    });
  }

  /** This host as a Node: Pools never give its addresses away. */
  setOwnNode(node: Node): void {
    const key = node.metadata.name;
    const before = this.store.get('Node', key);
    this.#ownNode = node;
    this.store.set(node);
    this.#onChange({ kind: 'Node', key, before, after: node });
  }

  /** Sets one condition of a Service, or takes it away; false where nothing changes by it. */
  setCondition(key: string, type: string, condition: NewCondition | undefined): boolean {
    const service = this.store.services.get(key);
    if (service === undefined) return false;
    const conditions = service.status?.conditions ?? [];
    const old = conditions.find((each) => each.type === type);
    if (sameCondition(old, condition)) return false;
    const others = conditions.filter((each) => each.type !== type);
    const next = condition === undefined ? [] : [{ type, ...withSteadyTime(condition, old) }];
    // concat makes an array of just the length; spreading leaves room for 16 more, in every Service
    this.store.set({ ...service, status: { ...service.status, conditions: others.concat(next) } });
    return true;
  }

  #apply(action: Action): void {
    switch (action.do) {
      case 'ip.create':
      case 'ip.update':
      case 'ip.status':
        this.store.set(action.ip);
        return;
      case 'ip.delete':
        this.#deleteIp(action.ip.metadata.name);
        return;
      case 'service.status': {
        const service = this.store.services.get(action.service);
        if (service !== undefined) this.store.set({ ...service, status: action.status });
        return;
      }
      case 'pool.status': {
        const pool = this.store.pools.get(action.pool);
        if (pool !== undefined) this.store.set({ ...pool, status: action.status });
      }
    }
  }

  /** A reservation whose manifest is still there comes back without its holder. */
  #deleteIp(name: string): void {
    const manifest = this.#ipManifests.get(name);
    if (manifest === undefined) this.store.delete('IP', name);
    else this.store.set(manifest);
  }

  #setManifest(key: string, object: ClusterObject, seenAt: string): void {
    switch (object.kind) {
      case 'Service':
        this.store.set(this.#joinService(key, object, seenAt));
        return;
      case 'Pool':
        this.store.set(this.#joinPool(key, object, seenAt));
        return;
      case 'IP':
        this.#ipManifests.set(key, object);
        this.store.set(joinIp(object, this.store.ips.get(key)));
        return;
      case 'Node':
        this.store.set(key === this.#ownNode?.metadata.name ? this.#ownNode : object);
        return;
      case 'EndpointSlice':
      case 'Namespace':
        this.store.set(object);
    }
  }

  #joinService(key: string, manifest: Service, seenAt: string): Service {
    const current = this.store.services.get(key);
    const remembered = this.#services.get(key);
    this.#services.delete(key);
    const status = current?.status ?? remembered?.status ?? manifest.status;
    const since = current?.metadata.creationTimestamp ?? remembered?.firstSeen ?? seenAt;
    return {
      ...manifest,
      metadata: withCreationTime(manifest.metadata, since),
      ...(status === undefined ? {} : { status }),
    };
  }

  #joinPool(key: string, manifest: Pool, seenAt: string): Pool {
    const current = this.store.pools.get(key);
    const remembered = this.#pools.get(key);
    this.#pools.delete(key);
    const status = current?.status ?? remembered?.status ?? manifest.status;
    const since = current?.metadata.creationTimestamp ?? remembered?.firstSeen ?? seenAt;
    return {
      ...manifest,
      metadata: withCreationTime(manifest.metadata, since),
      ...(status === undefined ? {} : { status }),
    };
  }

  #removeManifest(kind: Kind, key: string): void {
    if (kind === 'Node' && key === this.#ownNode?.metadata.name) return;
    if (kind !== 'IP') {
      this.store.delete(kind, key);
      return;
    }
    this.#ipManifests.delete(key);
    const ip = this.store.ips.get(key);
    if (ip === undefined) return;
    const { address, poolName, claims } = ip.spec;
    if (claims === undefined || claims.length === 0) this.store.delete('IP', key);
    else this.store.set({ ...ip, spec: { address, poolName, retain: false, claims } });
  }
}

function withCreationTime(metadata: ObjectMeta, since: string): ObjectMeta {
  return metadata.creationTimestamp === undefined
    ? { ...metadata, creationTimestamp: since }
    : metadata;
}

function sameCondition(old: Condition | undefined, now: NewCondition | undefined): boolean {
  return (
    old?.status === now?.status && old?.reason === now?.reason && old?.message === now?.message
  );
}

/** lastTransitionTime is about the status only. */
function withSteadyTime(now: NewCondition, old: Condition | undefined): NewCondition {
  const time = old?.lastTransitionTime;
  return old?.status === now.status && time !== undefined
    ? { ...now, lastTransitionTime: time }
    : now;
}

function targetOf(action: Action): { readonly kind: Kind; readonly key: string } {
  switch (action.do) {
    case 'service.status':
      return { kind: 'Service', key: action.service };
    case 'pool.status':
      return { kind: 'Pool', key: action.pool };
    case 'ip.create':
    case 'ip.update':
    case 'ip.status':
    case 'ip.delete':
      return { kind: 'IP', key: action.ip.metadata.name };
  }
}

/** The manifest's wishes with the holders and the memory of the object in use. */
function joinIp(manifest: IP, current: IP | undefined): IP {
  if (current === undefined) return manifest;
  const { claims } = current.spec;
  return {
    ...manifest,
    metadata: {
      ...manifest.metadata,
      annotations: { ...current.metadata.annotations, ...manifest.metadata.annotations },
    },
    spec: { ...manifest.spec, ...(claims === undefined ? {} : { claims }) },
    ...(current.status === undefined ? {} : { status: current.status }),
  };
}
