import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { runProcess, type ProcessOutcome } from '../../../../src/ipvs-node/kernel/run-process.ts';

const PROGRAM = 'vipvs-test-program';

suite('run-process', () => {
  const home = process.cwd();
  const givenPath = process.env['PATH'];
  let folder: string;

  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'vipvs-path-'));
    mkdirSync(path.join(folder, 'bin'));
    for (const place of ['.', 'bin']) {
      const file = path.join(folder, place, PROGRAM);
      writeFileSync(
        file,
        '#!/bin/sh\nread line; echo "from $0 $line"; echo "$LC_ALL" >&2; exit 3\n',
      );
      chmodSync(file, 0o755);
    }
    process.chdir(folder);
  });
  after(() => {
    process.chdir(home);
    process.env['PATH'] = givenPath;
    rmSync(folder, { recursive: true });
  });

  const runWith = (searched: string | undefined, program = PROGRAM): Promise<ProcessOutcome> => {
    if (searched === undefined) delete process.env['PATH'];
    else process.env['PATH'] = searched;
    return runProcess(program, [], { input: 'said\n', timeoutMs: 60_000 });
  };

  const NOWHERE = [
    undefined,
    '',
    ':',
    ':/usr/bin',
    '/usr/bin:',
    '/usr/bin::/bin',
    '.',
    './bin',
    'bin:/usr/bin',
  ];
  for (const searched of NOWHERE) {
    test(`PATH ${JSON.stringify(searched)}: nothing comes from the working directory`, async () => {
      assert.deepEqual(await runWith(searched), { kind: 'missing' });
      assert.equal(
        (await runWith(searched, 'true')).kind,
        'exit',
        'the usual folders are searched',
      );
    });
  }

  test('a folder of PATH that is absolute is searched, after others that are not', async () => {
    const stdout = `from ${folder}/bin/${PROGRAM} said\n`;
    const want = { kind: 'exit', code: 3, stdout, stderr: 'C\n' };
    assert.deepEqual(await runWith(`:.:${folder}/bin`), want);
  });
});
