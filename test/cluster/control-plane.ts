// A real Kubernetes control plane for one test file: etcd and kube-apiserver (and kube-controller-manager where asked)
// on free loopback ports, everything in one temporary folder, ready in about 2.5 s. Several may run at once.
// Every program has its own token; the admin's is for the test itself. Binaries: test/controlplane/build.sh.
import { spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { ServerProcess } from './server-process.ts';

export interface User {
  /** How the test names it, and its kubeconfig. */
  readonly name: string;
  /** How the API server knows it: `system:serviceaccount:vipvs:vipvs-assigner`. */
  readonly user: string;
  readonly groups: readonly string[];
}

export interface ControlPlaneOptions {
  readonly users?: readonly User[];
  /** Also kube-controller-manager with the EndpointSlice, garbage collection and namespace controllers. */
  readonly controllers?: boolean;
  /** Also what ServiceAccounts ask, in ControlPlane.auditLog. */
  readonly audit?: boolean;
}

export interface KubectlOptions {
  readonly user?: string;
  readonly stdin?: string;
}

export interface KubectlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ControlPlane {
  readonly directory: string;
  /** https://127.0.0.1:PORT */
  readonly server: string;
  readonly port: number;
  readonly caFile: string;
  readonly apiserver: ServerProcess;
  readonly etcd: ServerProcess;
  readonly controllers: ServerProcess;
  /** One audit.k8s.io/v1 Event a line, written before the answer is sent. */
  readonly auditLog: string;
  /** The folder with kubectl, kube-proxy and the servers. */
  readonly binaries: string;
  /** Path of a kubeconfig; `host` other than 127.0.0.1 for a guest (10.0.2.2). */
  kubeconfig(user: string, host?: string): Promise<string>;
  /** The standard output; rejects with the standard error when kubectl fails. */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<string>;
  tryKubectl(args: readonly string[], options?: KubectlOptions): Promise<KubectlResult>;
  /** A new token in the user's file. The API server takes it, and refuses the old one, from its next start on. */
  rotateToken(user: string): Promise<void>;
  /** Compacts etcd's history up to now. */
  compact(): Promise<void>;
  /** Kills everything and removes the folder. */
  stop(): Promise<void>;
}

const ADMIN: User = { name: 'admin', user: 'admin', groups: ['system:masters'] };
const CONTROLLERS: User = {
  name: 'controllers',
  user: 'system:kube-controller-manager',
  groups: ['system:masters'],
};

/** A program as it runs in a Pod: with the user and the groups of its ServiceAccount. */
export function serviceAccount(name: string, namespace: string, account: string): User {
  return {
    name,
    user: `system:serviceaccount:${namespace}:${account}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
  };
}

export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const binaries = await controlPlaneBinaries();
  const directory = await mkdtemp(join(tmpdir(), 'vipvs-cluster-'));
  const ports = await freePorts(3);
  const plane = new Plane(
    binaries,
    directory,
    ports,
    [ADMIN, CONTROLLERS, ...(options.users ?? [])],
    options.audit === true,
  );
  try {
    await plane.begin(options.controllers === true);
  } catch (error) {
    await plane.stop();
    throw error;
  }
  return plane;
}

/** Builds them when they are not there yet (four minutes; its progress goes to the standard error). */
async function controlPlaneBinaries(): Promise<string> {
  const script = join(import.meta.dirname, '../controlplane/build.sh');
  const { code, stdout } = await run(script, [], { stderr: 'inherit' });
  if (code !== 0) throw new Error(`${script} failed with exit code ${code}`);
  return stdout.trim();
}

class Plane implements ControlPlane {
  readonly binaries: string;
  readonly directory: string;
  readonly port: number;
  readonly server: string;
  readonly caFile: string;
  readonly auditLog: string;
  readonly apiserver: ServerProcess;
  readonly etcd: ServerProcess;
  readonly controllers: ServerProcess;
  readonly #users: readonly User[];
  readonly #tokens = new Map<string, string>();
  readonly #kubeconfigs = new Map<string, Promise<void>>();
  readonly #etcdUrl: string;

  constructor(
    binaries: string,
    directory: string,
    ports: readonly number[],
    users: readonly User[],
    withAudit: boolean,
  ) {
    const [etcdPort = 0, peerPort = 0, port = 0] = ports;
    this.binaries = binaries;
    this.directory = directory;
    this.port = port;
    this.server = `https://127.0.0.1:${port}`;
    this.caFile = join(directory, 'certs/apiserver.crt');
    this.auditLog = join(directory, 'audit.log');
    this.#users = users;
    this.#etcdUrl = `http://127.0.0.1:${etcdPort}`;
    this.etcd = new ServerProcess({
      name: 'etcd',
      program: join(binaries, 'etcd'),
      args: () => etcdArgs(directory, this.#etcdUrl, `http://127.0.0.1:${peerPort}`),
      logFile: join(directory, 'etcd.log'),
      ready: async () => (await fetch(`${this.#etcdUrl}/readyz`)).ok,
    });
    this.apiserver = new ServerProcess({
      name: 'kube-apiserver',
      program: join(binaries, 'kube-apiserver'),
      args: () => [
        ...apiserverArgs(directory, this.#etcdUrl, port),
        ...(withAudit ? auditArgs(directory, this.auditLog) : []),
      ],
      logFile: join(directory, 'apiserver.log'),
      ready: () => this.#ready(),
    });
    this.controllers = new ServerProcess({
      name: 'kube-controller-manager',
      program: join(binaries, 'kube-controller-manager'),
      args: () => controllersArgs(directory),
      logFile: join(directory, 'controllers.log'),
      ready: () => Promise.resolve(true),
    });
  }

  async begin(withControllers: boolean): Promise<void> {
    await mkdir(join(this.directory, 'tokens'));
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = privateKey.export({ type: 'pkcs1', format: 'pem' });
    await writeFile(join(this.directory, 'sa.key'), pem);
    await writeFile(join(this.directory, 'audit-policy.yaml'), AUDIT_POLICY);
    for (const { name } of this.#users) await this.#newToken(name);
    await this.#writeTokens();
    await this.etcd.start();
    await this.apiserver.start();
    if (!withControllers) return;
    await this.kubeconfig(CONTROLLERS.name);
    await this.controllers.start();
  }

  async kubeconfig(user: string, host = '127.0.0.1'): Promise<string> {
    if (!this.#tokens.has(user)) throw new Error(`the control plane has no user ${user}`);
    const suffix = host === '127.0.0.1' ? '' : `@${host}`;
    const path = join(this.directory, `${user}${suffix}.kubeconfig`);
    // once: somebody else may be reading it by now
    let written = this.#kubeconfigs.get(path);
    if (written === undefined) {
      written = this.#writeKubeconfig(path, user, host);
      this.#kubeconfigs.set(path, written);
    }
    await written;
    return path;
  }

  async #writeKubeconfig(path: string, user: string, host: string): Promise<void> {
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      contexts: [{ name: 'test', context: { cluster: 'test', user } }],
      clusters: [
        {
          name: 'test',
          cluster: {
            server: `https://${host}:${this.port}`,
            'certificate-authority': this.caFile,
            // The self-signed certificate names only the API server's own addresses
            'tls-server-name': 'kubernetes',
          },
        },
      ],
      users: [{ name: user, user: { tokenFile: this.#tokenFile(user) } }],
    };
    await writeFile(path, `${JSON.stringify(config, undefined, 2)}\n`);
  }

  async kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.tryKubectl(args, options);
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr.trim()}`);
    return stdout;
  }

  async tryKubectl(args: readonly string[], options: KubectlOptions = {}): Promise<KubectlResult> {
    const kubeconfig = await this.kubeconfig(options.user ?? ADMIN.name);
    const cache = join(this.directory, 'kubectl-cache');
    const all = ['--kubeconfig', kubeconfig, '--cache-dir', cache, ...args];
    return run(join(this.binaries, 'kubectl'), all, {
      ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
    });
  }

  async rotateToken(user: string): Promise<void> {
    await this.#newToken(user);
    await this.#writeTokens();
  }

  async compact(): Promise<void> {
    // etcd's own JSON gateway: the header of any answer carries the revision of now
    const range = await this.#etcdCall('/v3/kv/range', {
      key: Buffer.from('/').toString('base64'),
    });
    const revision = /"revision":"(\d+)"/.exec(range)?.[1];
    if (revision === undefined) throw new Error(`etcd told no revision: ${range}`);
    await this.#etcdCall('/v3/kv/compaction', { revision, physical: true });
  }

  async stop(): Promise<void> {
    await Promise.all([this.controllers.kill(), this.apiserver.kill(), this.etcd.kill()]);
    await rm(this.directory, { recursive: true, force: true });
  }

  async #etcdCall(path: string, body: unknown): Promise<string> {
    const answer = await fetch(`${this.#etcdUrl}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    const content = await answer.text();
    if (!answer.ok) throw new Error(`etcd ${path}: ${answer.status} ${content}`);
    return content;
  }

  async #newToken(user: string): Promise<void> {
    const token = randomBytes(16).toString('hex');
    this.#tokens.set(user, token);
    await writeFile(this.#tokenFile(user), `${token}\n`);
  }

  async #writeTokens(): Promise<void> {
    const lines = this.#users.map(({ name, user, groups }) => {
      const token = this.#tokens.get(name) ?? '';
      return `${token},${user},uid-${name},"${groups.join(',')}"\n`;
    });
    await writeFile(join(this.directory, 'tokens.csv'), lines.join(''));
  }

  #tokenFile(user: string): string {
    return join(this.directory, 'tokens', user);
  }

  async #ready(): Promise<boolean> {
    const ca = await readFile(this.caFile);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const asked = request(
      { host: '127.0.0.1', port: this.port, path: '/readyz', ca, servername: 'kubernetes' },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode === 200);
      },
    );
    asked.once('error', () => resolve(false));
    asked.end();
    return promise;
  }
}

