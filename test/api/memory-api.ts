// An API server's rules in memory, for many fast runs: names are unique, every write gets a new resourceVersion and is
// refused at a stale one, lists and watches serve one history. Faults come in by `fault`. The cluster tests hold
// the same code against a real API server.
import { EventEmitter, once } from 'node:events';
import { ApiError, errorOfStatus } from '../../src/kube/errors.ts';
import { objectAt, textAt, type JsonObject, isObject } from '../../src/kube/json.ts';
import type { ApiClient, Call, Stream } from '../../src/kube/transport.ts';

interface Change {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly path: string;
  readonly object: JsonObject;
}

/** Where the objects of each kind are listed. */
export const PATHS = {
  Pool: '/apis/vipvs.io/v1alpha1/pools',
  IP: '/apis/vipvs.io/v1alpha1/ips',
  Service: '/api/v1/services',
  Node: '/api/v1/nodes',
  Namespace: '/api/v1/namespaces',
  EndpointSlice: '/apis/discovery.k8s.io/v1/endpointslices',
  ServiceCIDR: '/apis/networking.k8s.io/v1/servicecidrs',
};

/** A list in memory. */
export interface WholeList {
  readonly metadata: JsonObject;
  readonly items: readonly unknown[];
}

/** As a client does whose lists come by a line: the items one by one, the rest as the answer. */
export function tellItems({ list }: Call, { items, ...rest }: WholeList): JsonObject {
  if (list === undefined) return { ...rest, items };
  for (const item of items) list.onItem(item);
  return rest;
}

export class MemoryApi implements ApiClient {
  /** By path. */
  readonly objects = new Map<string, JsonObject>();
  readonly calls: string[] = [];
  /** Called before and after each call: throws to fail it; after, its answer is lost. `refused`: after a refusal. */
  fault: (when: 'before' | 'after' | 'refused', call: Call) => void | Promise<void> = () =>
    undefined;
  /** How a watch goes: how many events it delivers before it ends, and how. */
  watchPlan: () => { readonly events: number; readonly end: 'close' | 'reset' | 'gone' } = () => ({
    events: Number.POSITIVE_INFINITY,
    end: 'close',
  });
  readonly #history: Change[] = [];
  readonly #changes = new EventEmitter().setMaxListeners(0);
  #version = 100;
  #compacted = 0;
  #lastUid = 0;

  async call(call: Call): Promise<unknown> {
    call.signal.throwIfAborted();
    this.calls.push(`${call.method} ${call.path}`);
    await this.fault('before', call);
    call.signal.throwIfAborted();
    const answer = await this.#answer(call);
    await this.fault('after', call);
    return answer;
  }

