// Asks the kube-proxy of this node what it is: at its metrics address (mode and configuration) and, where that is
// elsewhere or closed, at its health check. Reads only; nobody there is an answer, too.
import { connect } from 'node:net';
import { KUBE_PROXY_MODES, type KubeProxy, type KubeProxyMode } from '../model/kube-proxy.ts';
import { arrayAt, objectAt, textAt } from '../../kube/json.ts';

/** cmd/kube-proxy: --metrics-bind-address and --healthz-bind-address by default; both answer on the loopback. */
const METRICS_URL = 'http://127.0.0.1:10249';
const HEALTH_URL = 'http://127.0.0.1:10256/healthz';
/**
 * For all questions together, however slowly answers come: an agent's start waits for it. kube-proxy answers from memory;
 * a node that is short of processor is what this is for.
 */
const DEADLINE_MS = 5_000;
const ANSWER_MAX = 100_000;

/** undefined: no kube-proxy answers. */
export async function probeKubeProxy(
  metricsUrl = METRICS_URL,
  healthUrl = HEALTH_URL,
  deadlineMs = DEADLINE_MS,
): Promise<KubeProxy | undefined> {
  const all = new Deadline(deadlineMs);
  // who else has that port must not use up the time for the other one
  const half = new Deadline(deadlineMs / 2);
  try {
    return await ask({ metricsUrl, healthUrl, all, half });
  } finally {
    all.clear();
    half.clear();
  }
}

interface Questions {
  readonly metricsUrl: string;
  readonly healthUrl: string;
  readonly all: Deadline;
  readonly half: Deadline;
}

async function ask({
  metricsUrl,
  healthUrl,
  all,
  half,
}: Questions): Promise<KubeProxy | undefined> {
  const mode = modeOf(await read(`${metricsUrl}/proxyMode`, half));
  if (mode === undefined) return isHealthCheck(await read(healthUrl, all)) ? UNKNOWN : undefined;
  // KubeProxyConfiguration, kubeproxy.config.k8s.io/v1alpha1
  const answer = jsonOf(await read(`${metricsUrl}/configz`, all));
  const config = objectAt(answer, 'kubeproxy.config.k8s.io');
  if (config === undefined) return { ...UNKNOWN, mode };
  const ipvs = objectAt(config, 'ipvs');
  return {
    mode,
    excludeCidrs: arrayAt(ipvs, 'excludeCIDRs').filter((each) => typeof each === 'string'),
    strictArp: ipvs?.['strictARP'] === true,
  };
}

const UNKNOWN: KubeProxy = { mode: undefined, excludeCidrs: undefined, strictArp: undefined };

function modeOf(text: string | undefined): KubeProxyMode | undefined {
  return KUBE_PROXY_MODES.find((mode) => mode === text?.trim());
}

/** Others may have the port: kube-proxy says when it synced last, whether it is well or not. */
function isHealthCheck(text: string | undefined): boolean {
  const health = jsonOf(text);
  return ['lastUpdated', 'currentTime'].every((key) => textAt(health, key) !== undefined);
}

function jsonOf(text: string | undefined): unknown {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // somebody else's answer
  }
}

/**
 * The answer's text, whatever its status; undefined: none, or not all of it in time. HTTP/1.0 by hand: its answer ends with
 * the connection, and node:http takes several times as long for what is asked every five seconds for years.
 */
function read(url: string, deadline: Deadline): Promise<string | undefined> {
  const { hostname, port, pathname, host } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    const end = (answer: string | undefined): void => {
      deadline.ends.delete(giveUp);
      socket.destroy();
      resolve(answer);
    };
    const giveUp = (): void => end(undefined);
    if (deadline.isOver) {
      giveUp();
      return;
    }
    deadline.ends.add(giveUp);
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (text.length > ANSWER_MAX) giveUp();
    });
    socket.on('error', giveUp); // nobody listens
    socket.on('end', () => end(bodyOf(text)));
    socket.write(`GET ${pathname} HTTP/1.0\r\nHost: ${host}\r\n\r\n`);
  });
}

function bodyOf(answer: string): string | undefined {
  const head = /^HTTP\/1\.[01] \d{3}[^]*?\r?\n\r?\n/.exec(answer)?.[0];
  return head === undefined ? undefined : answer.slice(head.length);
}

/** For several questions. A signal would keep its listeners, and call them, when all has long been answered. */
class Deadline {
  readonly ends = new Set<() => void>();
  isOver = false;
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number) {
    this.#timer = setTimeout(() => {
      this.isOver = true;
      for (const end of this.ends) end();
    }, ms);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
