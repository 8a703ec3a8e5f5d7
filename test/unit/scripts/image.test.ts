// scripts/image.sh, which `make image` runs, with stand-ins for the engines. (test/cluster/image.test.ts shows that it
// builds with the real buildah.)
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { program } from './program.ts';

const SCRIPT = path.resolve(import.meta.dirname, '../../../scripts/image.sh');
const WORKS = '[ "$1" = info ] || { echo "$0 $*" "BUILDKIT=$DOCKER_BUILDKIT"; }';
const NO_DAEMON = '[ "$1" != info ] || { echo "Cannot connect to the daemon" >&2; exit 1; }';

/** A PATH with these engines, and of the machine only what the script itself needs. */
async function machine(t: TestContext, engines: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'vipvs-engines.'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const tool of ['bash', 'sh', 'dirname', 'readlink', 'tail']) {
    const { stdout } = await promisify(execFile)('sh', ['-c', `command -v ${tool}`]);
    await symlink(stdout.trim(), path.join(folder, tool));
  }
  for (const [name, text] of Object.entries(engines)) {
    await program(path.join(folder, name), text);
  }
  return folder;
}

const build = (
  folder: string,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly stdout: string }> =>
  promisify(execFile)('bash', [SCRIPT, 'registry/vipvs:1', '--no-cache'], {
    env: { PATH: folder, ...env },
  });

test('make image takes the first engine that works', async (t) => {
  const folder = await machine(t, { docker: NO_DAEMON, podman: WORKS, buildah: WORKS });
  const { stdout } = await build(folder);
  assert.match(stdout, /^make image: registry\/vipvs:1 with podman\n/);
  const want =
    'podman build -f deploy/Dockerfile -t registry/vipvs:1 --build-arg REVISION=unknown --no-cache . BUILDKIT=1';
  assert.ok(stdout.includes(want), stdout);
});

test('make image takes the engine that is asked for, and no other', async (t) => {
  const folder = await machine(t, { docker: WORKS, podman: NO_DAEMON });
  assert.match((await build(folder)).stdout, /with docker/);
  await assert.rejects(build(folder, { ENGINE: 'podman' }), ({ stderr }: { stderr: string }) => {
    assert.match(stderr, /^ {2}podman: does not work: Cannot connect to the daemon$/m);
    assert.doesNotMatch(stderr, /^ {2}docker/m);
    return true;
  });
});

test('make image says of each engine what is missing', async (t) => {
  const folder = await machine(t, { docker: NO_DAEMON });
  await assert.rejects(build(folder), ({ stderr }: { stderr: string }) => {
    const lines = stderr.trim().split('\n');
    assert.match(lines[0] ?? '', /^make image: needs one of docker, podman and buildah/);
    assert.deepEqual(lines.slice(1), [
      '  docker: does not work: Cannot connect to the daemon',
      '  podman: not installed',
      '  buildah: not installed',
    ]);
    return true;
  });
});
