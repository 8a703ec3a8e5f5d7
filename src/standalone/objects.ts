// The objects of standalone mode: what the manifests say, joined with what the assigner wrote. In Kubernetes the API
// server joins spec and status; here this file does.
// Invariant: a status, a claim and the time an object was first seen survive every edit of its manifest.
import { applyAction, targetOf } from '../assigner/carry-out.ts';
import type { Action } from '../assigner/decide/decision.ts';
import { datedCondition, saysTheSame } from '../api/conditions.ts';
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
      const manifest = action.do === 'ip.delete' ? this.#ipManifests.get(key) : undefined;
      // a reservation whose manifest is still there comes back without its holder
      if (manifest === undefined) applyAction(this.store, action);
      else this.store.set(manifest);
      return { kind, key, before, after: this.store.get(kind, key) };
    });
  }

  /** This host as a Node: Pools never give its addresses away. */
  setOwnNode(node: Node): void {
    const key = node.metadata.name;
    const before = this.store.nodes.get(key);
    const after = withSpec(node, before);
    this.#ownNode = node;
    this.store.set(after);
    this.#onChange({ kind: 'Node', key, before, after });
  }

  /** Sets one condition of a Service, or takes it away; false where nothing changes by it. `time`: RFC 3339 */
  setCondition(
    key: string,
    type: string,
    said: Pick<Condition, 'status' | 'reason' | 'message'> | undefined,
    time: string,
  ): boolean {
    const service = this.store.services.get(key);
    if (service === undefined) return false;
    const conditions = service.status?.conditions ?? [];
    const old = conditions.find((each) => each.type === type);
    if (saysTheSame(old, said)) return false;
    const others = conditions.filter((each) => each.type !== type);
    const next = said === undefined ? [] : [datedCondition(type, said, old, time)];
    // concat makes an array of just the length; spreading leaves room for 16 more, in every Service
    this.store.set({ ...service, status: { ...service.status, conditions: others.concat(next) } });
    return true;
  }

  #setManifest(key: string, object: ClusterObject, seenAt: string): void {
    switch (object.kind) {
      case 'Service':
        this.store.set(
          join(object, this.store.services.get(key), taken(this.#services, key), seenAt),
        );
        return;
      case 'Pool':
        this.store.set(join(object, this.store.pools.get(key), taken(this.#pools, key), seenAt));
        return;
      case 'IP':
        this.#ipManifests.set(key, object);
        this.store.set(joinIp(object, this.store.ips.get(key)));
        return;
      case 'Node':
        this.store.set(
          key === this.#ownNode?.metadata.name ? withSpec(this.#ownNode, object) : object,
        );
        return;
      case 'EndpointSlice':
      case 'Namespace':
      case 'ServiceCIDR':
        this.store.set(object);
    }
  }

  #removeManifest(kind: Kind, key: string): void {
    if (kind === 'Node' && key === this.#ownNode?.metadata.name) {
      this.store.set(this.#ownNode);
      return;
    }
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

/** The host's own addresses with what a manifest says of its pods. */
function withSpec(own: Node, manifest: Node | undefined): Node {
  return manifest?.spec === undefined ? own : { ...own, spec: manifest.spec };
}

/** What an earlier run left of an object: it counts once, for the first manifest. */
function taken<S>(waiting: Map<string, Remembered<S>>, key: string): Remembered<S> | undefined {
  const remembered = waiting.get(key);
  waiting.delete(key);
  return remembered;
}

function join<O extends Service | Pool>(
  manifest: O,
  current: O | undefined,
  remembered: Remembered<NonNullable<O['status']>> | undefined,
  seenAt: string,
): O {
  const status = current?.status ?? remembered?.status ?? manifest.status;
  const since = current?.metadata.creationTimestamp ?? remembered?.firstSeen ?? seenAt;
  const metadata = withCreationTime(manifest.metadata, since);
  return { ...manifest, metadata, ...(status === undefined ? {} : { status }) };
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
