// What the API server said about addresses, event by event, from before the first Service: the proof that no address was
// ever given twice. Services and IPs come by two watches; etcd's revisions, which are one sequence, put them in order.
import assert from 'node:assert/strict';
import { IPS } from '../../src/kube/own-kinds.ts';
import { arrayAt, objectAt, textAt } from '../../src/kube/json.ts';
import { LineSplitter } from '../../src/kube/lines.ts';
import { collectionPath, SERVICES, type Resource } from '../../src/kube/resource.ts';
import type { ApiClient } from '../../src/kube/transport.ts';

interface Change {
  readonly revision: number;
  readonly kind: 'Service' | 'IP';
  readonly key: string;
  /** Addresses that a Service shows, or Services that hold an IP; undefined: the object has gone. */
  readonly now: readonly string[] | undefined;
}

export class AddressHistory {
  readonly #changes: Change[] = [];
  readonly #end = new AbortController();
  #failure: unknown;

  static async start(client: ApiClient): Promise<AddressHistory> {
    const history = new AddressHistory();
    for (const resource of [SERVICES, IPS]) await history.#watch(client, resource);
    return history;
  }

  stop(): void {
    this.#end.abort();
  }

  get length(): number {
    return this.#changes.length;
  }

  /** The last revision of which both watches have told. */
  sees(kind: Change['kind'], key: string, now: readonly string[] | undefined): boolean {
    const last = this.#changes.findLast((each) => each.kind === kind && each.key === key);
    return JSON.stringify(last?.now) === JSON.stringify(now);
  }

  /** Replays it; throws at the first moment at which an address was shown by two, or by one that did not hold it. */
  check(): void {
    if (this.#failure !== undefined)
      throw new Error('the history has a gap', { cause: this.#failure });
    const shown = new Map<string, readonly string[]>();
    const held = new Map<string, readonly string[]>();
    const byAddress = new Map<string, string>();
    for (const { revision, kind, key, now } of this.#inOrder()) {
      const at = `at revision ${revision}`;
      if (kind === 'IP') {
        assert.ok((now ?? []).length <= 1, `${at} ${key} is held by ${String(now)}`);
        if (now === undefined) held.delete(key);
        else held.set(key, now);
      } else {
        for (const address of shown.get(key) ?? []) byAddress.delete(address);
        for (const address of now ?? []) {
          const other = byAddress.get(address);
          assert.equal(other, undefined, `${at} ${key} and ${String(other)} show ${address}`);
          byAddress.set(address, key);
          assert.deepEqual(held.get(address), [key], `${at} ${key} shows ${address}, held by`);
        }
        if (now === undefined) shown.delete(key);
        else shown.set(key, now);
      }
      // an address that is shown stays with who shows it
      if (kind === 'IP') {
        const who = byAddress.get(key);
        if (who !== undefined) assert.deepEqual(now, [who], `${at} ${key} is shown by ${who}`);
      }
    }
  }

  #inOrder(): readonly Change[] {
    return [...this.#changes].sort((a, b) => a.revision - b.revision);
  }

  async #watch(client: ApiClient, resource: Resource): Promise<void> {
    const { signal } = this.#end;
    const path = collectionPath(resource);
    const list = await client.call({ method: 'GET', path, query: { limit: 1 }, signal });
    const resourceVersion = textAt(objectAt(list, 'metadata'), 'resourceVersion');
    const query = { watch: 1, resourceVersion, timeoutSeconds: 3600 };
    const chunks = await client.stream({ path, query, signal });
    const reading = async (): Promise<void> => {
      const lines = new LineSplitter();
      for await (const chunk of chunks) {
        for (const line of lines.push(chunk)) {
          const event: unknown = JSON.parse(line);
          this.#take(resource.kind === 'IP' ? 'IP' : 'Service', event);
        }
      }
      throw new Error('the watch ended');
    };
    void reading().catch((error: unknown) => {
      if (!signal.aborted) this.#failure = error;
    });
  }

  #take(kind: Change['kind'], event: unknown): void {
    const object = objectAt(event, 'object');
    const metadata = objectAt(object, 'metadata');
    const type = textAt(event, 'type');
    assert.notEqual(type, 'ERROR', JSON.stringify(object));
    const name = textAt(metadata, 'name') ?? '';
    const namespace = textAt(metadata, 'namespace');
    const now = kind === 'IP' ? holdersOf(object) : addressesOf(object);
    this.#changes.push({
      revision: Number(textAt(metadata, 'resourceVersion')),
      kind,
      key: namespace === undefined ? name : `${namespace}/${name}`,
      now: type === 'DELETED' ? undefined : now,
    });
  }
}

function holdersOf(ip: unknown): readonly string[] {
  return arrayAt(objectAt(ip, 'spec'), 'claims').map(
    (claim) => `${textAt(claim, 'namespace') ?? ''}/${textAt(claim, 'name') ?? ''}`,
  );
}

function addressesOf(service: unknown): readonly string[] {
  const ingress = arrayAt(objectAt(objectAt(service, 'status'), 'loadBalancer'), 'ingress');
  return ingress.map((each) => textAt(each, 'ip') ?? '');
}
