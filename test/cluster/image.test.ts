// The image, really built (test/image/build.sh), by itself: what it holds, how an engine starts it, that its programs run.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { arrayAt, objectAt, textAt, type JsonObject } from '../../src/kube/json.ts';
import { findImage } from './image.ts';
import { ociConfig } from './oci.ts';

const ROOT = `${import.meta.dirname}/../..`;
const run = promisify(execFile);
const image = await findImage();
const skip = 'reason' in image ? image.reason : false;
const { rootfs, config }: { rootfs: string; config: JsonObject } =
  'reason' in image ? { rootfs: '', config: {} } : image;

suite('the image', { timeout: 120_000, skip }, () => {
  test('has no shell and no package manager', async () => {
    assert.equal(existsSync(`${rootfs}/bin`), false);
    assert.equal(existsSync(`${rootfs}/usr/bin`), false);
    assert.deepEqual(await readdir(`${rootfs}/usr/sbin`), ['nft']);
    assert.deepEqual(await readdir(`${rootfs}/usr/local/bin`), ['node']);
  });

  test('does not run as root', () => {
    assert.equal(textAt(config, 'User'), '65532:65532');
  });

  test('starts Node as bin/vipvs does: the same flags and settings of the allocator', async () => {
    const launcher = await readFile(`${ROOT}/bin/vipvs`, 'utf8');
    const flags = /exec node (.*)"\$main" "\$@"/.exec(launcher)?.[1]?.split(' ').slice(0, -1);
    const settings = [...launcher.matchAll(/(MALLOC_\w+)="\$\{\1:-(\d+)\}"/g)];
    assert.ok(
      flags !== undefined && settings.length > 0,
      'bin/vipvs reads otherwise than this test',
    );
    const want = ['/usr/local/bin/node', ...flags, '/opt/vipvs/dist/vipvs.js'];
    assert.deepEqual(arrayAt(config, 'Entrypoint'), want);
    for (const [, name = '', value = ''] of settings) {
      assert.ok(arrayAt(config, 'Env').includes(`${name}=${value}`), name);
    }
  });

  test('says which version it is, and of which commit', async () => {
    const text = await readFile(`${ROOT}/package.json`, 'utf8');
    const labels = objectAt(config, 'Labels');
    assert.equal(labels?.['org.opencontainers.image.version'], textAt(JSON.parse(text), 'version'));
    assert.match(String(labels?.['org.opencontainers.image.revision']), /^([0-9a-f]{12}|unknown)$/);
  });

  test('carries nothing of what it was built with: no secret, no registry', async () => {
    const { stdout } = await run('find', [
      rootfs,
      '(',
      ...[
        '-name',
        '.npmrc',
        '-o',
        '-path',
        '*/secrets/*',
        '-o',
        '-name',
        '*.ts',
        '-o',
        '-perm',
        '-4000',
      ],
      ')',
    ]);
    assert.equal(stdout.replaceAll(/.*\.d\.ts\n/g, ''), '');
  });
});

suite('the image, run by crun', { timeout: 120_000, skip }, () => {
  let bundle: string;
  before(async () => {
    bundle = await mkdtemp(`${tmpdir()}/vipvs-image-`);
  });
  after(() => rm(bundle, { recursive: true, force: true }));

  /** As `docker run --read-only IMAGE ARGS`, without a network. */
  const inContainer = async (
    container: JsonObject,
  ): Promise<{ stdout: string; stderr: string }> => {
    const spec = ociConfig(
      config,
      {},
      { ...container, securityContext: { readOnlyRootFilesystem: true } },
      { rootfs, hostname: 'image', environment: [], binds: [] },
    );
    await writeFile(`${bundle}/config.json`, JSON.stringify(spec));
    const id = `vipvs-image-${process.pid}`;
    // crun looks at this machine's control groups even where it shall make none, and can't stand every kind
    const script = `mount -t tmpfs tmpfs /sys/fs/cgroup
      exec crun --cgroup-manager=disabled run --bundle ${bundle} ${id}`;
    return run('unshare', ['--net', '--mount', 'sh', '-e', '-c', script]);
  };

  test('its command is --help', async () => {
    assert.match((await inContainer({})).stdout, /^Usage: vipvs /);
  });

  test('runs every program that it needs', async () => {
    assert.match((await inContainer({ args: ['--version'] })).stdout, /^vipvs \d/);
    const nft = await inContainer({ command: ['/usr/sbin/nft', '--version'] });
    assert.match(nft.stdout, /^nftables/);
    const addons = `for (const name of ['koffi', 'netlink']) require('/opt/vipvs/node_modules/' + name);
      require('/opt/vipvs/node_modules/koffi').load('/opt/vipvs/native/build/libvipvs.so');`;
    await inContainer({ command: ['/usr/local/bin/node', '-e', addons] });
  });

  test('runs the Node that package.json pins', async () => {
    const text = await readFile(`${ROOT}/package.json`, 'utf8');
    const pinned = textAt(
      objectAt(JSON.parse(text), 'optionalDependencies'),
      `node-linux-${process.arch}`,
    );
    const { stdout } = await inContainer({ command: ['/usr/local/bin/node', '--version'] });
    assert.equal(stdout.trim(), `v${pinned ?? ''}`);
  });

  test('says what is missing when it is started outside of a cluster', async () => {
    await assert.rejects(
      inContainer({ args: ['assigner'] }),
      (error: Error & { stderr?: string }) => {
        assert.match(error.stderr ?? '', /^vipvs: assigner: no access to an API server: [^\n]*\n$/);
        return true;
      },
    );
  });
});
