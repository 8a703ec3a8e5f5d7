// What a watcher beside the assigner sees, and when: the addresses of Services, and every change of an object that the
// assigner writes.
import { IPS, POOLS } from '../../src/kube/own-kinds.ts';
import { arrayAt, objectAt, textAt } from '../../src/kube/json.ts';
import { LineSplitter } from '../../src/kube/lines.ts';
import { collectionPath, SERVICES, type Resource } from '../../src/kube/resource.ts';
import type { ApiClient } from '../../src/kube/transport.ts';

export class ServiceWatch {
  /** When the first address was seen, and the last. */
  firstMs = Number.NaN;
  lastMs = Number.NaN;
  /** Changes of the objects that are watched. */
  events = 0;
  readonly #end = new AbortController();
  readonly #served = new Map<string, number>();
  #wanted: { readonly isThere: () => boolean; readonly resolve: () => void } | undefined;

  static async start(
    client: ApiClient,
    resources: readonly Resource[] = [SERVICES, IPS, POOLS],
  ): Promise<ServiceWatch> {
    const watch = new ServiceWatch();
    for (const resource of resources) await watch.#watch(client, resource);
    return watch;
  }

  stop(): void {
    this.#end.abort();
  }

  untilServed(count: number): Promise<void> {
    return this.#until(() => this.#served.size >= count);
  }

  /** When its address was seen. */
  async addressOf(name: string): Promise<number> {
    await this.#until(() => this.#served.has(name));
    return this.#served.get(name) ?? Number.NaN;
  }

  #until(isThere: () => boolean): Promise<void> {
    if (isThere()) return Promise.resolve();
    return new Promise((resolve) => (this.#wanted = { isThere, resolve }));
  }

  async #watch(client: ApiClient, resource: Resource): Promise<void> {
    const { signal } = this.#end;
    const path = collectionPath(resource);
    const list = await client.call({ method: 'GET', path, query: { limit: 1 }, signal });
    const resourceVersion = textAt(objectAt(list, 'metadata'), 'resourceVersion');
    const query = { watch: 1, resourceVersion, timeoutSeconds: 3600 };
    const chunks = await client.stream({ path, query, signal });
    void this.#read(chunks).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  async #read(chunks: AsyncIterable<Buffer>): Promise<void> {
    const lines = new LineSplitter();
    for await (const chunk of chunks) {
      const nowMs = performance.now();
      for (const line of lines.push(chunk)) this.#take(JSON.parse(line), nowMs);
    }
  }

  #take(event: unknown, nowMs: number): void {
    const object = objectAt(event, 'object');
    this.events += 1;
    if (textAt(object, 'kind') !== 'Service') return;
    const name = textAt(objectAt(object, 'metadata'), 'name') ?? '';
    const ingress = arrayAt(objectAt(objectAt(object, 'status'), 'loadBalancer'), 'ingress');
    if (ingress.length === 0 || this.#served.has(name)) return;
    if (this.#served.size === 0) this.firstMs = nowMs;
    this.lastMs = nowMs;
    this.#served.set(name, nowMs);
    if (this.#wanted?.isThere() !== true) return;
    this.#wanted.resolve();
    this.#wanted = undefined;
  }
}