  async #answer(call: Call): Promise<unknown> {
    try {
      return this.#do(call);
    } catch (error) {
      await this.fault('refused', call);
      throw error;
    }
  }

  async stream(stream: Stream): Promise<AsyncIterable<Buffer>> {
    await Promise.resolve();
    stream.signal.throwIfAborted();
    return this.#watch(stream);
  }

  /** Forgets the history: watches from before now are told 410. */
  compact(): void {
    this.#compacted = this.#version;
  }

  put(path: string, object: JsonObject): void {
    const before = this.objects.get(path);
    const uid = textAt(objectAt(before, 'metadata'), 'uid') ?? `uid-${(this.#lastUid += 1)}`;
    this.#version += 1;
    const metadata = { ...objectAt(object, 'metadata'), uid, resourceVersion: `${this.#version}` };
    const stored = { ...object, metadata };
    this.objects.set(path, stored);
    this.#log(before === undefined ? 'ADDED' : 'MODIFIED', path, stored);
  }

  remove(path: string): void {
    const before = this.objects.get(path);
    if (before === undefined) return;
    this.objects.delete(path);
    this.#version += 1;
    const metadata = { ...objectAt(before, 'metadata'), resourceVersion: `${this.#version}` };
    this.#log('DELETED', path, { ...before, metadata });
  }

  #log(type: Change['type'], path: string, object: JsonObject): void {
    this.#history.push({ version: this.#version, type, path, object });
    this.#changes.emit('change');
  }

  async #more(signal: AbortSignal): Promise<void> {
    await once(this.#changes, 'change', { signal }).catch(() => signal.throwIfAborted());
  }

  #do(call: Call): unknown {
    const { method } = call;
    const path = call.path.replace(/\/status$/, '');
    const body = isObject(call.body) ? call.body : {};
    if (method === 'POST') return this.#create(path, body);
    const current = this.objects.get(path);
    if (current === undefined) {
      if (method === 'GET' && isCollection(path)) return tellItems(call, this.#list(path));
      if (call.contentType === 'apply' && path === call.path) {
        this.put(path, body);
        return this.objects.get(path);
      }
      throw refused(call, 404, 'NotFound');
    }
    if (method === 'GET') return current;
    const wanted = textAt(
      objectAt(body, method === 'DELETE' ? 'preconditions' : 'metadata'),
      'resourceVersion',
    );
    const version = textAt(objectAt(current, 'metadata'), 'resourceVersion');
    if (wanted !== undefined && wanted !== version) throw refused(call, 409, 'Conflict');
    const uid = textAt(objectAt(body, 'preconditions'), 'uid');
    if (uid !== undefined && uid !== textAt(objectAt(current, 'metadata'), 'uid')) {
      throw refused(call, 409, 'Conflict');
    }
    if (method === 'DELETE') {
      this.remove(path);
      return {};
    }
    const changed = method === 'PATCH' ? merged(current, body) : body;
    // as etcd3's GuaranteedUpdate: what changes nothing makes no new version
    if (JSON.stringify(changed) !== JSON.stringify(current)) this.put(path, changed);
    return this.objects.get(path);
  }

  #create(path: string, body: JsonObject): unknown {
    const name = textAt(objectAt(body, 'metadata'), 'name') ?? '';
    const at = `${path}/${name}`;
    if (this.objects.has(at)) {
      throw errorOfStatus(`POST ${path}`, 409, { code: 409, reason: 'AlreadyExists' });
    }
    this.put(at, body);
    return this.objects.get(at);
  }

  #list(path: string): WholeList {
    const items = [...this.objects].filter(([at]) => at.startsWith(`${path}/`));
    return {
      metadata: { resourceVersion: `${this.#version}` },
      items: items.map(([, object]) => object),
    };
  }

  async *#watch(stream: Stream): AsyncGenerator<Buffer, void, undefined> {
    const { path, query, signal } = stream;
    const plan = this.watchPlan();
    const from = Number(query['resourceVersion']);
    if (from < this.#compacted) throw refused({ method: 'GET', path }, 410, 'Expired');
    let place = this.#history.findIndex((change) => change.version > from);
    if (place < 0) place = this.#history.length;
    for (let sent = 0; sent < plan.events;) {
      signal.throwIfAborted();
      const next = this.#history[place];
      if (next === undefined) {
        await this.#more(signal);
        continue;
      }
      place += 1;
      if (!next.path.startsWith(`${path}/`)) continue;
      sent += 1;
      yield Buffer.from(`${JSON.stringify({ type: next.type, object: next.object })}\n`);
    }
    if (plan.end === 'reset') {
      throw new ApiError(`WATCH ${path}: reset`, { code: 'network', status: 0 });
    }
    if (plan.end === 'gone') throw refused({ method: 'GET', path }, 410, 'Expired');
  }
}

/** RFC 7396 */
function merged(target: JsonObject, patch: JsonObject): JsonObject {
  const result = new Map(Object.entries(target));
  for (const [name, value] of Object.entries(patch)) {
    const old = result.get(name);
    if (value === null) {
      result.delete(name);
      continue;
    }
    const changed = isObject(value) ? merged(isObject(old) ? old : {}, value) : value;
    // the API server drops an empty map
    if (old !== undefined || !isEmpty(changed)) result.set(name, changed);
  }
  return Object.fromEntries(result);
}

function isEmpty(value: unknown): boolean {
  return isObject(value) && Object.keys(value).length === 0;
}

function isCollection(path: string): boolean {
  return /\/(services|endpointslices|nodes|namespaces|leases|events|ips|pools|directors|servicecidrs)$/.test(
    path,
  );
}

function refused(call: Pick<Call, 'method' | 'path'>, code: number, reason: string): ApiError {
  return errorOfStatus(`${call.method} ${call.path}`, code, { code, reason });
}
