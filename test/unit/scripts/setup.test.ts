// scripts/setup.sh in a folder of its own, with stand-ins for npm and node: what it must do where the real ones are not
// those of the build machines. (CI shows that it does with the real ones.)
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { program } from './program.ts';

const SETUP = path.resolve(import.meta.dirname, '../../../scripts/setup.sh');
const MACHINE = process.arch === 'arm64' ? 'arm64' : 'x64';

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** A checkout whose npm runs `npm`, and whose machine has Node 18. */
async function checkout(t: TestContext, npm: string): Promise<string> {
  const root = await mkdtemp(path.join(tmpdir(), 'vipvs-setup.'));
  t.after(() => rm(root, { recursive: true, force: true }));
  await mkdir(path.join(root, 'scripts'));
  await copyFile(SETUP, path.join(root, 'scripts/setup.sh'));
  await writeFile(path.join(root, 'package-lock.json'), '{"packages":{}}');
  await program(path.join(root, 'path/npm'), npm);
  await program(path.join(root, 'path/node'), 'echo v18.20.4');
  return root;
}

async function setUp(root: string, ...steps: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const env = { PATH: `${root}/path:/usr/sbin:/usr/bin:/sbin:/bin` };
    execFile(`${root}/scripts/setup.sh`, steps, { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

/** As npm 9 leaves it: the package is there, .bin/node is not. */
const NPM_9 = `
  pinned=node_modules/node-linux-${MACHINE}/bin/node
  mkdir -p node_modules/node-linux-${MACHINE}/bin
  printf '#!/bin/sh\\necho v24.21.0\\n' > $pinned
  chmod +x $pinned
  echo '{"packages":{}}' > node_modules/.package-lock.json`;

test('the pinned Node is the node of make, whatever npm linked', async (t) => {
  const root = await checkout(t, NPM_9);
  const { code, output } = await setUp(root, 'npm');
  assert.equal(code, 0, output);
  const version = await new Promise((resolve) => {
    execFile(`${root}/node_modules/.bin/node`, ['--version'], (_, stdout) => {
      resolve(stdout);
    });
  });
  assert.equal(version, 'v24.21.0\n');
});

test('without a Node that is new enough it says why, and stops', async (t) => {
  const root = await checkout(t, 'mkdir -p node_modules');
  const { code, output } = await setUp(root, 'npm');
  assert.equal(code, 1);
  assert.match(output, /^setup: needs Node 24 or later, found v18\.20\.4, .*node-linux-/m);
});