function etcdArgs(directory: string, client: string, peer: string): readonly string[] {
  return [
    ...['--data-dir', join(directory, 'etcd'), '--log-level', 'warn', '--unsafe-no-fsync'],
    ...['--listen-client-urls', client, '--advertise-client-urls', client],
    ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
    ...['--initial-cluster', `default=${peer}`],
  ];
}

function apiserverArgs(directory: string, etcd: string, port: number): readonly string[] {
  const key = join(directory, 'sa.key');
  return [
    ...['--etcd-servers', etcd, '--cert-dir', join(directory, 'certs'), '--secure-port', `${port}`],
    ...['--bind-address', '127.0.0.1', '--advertise-address', '127.0.0.1'],
    ...['--token-auth-file', join(directory, 'tokens.csv'), '--authorization-mode', 'RBAC'],
    ...['--service-account-issuer', 'https://kubernetes.default.svc'],
    ...['--service-account-key-file', key, '--service-account-signing-key-file', key],
    ...['--service-cluster-ip-range', '10.96.0.0/16,fd00:96::/112'],
    // No controller makes the default ServiceAccounts
    ...['--disable-admission-plugins', 'ServiceAccount', '--endpoint-reconciler-type', 'none'],
    '--allow-privileged=true',
  ];
}

const AUDIT_POLICY = JSON.stringify({
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata', userGroups: ['system:serviceaccounts'] }, { level: 'None' }],
});

