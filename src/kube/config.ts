// Where the API server is and who we are: kubeconfig files, in-cluster service account, exec plugins, token files.
// The only run-time door to @kubernetes/client-node, and only to its KubeConfig: its informer, watch and typed APIs
// open a connection per request and die on the first 401 (docs/decisions). Credentials are read anew on demand.
import { access, readFile } from 'node:fs/promises';
import type { OutgoingHttpHeaders } from 'node:http';
import type { RequestOptions } from 'node:https';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
// Not the package's root: that would load every generated API class (1.0 s instead of 0.5 s from node_modules)
import { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { addTokenFiles } from './token-files.ts';

export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsMaterial;
}

export interface KubeAccess {
  /** Scheme, host, port and path prefix, without a slash at the end. */
  readonly server: string;
  /** Where this came from, for the log: `in-cluster`, or the kubeconfig's path and context. */
  readonly source: string;
  /** The namespace of the context or of the service account. */
  readonly namespace: string | undefined;
  /** Reads all files anew, and runs the exec plugin if its credential has expired or `fresh` is set. */
  credentials(fresh: boolean): Promise<Credentials>;
}

export interface AccessOptions {
  /** A kubeconfig's path. Without it: in-cluster, then $KUBECONFIG, then ~/.kube/config. */
  readonly kubeconfig?: string | undefined;
  /** A context of the kubeconfig other than its current one. */
  readonly context?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The configuration cannot be used; `message` says which file and why. */
export class KubeConfigError extends Error {
  override readonly name = 'KubeConfigError';
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Throws KubeConfigError. */
export async function loadKubeAccess(options: AccessOptions): Promise<KubeAccess> {
  const files = await filesOf(options);
  const load = files === undefined ? loadInCluster : () => loadFiles(files, options.context);
  const first = await load();
  const cluster = first.getCurrentCluster();
  const source =
    files === undefined
      ? 'in-cluster'
      : `${files.join(delimiter)}, context ${first.getCurrentContext()}`;
  if (cluster === null) throw new KubeConfigError(`${source}: the context names no cluster`);
  if (first.getCurrentUser() === null) throw new KubeConfigError(`${source}: no such user`);
  if (cluster.proxyUrl !== undefined) {
    throw new KubeConfigError(`${source}: proxy-url is not supported; remove it from the cluster`);
  }
  let config = first;
  return {
    server: cluster.server.replace(/\/+$/, ''),
    source,
    namespace: first.getContextObject(first.getCurrentContext())?.namespace?.trim(),
    async credentials(fresh) {
      // The library caches tokens and exec credentials inside its object; a new object has none. A plugin is left
      // to its own expiry, it may be slow or ask a person.
      if (fresh || config.getCurrentUser()?.exec === undefined) config = await load();
      return credentialsOf(config, source);
    },
  };
}

async function filesOf(options: AccessOptions): Promise<readonly string[] | undefined> {
  if (options.kubeconfig !== undefined) return [options.kubeconfig];
  const inCluster = options.env['KUBERNETES_SERVICE_HOST'];
  if (inCluster !== undefined && (await exists(`${SERVICE_ACCOUNT}/token`))) return undefined;
  const listed = (options.env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  if (listed.length > 0) return listed;
  const home = join(options.env['HOME'] ?? homedir(), '.kube', 'config');
  if (await exists(home)) return [home];
  throw new KubeConfigError(
    `no access to an API server: not in a pod, $KUBECONFIG is not set and there is no ${home}`,
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function loadInCluster(): Promise<KubeConfig> {
  const config = new KubeConfig();
  config.loadFromCluster();
  return Promise.resolve(config);
}

async function loadFiles(files: readonly string[], context?: string): Promise<KubeConfig> {
  const config = new KubeConfig();
  for (const file of files) {
    try {
      const one = await loadFile(file);
      // kubectl's rule: the first file that sets the current context wins
      config.mergeConfig(one, Boolean(config.getCurrentContext()));
    } catch (error) {
      throw new KubeConfigError(`${file}: ${messageOf(error)}`, { cause: error });
    }
  }
  if (context !== undefined) config.setCurrentContext(context);
  const name = config.getCurrentContext();
  if (config.getContextObject(name) === null) {
    const known = config.getContexts().map((one) => one.name);
    throw new KubeConfigError(
      `${files.join(delimiter)}: no context ${JSON.stringify(name)}; there are ${known.join(', ')}`,
    );
  }
  return config;
}

/** Read once: a second reading may find the file half written, and a user in it without his token. */
async function loadFile(file: string): Promise<KubeConfig> {
  const text = await readFile(file, 'utf8');
  if (text.trim() === '') throw new KubeConfigError('the file is empty');
  const config = new KubeConfig();
  config.loadFromString(text);
  await addTokenFiles(config, text, dirname(file));
  config.makePathsAbsolute(dirname(file));
  return config;
}

async function credentialsOf(config: KubeConfig, source: string): Promise<Credentials> {
  const options: RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    throw new KubeConfigError(`${source}: ${messageOf(error)}`, { cause: error });
  }
  const headers = headersOf(options.headers);
  if (typeof options.auth === 'string') {
    headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  }
  const ca = textOf(options.ca);
  const cert = textOf(options.cert);
  const key = textOf(options.key);
  const { servername, rejectUnauthorized } = options;
  return {
    headers,
    tls: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(servername === undefined ? {} : { servername }),
      ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
    },
  };
}

function headersOf(
  given: OutgoingHttpHeaders | readonly string[] | undefined,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(given ?? {})) {
    // A token file may end in a newline, which no header may hold
    if (typeof value === 'string') headers[name.toLowerCase()] = value.trim();
  }
  return headers;
}

/** Text, so that two readings of one file can be compared. */
function textOf(pem: unknown): string | undefined {
  if (Buffer.isBuffer(pem)) return pem.toString('utf8');
  return typeof pem === 'string' ? pem : undefined;
}

/** A parser's message goes on with a picture of the place. */
function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n', 1)[0] ?? text;
}
