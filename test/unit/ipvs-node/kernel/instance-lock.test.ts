import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';

import { findInstance, takeInstanceLock } from '../../../../src/ipvs-node/kernel/instance-lock.ts';
import { OperationalError } from '../../../../src/runtime/errors.ts';

const NAME = `\0vipvs-test/${process.pid}`;

test('the second is refused and told who is first; released, it is free again', async () => {
  assert.equal(await findInstance(NAME), undefined);
  const lock = await takeInstanceLock(NAME);
  assert.equal(await findInstance(NAME), `process ${process.pid}`);
  await assert.rejects(
    takeInstanceLock(NAME),
    (error) =>
      error instanceof OperationalError &&
      error.code === 'already-running' &&
      error.message.includes(`(process ${process.pid})`),
  );
  await lock.release();
  assert.equal(await findInstance(NAME), undefined);
  await (await takeInstanceLock(NAME)).release();
});

test('a stranger on the name is reported without his words', async () => {
  const server = createServer((socket) => socket.end('\u001b[31mrm -rf\n'));
  server.listen({ path: NAME });
  await once(server, 'listening');
  try {
    assert.equal(await findInstance(NAME), 'it does not say which process');
  } finally {
    server.close();
  }
});

test('a name that cannot be listened on is an error of its own', async () => {
  await assert.rejects(takeInstanceLock('/nonexistent/dir/socket'), /listen E/);
});