function auditArgs(directory: string, log: string): readonly string[] {
  const policy = join(directory, 'audit-policy.yaml');
  return ['--audit-policy-file', policy, '--audit-log-path', log];
}

function controllersArgs(directory: string): readonly string[] {
  const names = [
    'endpointslice-controller',
    'endpointslice-mirroring-controller',
    'garbage-collector-controller',
    'namespace-controller',
    'service-cidr-controller',
  ];
  return [
    ...['--kubeconfig', join(directory, `${CONTROLLERS.name}.kubeconfig`)],
    ...['--service-account-private-key-file', join(directory, 'sa.key')],
    ...['--leader-elect=false', '--secure-port', '0', `--controllers=${names.join(',')}`],
  ];
}

async function freePorts(count: number): Promise<readonly number[]> {
  // All are held at once, so that they differ
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  const ports: number[] = [];
  for (const server of servers) {
    const address = server.address();
    if (typeof address === 'object' && address !== null) ports.push(address.port);
    await new Promise((resolve) => server.close(resolve));
  }
  return ports;
}

async function run(
  program: string,
  args: readonly string[],
  options: { readonly stdin?: string; readonly stderr?: 'inherit' } = {},
): Promise<KubectlResult> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', options.stderr ?? 'pipe'] });
  const exit = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
  child.stdin?.on('error', () => undefined); // it need not read to the end
  child.stdin?.end(options.stdin ?? '');
  const [stdout, stderr, code] = await Promise.all([
    child.stdout === null ? '' : text(child.stdout),
    child.stderr === null ? '' : text(child.stderr),
    exit,
  ]);
  return { code, stdout, stderr };
}
