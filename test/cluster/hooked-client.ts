// A client to a real API server that a test can look into and get in the way of: what is asked is counted, a call can be
// held up or preceded by somebody else's write, and the watches can be cut.
import { ApiError } from '../../src/kube/errors.ts';
import type { ApiClient, Call, Stream } from '../../src/kube/transport.ts';

export class HookedClient implements ApiClient {
  readonly #inner: ApiClient;
  /** `PATCH /api/v1/...`, in the order they were sent; watches are `WATCH /api/v1/...`. */
  readonly calls: string[] = [];
  /** Awaited before each call. */
  before: (call: Call) => void | Promise<void> = () => undefined;
  #cut = new AbortController();

  constructor(inner: ApiClient) {
    this.#inner = inner;
  }

  async call(call: Call): Promise<unknown> {
    await this.before(call);
    call.signal.throwIfAborted();
    this.calls.push(`${call.method} ${call.path}`);
    return this.#inner.call(call);
  }

  async stream(stream: Stream): Promise<AsyncIterable<Buffer>> {
    this.calls.push(`WATCH ${stream.path}`);
    const cut = this.#cut.signal;
    const signal = AbortSignal.any([stream.signal, cut]);
    return cuttable(await this.#inner.stream({ ...stream, signal }), stream, cut);
  }

  /** Ends every watch as a lost connection does. */
  cutWatches(): void {
    this.#cut.abort();
    this.#cut = new AbortController();
  }
}

async function* cuttable(
  chunks: AsyncIterable<Buffer>,
  { path, signal }: Stream,
  cut: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* chunks;
  } catch (error) {
    if (signal.aborted || !cut.aborted) throw error;
    throw new ApiError(`WATCH ${path}: cut`, { code: 'network', status: 0 });
  }
}
