// The demo's backend: a real HTTP server that answers with its own name. /download streams for DOWNLOAD_SECONDS,
// in pieces, so that the demo can change the load balancer under a connection that is in use.
//   node http-server.ts NAME PORT
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export const DOWNLOAD_PIECES = 80;
export const PIECE_BYTES = 65_536;
const PIECE_EVERY_MS = 100;

if (import.meta.main) {
  const [name = 'backend', port = '8080'] = process.argv.slice(2);
  const server = createServer((request, response) => {
    void (async () => {
      if (request.url !== '/download') {
        response.end(`${name}\n`);
        return;
      }
      response.setHeader('content-length', DOWNLOAD_PIECES * PIECE_BYTES);
      response.setHeader('x-backend', name);
      for (let i = 0; i < DOWNLOAD_PIECES && !response.destroyed; i++) {
        response.write(Buffer.alloc(PIECE_BYTES, name));
        await sleep(PIECE_EVERY_MS);
      }
      response.end();
    })();
  });
  server.listen(Number(port), '0.0.0.0', () => process.stdout.write('listening\n'));
}
