import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

import type { OpResult } from '../../../../src/ipvs-node/model/kernel.ts';
import type { ServerOp } from '../../../../src/ipvs-node/model/kernel.ts';
import { Ownership } from '../../../../src/ipvs-node/kernel/ownership/ownership.ts';
import { ipvsEntry, runRecorded } from '../../../../src/ipvs-node/kernel/ownership/recorded-run.ts';
import { parseIp } from '../../../../src/net/address.ts';

const SCOPE = { bootId: 'b', netnsInode: '1' };
const VIP = parseIp('192.0.2.10');
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'vipvs-run.'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function op(kind: 'vs.add' | 'vs.set' | 'vs.del', port: number): ServerOp {
  const server = {
    vip: VIP,
    port,
    protocol: 'TCP' as const,
    scheduler: 'rr' as const,
    schedulerFlags: [],
    persistenceSeconds: 0,
  };
  return { op: kind, server };
}
const realOp: ServerOp = {
  op: 'rs.del',
  server: { vip: VIP, port: 80, protocol: 'TCP' },
  real: { address: parseIp('10.0.0.1'), port: 80 },
};
function result(errno: string): OpResult {
  return errno === 'ok' ? { ok: true } : { ok: false, errno, message: errno };
}

const cases = [
  { name: 'made', owned: [], ops: ['vs.add 1'], errnos: ['ok'], want: [1] },
  { name: 'refused', owned: [], ops: ['vs.add 1'], errnos: ['EEXIST'], want: [] },
  { name: 'ours, refused', owned: [1], ops: ['vs.add 1'], errnos: ['EEXIST'], want: [1] },
  { name: 'answer lost', owned: [], ops: ['vs.add 1'], errnos: ['unknown'], want: [1] },
  { name: 'taken over', owned: [], ops: ['vs.set 1'], errnos: ['ok'], want: [1] },
  { name: 'deleted', owned: [1], ops: ['vs.del 1'], errnos: ['ok'], want: [] },
  { name: 'gone already', owned: [1], ops: ['vs.del 1'], errnos: ['ESRCH'], want: [] },
  { name: 'not deleted', owned: [1], ops: ['vs.del 1'], errnos: ['EPERM'], want: [1] },
  { name: 'deletion lost', owned: [1], ops: ['vs.del 1'], errnos: ['unknown'], want: [1] },
  {
    name: 'deleted and made again',
    owned: [1],
    ops: ['vs.del 1', 'vs.add 1'],
    errnos: ['ok', 'ok'],
    want: [1],
  },
  {
    name: 'made, and refused a second time',
    owned: [],
    ops: ['vs.add 1', 'vs.add 1'],
    errnos: ['ok', 'EEXIST'],
    want: [1],
  },
  {
    name: 'refused, made anew by somebody else after ours was deleted',
    owned: [],
    ops: ['vs.add 1', 'vs.del 1', 'vs.add 1'],
    errnos: ['ok', 'ok', 'EEXIST'],
    want: [],
  },
  {
    name: 'each for itself',
    owned: [],
    ops: ['vs.add 1', 'vs.add 2', 'vs.add 3'],
    errnos: ['ok', 'ENOENT', 'ok'],
    want: [1, 3],
  },
] as const;

function parse(text: string): ServerOp {
  const [kind, port] = text.split(' ');
  assert.ok(kind === 'vs.add' || kind === 'vs.set' || kind === 'vs.del');
  return op(kind, Number(port));
}

for (const { name, owned, ops, errnos, want } of cases) {
  test(`the record after: ${name}`, async () => {
    const ownership = new Ownership(directory, SCOPE);
    ownership.claim(owned.map((port) => entryOf(op('vs.add', port))));
    await runRecorded(ownership, ops.map(parse), ipvsEntry, () =>
      Promise.resolve(errnos.map(result)),
    );
    ownership.close();
    const ports = new Ownership(directory, SCOPE).virtualServers.map((server) => server.port);
    assert.deepEqual(ports, want);
  });
}

function entryOf(each: ServerOp) {
  const effect = ipvsEntry(each);
  assert.ok(effect !== undefined);
  return effect.entry;
}

test('the record is written before the work, and knows nothing of real servers', async () => {
  const ownership = new Ownership(directory, SCOPE);
  await runRecorded(ownership, [op('vs.add', 1), realOp], ipvsEntry, (ops) => {
    assert.equal(new Ownership(directory, SCOPE).virtualServers.length, 1);
    return Promise.resolve(ops.map(() => result('ok')));
  });
  assert.equal(ipvsEntry(realOp), undefined);
});

test('without a record only what needs no new line is done', async () => {
  const run = path.join(directory, 'run');
  writeFileSync(run, ''); // a file where the directory should be
  const ownership = new Ownership(run, SCOPE);
  const done: string[] = [];
  const results = await runRecorded(
    ownership,
    [op('vs.add', 1), realOp, op('vs.del', 2)],
    ipvsEntry,
    (ops) => {
      done.push(...ops.map((each) => each.op));
      return Promise.resolve(ops.map(() => result('ok')));
    },
  );
  assert.deepEqual(done, ['rs.del', 'vs.del']);
  assert.deepEqual(
    results.map((each) => each.ok),
    [false, true, true],
  );
  assert.match(JSON.stringify(results[0]), /can not be recorded/);
});
