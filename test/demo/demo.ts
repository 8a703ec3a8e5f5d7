// `make demo`: the main job, told step by step. Runs inside test/lab/run; everything it shows is the real thing: the vipvs
// command, the kernel's IPVS, HTTP servers in namespaces of their own. Any surprise ends it with exit code 1.
import assert from 'node:assert/strict';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import { buildTopology, run, start, stop } from '../lab/topology.ts';
import { DOWNLOAD_PIECES, PIECE_BYTES } from './download.ts';
import { note, show, step, until } from './story.ts';

const VIP = '10.0.0.100';
const DIR = '/tmp/manifests';
// the lab's root file system is read-only; on a machine of one's own the default, /var/lib/vipvs, is right
process.env['VIPVS_STATE_DIR'] = '/tmp/state';
const [vipvsJs = '', httpServerJs = ''] = process.argv.slice(2);
const node = process.execPath;

const vipvs = (...args: string[]): string[] => [node, vipvsJs, ...args];
const STANDALONE = ['standalone', '-f', DIR, '--bind-iface', 'eth0', '--node-name', 'director'];
const ipvsadm = ['ipvsadm', '-Ln'];

const POOL = `apiVersion: vipvs.io/v1alpha1
kind: Pool
metadata: { name: public }
spec:
  addresses: [10.0.0.100-10.0.0.109]
`;
const SERVICE = `apiVersion: v1
kind: Service
metadata: { name: web, namespace: default }
spec:
  type: LoadBalancer
  ports: [{ name: http, port: 80, targetPort: 8080 }]
`;
const endpoints = (addresses: readonly string[]): string => `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, namespace: default, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
ports: [{ name: http, port: 8080 }]
endpoints: [${addresses.map((address) => `{ addresses: [${address}] }`).join(', ')}]
`;

/** As an editor does it: a new file, renamed over the old one. */
async function apply(file: string, text: string): Promise<void> {
  await writeFile(`${DIR}/.${file}.new`, text);
  await rename(`${DIR}/.${file}.new`, `${DIR}/${file}`);
}

async function rules(): Promise<string> {
  return (await run('director', ipvsadm)).stdout;
}

async function untilRules(what: string, holds: (text: string) => boolean): Promise<void> {
  await until(what, 60, async () => (holds(await rules()) ? true : undefined));
}

const children: ChildProcess[] = [];

async function startBackends(names: readonly string[]): Promise<void> {
  await Promise.all(
    names.map(async (name) => {
      const child = start(name, [node, httpServerJs, name, '8080']);
      children.push(child);
      if (child.stdout !== null) await once(child.stdout, 'data');
    }),
  );
}

async function startStandalone(): Promise<ChildProcess> {
  const child = start('director', vipvs(...STANDALONE));
  children.push(child);
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (log += text));
  child.stdout?.resume();
  await until('vipvs is ready', 120, async () => {
    if (child.exitCode !== null) throw new Error(`vipvs standalone ended with ${child.exitCode}`);
    const ready = ['curl', '-sf', '-o', '/dev/null', 'http://127.0.0.1:9472/readyz'];
    return (await run('director', ready, { mayFail: true })).code === 0 ? true : undefined;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}\nvipvs standalone says:\n${log}`, { cause: error });
  });
  return child;
}

async function tenCurls(): Promise<void> {
  const loop = `for i in 1 2 3 4 5 6 7 8 9 10; do curl -s http://${VIP}/; done | sort | uniq -c`;
  const { stdout } = await show('client', ['sh', '-c', loop], loop);
  assert.match(stdout, /5 be1\s+5 be2/, 'ten requests are spread evenly over both backends');
}

interface Download {
  readonly backend: string;
  readonly finished: Promise<string>;
}

