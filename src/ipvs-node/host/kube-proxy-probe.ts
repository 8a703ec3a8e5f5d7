// Asks the kube-proxy of this node what it is: at its metrics address (mode and configuration) and, where that is
// elsewhere or closed, at its health check. Reads only; nobody there is an answer, too.
import { get } from 'node:http';
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
  const signal = AbortSignal.timeout(deadlineMs);
  // who else has that port must not use up the time for the other one
  const half = AbortSignal.timeout(deadlineMs / 2);
  const mode = modeOf(await read(`${metricsUrl}/proxyMode`, half));
  if (mode === undefined) return isHealthCheck(await read(healthUrl, signal)) ? UNKNOWN : undefined;
  // KubeProxyConfiguration, kubeproxy.config.k8s.io/v1alpha1
  const answer = jsonOf(await read(`${metricsUrl}/configz`, signal));
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

/** The answer's text, whatever its status; undefined: none, or not all of it in time. */
function read(url: string, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { signal, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (text.length > ANSWER_MAX) request.destroy();
      });
      response.on('error', () => resolve(undefined));
      response.on('end', () => resolve(text));
    });
    request.on('error', () => resolve(undefined)); // nobody listens
  });
}
