// /healthz, /readyz and /metrics. healthz: the process's loop runs. readyz: the first full round is done and nothing
// that blocks the work is known; its body says what is missing, one line each.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { OperationalError, messageOf } from './errors.ts';
import type { ListenAddress } from './flags.ts';

export interface HealthSource {
  /** Why the process is not ready; empty: ready. */
  readonly notReady: () => readonly string[];
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
}

export interface HealthServer {
  /** The port that was taken; differs from the one asked for where that was 0. */
  readonly port: number;
  close(): Promise<void>;
}

/** Throws OperationalError listen-failed. */
export async function startHealthServer(
  listen: ListenAddress,
  source: HealthSource,
): Promise<HealthServer> {
  const server = createServer((request, response) => {
    answer(request, response, source).catch((error: unknown) => {
      response.writeHead(500, TEXT).end(`${messageOf(error)}\n`);
    });
  });
  await listening(server, listen);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : listen.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Of both families where the kernel has both. */
const EVERY_ADDRESS = '::';
const EVERY_IPV4_ADDRESS = '0.0.0.0';

async function listening(server: Server, { host, port }: ListenAddress): Promise<void> {
  try {
    await listenOn(server, host, port);
  } catch (error) {
    const shown = host.includes(':') ? `[${host}]` : host;
    const text = `cannot listen on ${shown}:${port}: ${messageOf(error)}; choose another --listen, or off`;
    throw new OperationalError('listen-failed', text, error);
  }
}

async function listenOn(server: Server, host: string, port: number): Promise<void> {
  try {
    await listenOnce(server, host, port);
  } catch (error) {
    // a kernel that was booted with ipv6.disable=1 has the addresses of IPv4 only
    const hasNoIpv6 = error instanceof Error && 'code' in error && error.code === 'EAFNOSUPPORT';
    if (host !== EVERY_ADDRESS || !hasNoIpv6) throw error;
    await listenOnce(server, EVERY_IPV4_ADDRESS, port);
  }
}

function listenOnce(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

const TEXT = { 'content-type': 'text/plain; charset=utf-8' };

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  source: HealthSource,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { ...TEXT, allow: 'GET, HEAD' }).end('method not allowed\n');
    return;
  }
  switch (new URL(request.url ?? '/', 'http://localhost').pathname) {
    case '/healthz':
      response.writeHead(200, TEXT).end('ok\n');
      return;
    case '/readyz': {
      const reasons = source.notReady();
      const body = reasons.length === 0 ? 'ok\n' : reasons.map((reason) => `${reason}\n`).join('');
      response.writeHead(reasons.length === 0 ? 200 : 503, TEXT).end(body);
      return;
    }
    case '/metrics': {
      const { contentType, body } = await source.metrics();
      response.writeHead(200, { 'content-type': contentType }).end(body);
      return;
    }
    default:
      response.writeHead(404, TEXT).end('not found; there are /healthz, /readyz and /metrics\n');
  }
}