async function startDownload(): Promise<Download> {
  const url = `http://${VIP}/download`;
  const child = start('client', ['sh', '-c', `curl -s -D /tmp/headers ${url} | wc -c`]);
  children.push(child);
  let bytes = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (bytes += text));
  const finished = once(child, 'close').then(() => bytes.trim());
  const backend = await until('the download has begun', 60, async () => {
    const headers = await run('client', ['cat', '/tmp/headers'], { mayFail: true });
    return /x-backend: (\S+)/.exec(headers.stdout)?.[1];
  });
  return { backend, finished };
}

async function tell(): Promise<void> {
  step('A lab: a client, a director, two web servers, each in a network namespace of its own');
  await buildTopology({ directors: ['director'], backends: ['be1', 'be2', 'be3'] });
  await startBackends(['be1', 'be2', 'be3']);
  note('client 10.9.0.2 ── router ──┬── director 10.0.0.11');
  note('                            ├── be1 10.0.0.21:8080   be2 10.0.0.22:8080');
  note('                            └── be3 10.0.0.23:8080   (joins later)');

  step('vipvs starts on the director, with an empty directory');
  await mkdir(DIR, { recursive: true });
  note(`director$ vipvs ${STANDALONE.join(' ')}`);
  const standalone = await startStandalone();

  step('A Pool and a Service with two endpoints are put into the directory');
  await apply('pool.yaml', POOL);
  await apply('service.yaml', SERVICE);
  await apply('endpoints.yaml', endpoints(['10.0.0.21', '10.0.0.22']));
  await show(
    'director',
    ['sh', '-c', `cd ${DIR} && tail -n +1 pool.yaml service.yaml endpoints.yaml`],
    'tail -n +1 pool.yaml service.yaml endpoints.yaml',
  );
  await untilRules('the VIP is programmed', (text) => text.includes('10.0.0.22:8080'));
  await show('director', vipvs('status'), 'vipvs status');

  step('The VIP is on the interface, the rules are in the kernel');
  const address = ['ip', 'address', 'show', 'dev', 'eth0'];
  await until('the VIP is bound', 60, async () => {
    const { stdout } = await run('director', address);
    return stdout.includes(`${VIP}/32`) ? true : undefined;
  });
  await show('director', address);
  await show('director', ipvsadm);

  step('Ten requests through the VIP');
  await tenCurls();

  step(
    'A long download starts; an endpoint is added, and the one that serves the download is drained',
  );
  const download = await startDownload();
  note(`the download comes from ${download.backend}`);
  const drained = download.backend === 'be1' ? '10.0.0.21' : '10.0.0.22';
  const stays = download.backend === 'be1' ? '10.0.0.22' : '10.0.0.21';
  await apply('endpoints.yaml', endpoints([stays, '10.0.0.23']));
  await untilRules('be3 is in, the other drains', (text) => text.includes('10.0.0.23:8080'));
  const { stdout: draining } = await show('director', ipvsadm);
  assert.match(
    draining,
    new RegExp(`${drained}:8080 +Masq +0 `),
    'the leaving server has weight 0',
  );
  const bytes = await download.finished;
  note(`the download ended with ${bytes} bytes of ${DOWNLOAD_PIECES * PIECE_BYTES}: unbroken`);
  assert.equal(Number(bytes), DOWNLOAD_PIECES * PIECE_BYTES, 'the download is whole');

  step('The Service is deleted; the kernel is clean again');
  await rm(`${DIR}/service.yaml`);
  await untilRules('no virtual server is left', (text) => !text.includes(VIP));
  await until('the VIP is gone', 60, async () => {
    const { stdout } = await run('director', address);
    return stdout.includes(VIP) ? undefined : true;
  });
  await show('director', ipvsadm);
  await show('director', ['ip', '-brief', 'address', 'show', 'dev', 'eth0']);
  await stop(standalone);
}

try {
  await tell();
  process.stdout.write('\nThat is vipvs. README.md says how to run it on a machine of your own.\n');
} catch (error) {
  process.stdout.write(
    `\nThe demo failed: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exitCode = 1;
} finally {
  for (const child of children) await stop(child, 'SIGKILL');
}
