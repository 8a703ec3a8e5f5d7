// One HTTP client per API server, on pooled keep-alive connections: calls share a bounded pool, and each watch has a
// connection of its own, so that watches never starve calls. Every failure leaves here as an ApiError, or as the
// reason of the caller's own signal. Credentials are read again every minute, and at once after a 401.
import { Pool, type Dispatcher } from 'undici';
import { bytesOf, parseAnswer } from './answer-body.ts';
import { KubeConfigError, type Credentials, type KubeAccess } from './config.ts';
import { ApiError, errorOfAnswer } from './errors.ts';
import { readListBody, type ListReading } from './list-body.ts';
import type { Clock, Log } from './ports.ts';
import { PROTOBUF } from './protobuf.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export const CONTENT_TYPES = {
  json: 'application/json',
  mergePatch: 'application/merge-patch+json',
  // Server-side apply takes YAML, of which JSON is a part
  apply: 'application/apply-patch+yaml',
} as const;

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Call {
  readonly method: Method;
  /** Absolute, without the server's prefix: `/api/v1/services`. */
  readonly path: string;
  readonly query?: Query;
  readonly body?: unknown;
  /** Default json. */
  readonly contentType?: keyof typeof CONTENT_TYPES;
  readonly signal: AbortSignal;
  /** For the whole call; default 30 s. */
  readonly timeoutMs?: number;
  /** The answer is a list: its items are told while it comes. Rejects with `too-large` where one of them is. */
  readonly list?: ListReading;
}

export interface Stream {
  readonly path: string;
  readonly query: Query;
  readonly signal: AbortSignal;
}

/** What the rest of this room asks of the API server. */
export interface ApiClient {
  /** The answer's JSON. Rejects with ApiError, or with the signal's reason. */
  call(call: Call): Promise<unknown>;
  /** The bytes of an open watch. Rejects, or ends in an error, as `call` does. */
  stream(stream: Stream): Promise<AsyncIterable<Buffer>>;
}

export interface ApiClientOptions {
  readonly access: KubeAccess;
  readonly clock: Clock;
  readonly log: Log;
  readonly userAgent: string;
  /** Connections for calls: as many calls are under way at once, others wait. Watches come on top. */
  readonly callConnections?: number;
  /** For TCP and TLS together; default 10 s. */
  readonly connectTimeoutMs?: number;
}

/** client-go's default request timeout for control plane components is 30 to 60 s; the API server itself stops at 60. */
const CALL_TIMEOUT_MS = 30_000;
const CREDENTIALS_MAX_AGE_MS = 60_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** kube-apiserver closes idle connections after 90 s (apiserver/pkg/server/secure_serving.go): we do first. */
const IDLE_TIMEOUT_MS = 60_000;
const TCP_KEEPALIVE_MS = 30_000;
const CALL_CONNECTIONS = 16;

interface Session {
  readonly credentials: Credentials;
  readonly readAtMs: number;
  readonly calls: Pool;
  readonly watches: Pool;
}

export class HttpApiClient implements ApiClient {
  readonly #options: ApiClientOptions;
  readonly #origin: string;
  readonly #prefix: string;
  #session: Session | undefined;
  #reading: Promise<Session> | undefined;
  #closed = false;

  constructor(options: ApiClientOptions) {
    const url = new URL(options.access.server);
    this.#options = options;
    this.#origin = url.origin;
    this.#prefix = url.pathname === '/' ? '' : url.pathname;
  }

