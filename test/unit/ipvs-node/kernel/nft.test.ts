import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NftFirewall, type RunNft } from '../../../../src/ipvs-node/kernel/firewall/nft.ts';
import { LAYOUT_SCRIPT } from '../../../../src/ipvs-node/kernel/firewall/nft-script.ts';
import type { ProcessOutcome } from '../../../../src/ipvs-node/kernel/run-process.ts';
import { parseIp } from '../../../../src/net/address.ts';
import { addElement, deleteElement } from '../../../contract/firewall-op.ts';
import { listing } from './nft-listing.ts';

const OK = { kind: 'exit', code: 0, stdout: '', stderr: '' } as const;
const refused = (stderr: string): ProcessOutcome => ({ kind: 'exit', code: 1, stdout: '', stderr });
const NOT_THERE = refused('Error: No such file or directory\n');
const LOST: ProcessOutcome = { kind: 'lost', why: 'nft was ended by SIGTERM' };

/** Answers in order; keeps what was asked. */
function scripted(...answers: readonly ProcessOutcome[]): { run: RunNft; asked: string[] } {
  const asked: string[] = [];
  const left = [...answers];
  const run: RunNft = (args, script) => {
    asked.push(script === '' ? args.join(' ') : script);
    const answer = left.shift();
    assert.ok(answer !== undefined, `nobody expected: ${asked.at(-1) ?? ''}`);
    return Promise.resolve(answer);
  };
  return { run, asked };
}

const VIP = addElement('vips4', parseIp('192.0.2.1'));
const OTHER = deleteElement('vips4', parseIp('192.0.2.2'));

const observations = [
  { name: 'no nft binary', answers: [{ kind: 'missing' } as const], want: 'absent' },
  { name: 'nft was ended', answers: [LOST], want: undefined },
  {
    name: 'no permission',
    answers: [refused('Error: Operation not permitted\n')],
    want: undefined,
  },
  {
    name: 'a kernel without the family',
    answers: [
      NOT_THERE,
      refused('x:1:1-2: Error: Could not process rule: Operation not supported\n'),
    ],
    want: 'absent',
  },
  {
    name: 'the probe fails otherwise',
    answers: [NOT_THERE, refused('Error: Cannot allocate memory\n')],
    want: undefined,
  },
  { name: 'the probe is lost', answers: [NOT_THERE, LOST], want: undefined },
];
for (const { name, answers, want } of observations) {
  test(`observes: ${name}`, async () => {
    const firewall = new NftFirewall(scripted(...answers).run);
    assert.equal(await firewall.observe(), want);
    assert.equal(firewall.absence === undefined, want !== 'absent');
  });
}

test('a table that is not there reads as empty sets and is made by the first change', async () => {
  const { run, asked } = scripted(NOT_THERE, OK, OK, OK);
  const firewall = new NftFirewall(run);
  const seen = await firewall.observe();
  assert.ok(typeof seen === 'object');
  assert.equal(seen.sets.size, 10);
  assert.deepEqual(await firewall.change([VIP]), [{ ok: true }]);
  assert.deepEqual(await firewall.change([VIP]), [{ ok: true }]);
  const command = 'add element inet vipvs vips4 { 192.0.2.1 }\n';
  assert.deepEqual(asked.slice(2), [LAYOUT_SCRIPT + command, command]);
});

test('a change without an observation looks first, so that it never empties a table', async () => {
  const { run, asked } = scripted(LOST, OK);
  await new NftFirewall(run).change([VIP]);
  assert.deepEqual(asked, [
    '-j -n list table inet vipvs',
    'add element inet vipvs vips4 { 192.0.2.1 }\n',
  ]);
});

test('a refused change is left out, and the others go in', async () => {
  const { run, asked } = scripted(
    LOST,
    refused('/dev/stdin:2:1-9: Error: Could not process rule: No such file or directory\n'),
    refused('/dev/stdin:2:1-9: Error: Could not process rule: No such file or directory\n'),
    OK,
  );
  const results = await new NftFirewall(run).change([VIP, OTHER, VIP]);
  assert.deepEqual(
    results.map((result) => (result.ok ? 'ok' : result.errno)),
    ['ok', 'ENOENT', 'ok'],
  );
  assert.equal(asked.at(-1), 'add element inet vipvs vips4 { 192.0.2.1 }\n'.repeat(2));
});

