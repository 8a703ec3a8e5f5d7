// An API server made of a script, over real HTTPS, for what a real one cannot be made to do on demand: cut lines, 429,
// 500, resets, silence. Each request takes the next step of its queue; the last step of a queue stays.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

export interface SeenRequest {
  readonly kind: 'list' | 'watch' | 'other';
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  readonly contentType: string | undefined;
  readonly body: string;
}

export type Step = (answer: ServerResponse, seen: SeenRequest) => void;

export class FakeServer {
  readonly directory: string;
  readonly requests: SeenRequest[] = [];
  /** Steps of lists, watches and everything else. */
  readonly list: Step[] = [];
  readonly watch: Step[] = [];
  readonly other: Step[] = [];
  /** Watches that a step left open, in order. */
  readonly open: ServerResponse[] = [];
  connections = 0;
  readonly #server: Server;

  private constructor(directory: string) {
    this.directory = directory;
    this.#server = createServer(
      { key: readFileSync(join(directory, 'key.pem')), cert: readFileSync(this.caFile) },
      (request, answer) => void this.#handle(request, answer),
    );
    this.#server.on('secureConnection', () => (this.connections += 1));
  }

  static async start(): Promise<FakeServer> {
    const directory = mkdtempSync(join(tmpdir(), 'vipvs-fake-api-'));
    const files = ['-keyout', join(directory, 'key.pem'), '-out', join(directory, 'ca.pem')];
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
        ...['-days', '2', '-subj', '/CN=fake', '-addext', 'subjectAltName=IP:127.0.0.1', ...files],
      ],
      { stdio: 'pipe' },
    );
    const fake = new FakeServer(directory);
    fake.writeToken('first');
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get caFile(): string {
    return join(this.directory, 'ca.pem');
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** A kubeconfig whose token is read from a file. */
  kubeconfig(): string {
    const path = join(this.directory, 'kubeconfig');
    const cluster = {
      server: `https://127.0.0.1:${this.port}`,
      'certificate-authority': this.caFile,
    };
    const config = {
      'current-context': 'fake',
      contexts: [{ name: 'fake', context: { cluster: 'fake', user: 'fake', namespace: 'here' } }],
      clusters: [{ name: 'fake', cluster }],
      users: [{ name: 'fake', user: { tokenFile: 'token' } }],
    };
    writeFileSync(path, JSON.stringify(config));
    return path;
  }

  writeToken(token: string): void {
    writeFileSync(join(this.directory, 'token'), `${token}\n`);
  }

  seen(kind: SeenRequest['kind']): readonly SeenRequest[] {
    return this.requests.filter((request) => request.kind === kind);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #handle(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'https://fake');
    const kind = kindOf(request.method ?? '', url);
    const seen: SeenRequest = {
      kind,
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      authorization: request.headers.authorization,
      contentType: request.headers['content-type'],
      body: await text(request).catch(() => ''),
    };
    this.requests.push(seen);
    const queue = this[kind];
    const step = queue.length > 1 ? queue.shift() : queue[0];
    if (kind === 'watch') this.open.push(answer);
    if (step === undefined) json(500, { message: `no step for ${kind}` })(answer, seen);
    else step(answer, seen);
  }
}

function kindOf(method: string, url: URL): SeenRequest['kind'] {
  if (url.searchParams.has('watch')) return 'watch';
  return method === 'GET' && /\/(services|pools)$/.test(url.pathname) ? 'list' : 'other';
}

export function json(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Step {
  return (answer) => {
    answer.writeHead(status, { 'content-type': 'application/json', ...headers });
    answer.end(JSON.stringify(body));
  };
}

/** A meta/v1 Status as an answer. */
export function failure(
  code: number,
  reason: string,
  headers: Readonly<Record<string, string>> = {},
): Step {
  return json(code, statusObject(code, reason), headers);
}

export function statusObject(code: number, reason: string): unknown {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: `as told` };
}

export interface FakeObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
  readonly value: string;
}

/** An object `default/NAME`. */
export function object(
  name: string,
  resourceVersion: string,
  value = name,
  uid = name,
): FakeObject {
  return { metadata: { name, namespace: 'default', uid, resourceVersion }, value };
}

export function listOf(items: readonly unknown[], resourceVersion: string, next?: string): Step {
  return json(200, {
    kind: 'ServiceList',
    metadata: { resourceVersion, ...(next === undefined ? {} : { continue: next }) },
    items,
  });
}

export function event(type: string, of: unknown): string {
  return `${JSON.stringify({ type, object: of })}\n`;
}

export function bookmark(resourceVersion: string): string {
  return event('BOOKMARK', { kind: 'Service', metadata: { resourceVersion } });
}

/** Sends this and keeps the watch open. */
export function streaming(...parts: readonly (string | Buffer)[]): Step {
  return (answer) => {
    answer.writeHead(200, { 'content-type': 'application/json' });
    answer.flushHeaders();
    for (const part of parts) answer.write(part);
  };
}

/** Sends this and ends the watch as the server does at its timeout. */
export function ending(...parts: readonly string[]): Step {
  return (answer) => {
    answer.writeHead(200, { 'content-type': 'application/json' });
    answer.end(parts.join(''));
  };
}

/** Sends this and cuts the connection. */
export function cut(...parts: readonly string[]): Step {
  return (answer) => {
    answer.writeHead(200, { 'content-type': 'application/json' });
    answer.write(parts.join(''), () => {
      // A moment for the bytes to arrive before the reset
      setTimeout(() => answer.socket?.destroy(), 20);
    });
  };
}

/** Resets the connection instead of answering. */
export const reset: Step = (answer) => {
  answer.socket?.destroy();
};

/** Never answers. */
export const silence: Step = () => undefined;
