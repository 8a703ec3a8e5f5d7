// What the agent reads of the cluster, as a part of the program: objects of the Services' kinds go into the store,
// Directors to who wants to know of them.
import type { ClusterObject, ClusterView, Kind } from '../../api/cluster.ts';
import type { Director } from '../../api/director.ts';
import { projectDirector } from '../../api/project.ts';
import { DIRECTORS, IPS, POOLS } from '../../kube/own-kinds.ts';
import type { ReflectorState } from '../../kube/reflector.ts';
import { ENDPOINT_SLICES, NODES, SERVICES, type Resource } from '../../kube/resource.ts';
import { Watches, type Watched, type WatchesPorts } from '../../kube/watches.ts';
import type { Part } from '../../runtime/part.ts';
import { NodeObjects, type Changed } from './node-objects.ts';
import { ENDPOINT_SLICE_LIST, Projections, SERVICE_LIST, SLICE_SELECTOR } from './project.ts';

export interface ClusterWatchPorts extends WatchesPorts {
  readonly onChange: Changed;
  /** undefined stands for absent. */
  readonly onDirector: (
    name: string,
    before: Director | undefined,
    after: Director | undefined,
  ) => void;
}

export class ClusterWatch implements Part {
  readonly directors = new Map<string, Director>();
  readonly #ports: ClusterWatchPorts;
  readonly #objects: NodeObjects;
  readonly #watches: Watches;

  constructor(ports: ClusterWatchPorts) {
    this.#ports = ports;
    this.#objects = new NodeObjects(ports.onChange);
    this.#objects.awaitServices();
    this.#watches = new Watches(ports);
    const projections = new Projections();
    this.#watch(NODES, (raw) => projections.node(raw));
    this.#watch(POOLS, (raw) => projections.pool(raw));
    this.#watch(IPS, (raw) => projections.ip(raw));
    this.#watch(SERVICES, (raw) => projections.service(raw), { protobuf: SERVICE_LIST });
    this.#watch(ENDPOINT_SLICES, (raw) => projections.slice(raw), {
      query: { labelSelector: SLICE_SELECTOR },
      protobuf: ENDPOINT_SLICE_LIST,
    });
    this.#watches.add({
      resource: DIRECTORS,
      project: projectDirector,
      sink: {
        onSync: (directors) => {
          for (const [name, director] of directors) this.#setDirector(name, director);
        },
        onUpsert: (name, director) => this.#setDirector(name, director),
        onDelete: (name) => this.#setDirector(name, undefined),
      },
    });
  }

  get store(): ClusterView {
    return this.#objects.store;
  }

  /** Every cache has listed once. */
  get synced(): Promise<unknown> {
    return this.#watches.synced;
  }

  get problem(): string | undefined {
    const problems = new Set(this.#watches.problems());
    return problems.size === 0 ? undefined : [...problems].join('; ');
  }

  /** What the caches are made of, for metrics and tests. */
  sources(): readonly ReflectorState[] {
    return this.#watches.states();
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#watches.run(signal);
  }

  #setDirector(name: string, after: Director | undefined): void {
    const before = this.directors.get(name);
    if (after === undefined) this.directors.delete(name);
    else this.directors.set(name, after);
    this.#ports.onDirector(name, before, after);
  }

  #watch(
    resource: Resource,
    project: (raw: unknown) => ClusterObject | undefined,
    reading: Pick<Watched<ClusterObject>, 'query' | 'protobuf'> = {},
  ): void {
    // every resource here is of a kind of ours
    const kind = resource.kind as Kind;
    const sink = {
      onSync: (objects: ReadonlyMap<string, ClusterObject>): void => {
        for (const object of objects.values()) this.#objects.set(object);
        if (kind === 'Service') this.#objects.servicesListed();
      },
      onUpsert: (_key: string, object: ClusterObject): void => this.#objects.set(object),
      onDelete: (key: string): void => this.#objects.delete(kind, key),
    };
    this.#watches.add({ resource, project, sink, ...reading });
  }
}