test('lines of the layout are not counted as changes', async () => {
  const line = LAYOUT_SCRIPT.split('\n').length;
  const stderr = `/dev/stdin:${line}:1-9: Error: Could not process rule: File exists\n`;
  const { run } = scripted(NOT_THERE, OK, refused(stderr), refused(stderr), OK);
  const results = await new NftFirewall(run).change([VIP, OTHER]);
  assert.deepEqual(
    results.map((result) => (result.ok ? 'ok' : result.errno)),
    ['EEXIST', 'ok'],
  );
});

test('a reason that is common to all is the answer of each', async () => {
  const lost = await new NftFirewall(scripted(LOST, LOST, LOST).run).change([VIP, OTHER]);
  assert.deepEqual(
    lost.map((result) => (result.ok ? 'ok' : result.errno)),
    ['unknown', 'unknown'],
  );
  const missing = await new NftFirewall(scripted({ kind: 'missing' }).run).change([VIP]);
  assert.deepEqual(missing, [
    { ok: false, errno: 'EOPNOTSUPP', message: 'nft: the program nft is not installed' },
  ]);
  assert.deepEqual(await new NftFirewall(scripted().run).change([]), []);
});

test('a table that somebody deleted is one answer for all, and the next change looks again', async () => {
  const gone = refused('/dev/stdin:1:20-24: Error: No such file or directory\n');
  const { run, asked } = scripted(NOT_THERE, OK, OK, gone, NOT_THERE, OK, OK);
  const firewall = new NftFirewall(run);
  await firewall.change([VIP]);
  const results = await firewall.change([VIP, OTHER]);
  assert.deepEqual(
    results.map((result) => (result.ok ? 'ok' : result.errno)),
    ['ENOENT', 'ENOENT'],
  );
  assert.deepEqual(await firewall.change([VIP]), [{ ok: true }]);
  assert.ok(asked.at(-1)?.startsWith(LAYOUT_SCRIPT));
});

test('remove deletes a table that is there, and only says so where it is not', async () => {
  const { run, asked } = scripted(OK, OK);
  assert.equal(await new NftFirewall(run).remove(), true);
  assert.equal(asked[1], 'table inet vipvs\ndelete table inet vipvs\n');
  assert.equal(await new NftFirewall(scripted(NOT_THERE).run).remove(), false);
  assert.equal(await new NftFirewall(scripted({ kind: 'missing' }).run).remove(), false);
  await assert.rejects(new NftFirewall(scripted(LOST).run).remove(), /SIGTERM/);
  await assert.rejects(
    new NftFirewall(scripted(refused('Error: Operation not permitted\n')).run).remove(),
    /Operation not permitted/,
  );
  await assert.rejects(
    new NftFirewall(scripted(OK, refused('Error: Device or resource busy\n')).run).remove(),
    /resource busy/,
  );
});

const LATE: readonly {
  readonly name: string;
  readonly asked: string;
  readonly late: ProcessOutcome;
}[] = [
  { name: 'listing', asked: 'list', late: { ...OK, stdout: listing() } },
  { name: 'probe', asked: '-c', late: OK },
];
for (const { name, asked, late } of LATE) {
  test(`a ${name} beside a change says nothing, and the table stays known`, async () => {
    const answer = Promise.withResolvers<ProcessOutcome>();
    const scripts: string[] = [];
    let isHeld = false;
    const isAsked = Promise.withResolvers<undefined>();
    const run: RunNft = (args, script) => {
      if (isHeld && args.includes(asked)) {
        isAsked.resolve(undefined);
        return answer.promise;
      }
      scripts.push(script);
      return Promise.resolve(args.includes('list') ? NOT_THERE : OK);
    };
    const firewall = new NftFirewall(run);
    await firewall.change([VIP]);
    isHeld = true;
    const observed = firewall.observe();
    await isAsked.promise;
    await firewall.change([OTHER]);
    answer.resolve(late);
    assert.equal(await observed, undefined);
    isHeld = false;
    scripts.length = 0;
    await firewall.change([VIP]);
    assert.deepEqual(scripts, ['add element inet vipvs vips4 { 192.0.2.1 }\n'], 'no layout again');
  });
}