  async call(call: Call): Promise<unknown> {
    const asked = `${call.method} ${call.path}`;
    const timeoutMs = call.timeoutMs ?? CALL_TIMEOUT_MS;
    // AbortSignal.any() takes five times as long, and leaves weak references to the garbage collector
    const end = new AbortController();
    const { signal } = end;
    const onAbort = (): void => end.abort(call.signal.reason);
    call.signal.addEventListener('abort', onAbort);
    const stopTimer = this.#options.clock.timer(timeoutMs, () => {
      end.abort(new ApiError(`${asked}: no answer in ${timeoutMs} ms`, NO_ANSWER));
    });
    if (call.signal.aborted) onAbort();
    try {
      const answer = await this.#send(asked, signal, (session) =>
        session.calls.request({
          method: call.method,
          path: this.#target(call.path, call.query),
          headers: this.#headers(session, call),
          body: call.body === undefined ? null : JSON.stringify(call.body),
          signal,
        }),
      );
      if (call.list !== undefined) return await readListBody(asked, answer, call.list);
      return parseAnswer(asked, (await bytesOf(answer)).toString('utf8'));
    } catch (error) {
      throw failureOf(asked, error, signal);
    } finally {
      stopTimer();
      call.signal.removeEventListener('abort', onAbort);
    }
  }

  async stream(stream: Stream): Promise<AsyncIterable<Buffer>> {
    const asked = `WATCH ${stream.path}`;
    const { signal } = stream;
    try {
      const answer = await this.#send(asked, signal, (session) =>
        session.watches.request({
          method: 'GET',
          path: this.#target(stream.path, stream.query),
          headers: this.#headers(session),
          signal,
        }),
      );
      return chunksOf(asked, answer.body, signal);
    } catch (error) {
      throw failureOf(asked, error, signal);
    }
  }

  /** Ends every connection at once. Calls under way fail. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#reading?.catch(() => undefined);
    const session = this.#session;
    this.#session = undefined;
    if (session !== undefined) await destroy(session);
  }

  /** Sends; a 401 is tried once more if the credentials have changed meanwhile. An answer other than 2xx rejects. */
  async #send(
    asked: string,
    signal: AbortSignal,
    request: (session: Session) => Promise<Dispatcher.ResponseData>,
  ): Promise<Dispatcher.ResponseData> {
    signal.throwIfAborted();
    const session = this.#fresh() ?? (await orAborted(this.#sessionNow(undefined), signal));
    const answer = await request(session);
    if (answer.statusCode < 300) return answer;
    const error = await this.#errorOf(asked, answer);
    if (error.code !== 'unauthorized') throw error;
    const renewed = await orAborted(this.#sessionNow(session), signal);
    if (sameCredentials(renewed.credentials, session.credentials)) throw error;
    const second = await request(renewed);
    if (second.statusCode < 300) return second;
    throw await this.#errorOf(asked, second);
  }

  async #errorOf(asked: string, answer: Dispatcher.ResponseData): Promise<ApiError> {
    const body = (await bytesOf(answer)).toString('utf8');
    const retryAfter = answer.headers['retry-after'];
    const header = typeof retryAfter === 'string' ? retryAfter : undefined;
    return errorOfAnswer(asked, answer.statusCode, body, header);
  }

  #fresh(): Session | undefined {
    const session = this.#session;
    if (session === undefined) return undefined;
    const ageMs = this.#options.clock.nowMs() - session.readAtMs;
    return ageMs > CREDENTIALS_MAX_AGE_MS ? undefined : session;
  }

  /** The session to use; one with newly read credentials if they are old, or are still the `refused` ones. */
  async #sessionNow(refused: Session | undefined): Promise<Session> {
    if (this.#closed) throw new Error('the API client is closed');
    const current = this.#session;
    const fresh = this.#fresh();
    if (fresh !== undefined && refused !== fresh) return fresh;
    // One reading at a time; who comes meanwhile waits for the same
    this.#reading ??= this.#read(current, refused !== undefined).finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(current: Session | undefined, fresh: boolean): Promise<Session> {
    const { access, clock, log, connectTimeoutMs = CONNECT_TIMEOUT_MS } = this.#options;
    let credentials;
    try {
      credentials = await access.credentials(fresh);
    } catch (err) {
      if (current === undefined || fresh) throw err;
      log.warn(
        { err, source: access.source },
        'cannot read the credentials again: going on with the old ones',
      );
      credentials = current.credentials;
    }
    const readAtMs = clock.nowMs();
    if (current !== undefined && sameTls(current.credentials, credentials)) {
      if (!sameCredentials(current.credentials, credentials)) {
        log.info({ source: access.source }, 'credentials renewed');
      }
      this.#session = { ...current, credentials, readAtMs };
      return this.#session;
    }
    const tls = { ...credentials.tls, keepAlive: true, keepAliveInitialDelay: TCP_KEEPALIVE_MS };
    const common: Pool.Options = {
      // HTTP/1.1: a lost packet or a stuck stream concerns one watch, not all of them
      allowH2: false,
      connect: { ...tls, timeout: connectTimeoutMs },
      keepAliveTimeout: IDLE_TIMEOUT_MS,
      keepAliveMaxTimeout: IDLE_TIMEOUT_MS,
      pipelining: 1,
    };
    // call() has a timer for the whole call; undici's own would wake the process twice for each
    const callTimeouts = { headersTimeout: 0, bodyTimeout: 0 };
    // An idle watch is healthy: the reflector has its own timer
    const watchTimeouts = { headersTimeout: CALL_TIMEOUT_MS, bodyTimeout: 0 };
    const connections = this.#options.callConnections ?? CALL_CONNECTIONS;
    this.#session = {
      credentials,
      readAtMs,
      calls: new Pool(this.#origin, { ...common, ...callTimeouts, connections }),
      watches: new Pool(this.#origin, { ...common, ...watchTimeouts, connections: null }),
    };
    if (current !== undefined) {
      log.info({ source: access.source }, 'client certificate or CA renewed');
      // Lets what is under way finish: watches end by themselves within minutes
      void Promise.allSettled([current.calls.close(), current.watches.close()]);
    }
    return this.#session;
  }

  #target(path: string, query: Query | undefined): string {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query ?? {})) {
      if (value !== undefined) search.set(name, String(value));
    }
    const text = search.toString();
    return text === '' ? `${this.#prefix}${path}` : `${this.#prefix}${path}?${text}`;
  }

  #headers(session: Session, call?: Call): Record<string, string> {
    return {
      ...session.credentials.headers,
      accept:
        call?.list?.protobuf === undefined
          ? CONTENT_TYPES.json
          : `${PROTOBUF},${CONTENT_TYPES.json}`,
      // calls only: a compressed watch would hold events back
      ...(call === undefined ? {} : { 'accept-encoding': 'gzip' }),
      'user-agent': this.#options.userAgent,
      ...(call?.body === undefined
        ? {}
        : { 'content-type': CONTENT_TYPES[call.contentType ?? 'json'] }),
    };
  }
}

