// One vipvs for one network namespace: the holder listens on an abstract Unix socket. Its name lives in the namespace
// whose IPVS table, addresses and nft table it guards (a lock file lives in a mount namespace, which a container has
// of its own), it ends with the process however that ends, and it tells who holds it. docs/decisions/0006.
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';

import { OperationalError } from '../../runtime/errors.ts';

const LOCK_NAME = '\0vipvs/node';
/** The holder answers from its event loop; one that computes for longer is still the holder. */
const ANSWER_MS = 2_000;

export interface InstanceLock {
  release(): Promise<void>;
}

/** Throws OperationalError already-running, which names the holder. */
export async function takeInstanceLock(name: string = LOCK_NAME): Promise<InstanceLock> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined); // the asker has gone
    socket.end(`process ${process.pid}\n`);
  });
  server.unref();
  try {
    await listen(server, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    throw new OperationalError(
      'already-running',
      `another vipvs manages this network namespace (${await ask(name)}); stop it first`,
      error,
    );
  }
  return {
    release: async () => {
      server.close();
      await once(server, 'close');
    },
  };
}

/** Who manages this network namespace: `process 123`; undefined: nobody. */
export async function findInstance(name: string = LOCK_NAME): Promise<string | undefined> {
  const answer = await ask(name);
  return answer === 'nobody' ? undefined : answer;
}

async function listen(server: Server, name: string): Promise<void> {
  const listening = once(server, 'listening');
  server.listen({ path: name });
  await listening; // once() rejects on 'error'
}

/** `nobody`, or what the holder says. */
async function ask(name: string): Promise<string> {
  const socket = connect({ path: name });
  let text = '';
  const holder = { answered: false };
  socket.setEncoding('utf8').on('data', (part: string) => (text += part));
  socket.on('connect', () => (holder.answered = true));
  socket.setTimeout(ANSWER_MS, () => socket.destroy());
  socket.on('error', () => undefined); // nobody listens, or it ended meanwhile
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  if (!holder.answered) return 'nobody';
  // an abstract socket can be anybody's: take no text of theirs for ours
  return /^process \d{1,10}$/.exec(text.trim())?.[0] ?? 'it does not say which process';
}
