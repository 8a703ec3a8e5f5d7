// The demo's backend: a real HTTP server that answers with its own name. /download streams for eight seconds, so that
// the demo can change the load balancer under a connection that is in use.
//   node http-server.ts NAME PORT
import { createServer, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { DOWNLOAD_PIECES, PIECE_BYTES, PIECE_EVERY_MS } from './download.ts';

const [name = 'backend', port = '8080'] = process.argv.slice(2);

async function sendDownload(response: ServerResponse): Promise<void> {
  response.setHeader('content-length', DOWNLOAD_PIECES * PIECE_BYTES);
  response.setHeader('x-backend', name);
  for (let i = 0; i < DOWNLOAD_PIECES && !response.destroyed; i++) {
    response.write(Buffer.alloc(PIECE_BYTES, name));
    await sleep(PIECE_EVERY_MS);
  }
  response.end();
}

const server = createServer((request, response) => {
  if (request.url === '/download') void sendDownload(response);
  else response.end(`${name}\n`);
});
server.listen(Number(port), '0.0.0.0', () => process.stdout.write('listening\n'));