/** An exec plugin may hang: nobody waits for it longer than for the API server. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(reasonOf(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

function reasonOf(signal: AbortSignal): Error {
  const reason: unknown = signal.reason;
  return reason instanceof Error ? reason : new Error(String(reason));
}

const NO_ANSWER = { code: 'timeout', status: 0 } as const;

async function destroy(session: Session): Promise<void> {
  await Promise.allSettled([session.calls.destroy(), session.watches.destroy()]);
}

function sameTls(a: Credentials, b: Credentials): boolean {
  return JSON.stringify(a.tls) === JSON.stringify(b.tls);
}

function sameCredentials(a: Credentials, b: Credentials): boolean {
  return sameTls(a, b) && JSON.stringify(a.headers) === JSON.stringify(b.headers);
}

async function* chunksOf(
  asked: string,
  body: AsyncIterable<unknown>,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of body) {
      if (Buffer.isBuffer(chunk)) yield chunk;
    }
  } catch (error) {
    throw failureOf(asked, error, signal);
  }
}

/** What a caller sees: its own cancelling as it is, our errors as they are, anything of the network as ApiError. */
function failureOf(asked: string, error: unknown, signal: AbortSignal): Error {
  if (signal.aborted) return reasonOf(signal);
  if (error instanceof ApiError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const text = error instanceof Error ? error.message : String(error);
  return new ApiError(
    `${asked}: ${text}${code === '' || text.includes(code) ? '' : ` (${code})`}`,
    {
      code: codeOf(error, code),
      status: 0,
      cause: error,
    },
  );
}

function codeOf(error: unknown, code: string): 'unauthorized' | 'timeout' | 'network' {
  // No credentials to send: a token file that is gone, an exec plugin that failed
  if (error instanceof KubeConfigError) return 'unauthorized';
  return UNANSWERED.has(code) ? 'timeout' : 'network';
}

/**
 * undici's: the request was sent, and its answer did not begin or did not go on. A connection that was not made in time
 * (UND_ERR_CONNECT_TIMEOUT) is the network: nothing was asked yet.
 */
const UNANSWERED: ReadonlySet<string> = new Set([
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);
