// Asks the kube-proxy of this node what it is: at its metrics address (mode and configuration) and, where that is
// elsewhere or closed, at its health check. Reads only; nobody there is an answer, too.
import { get } from 'node:http';
import { KUBE_PROXY_MODES, type KubeProxy, type KubeProxyMode } from '../model/kube-proxy.ts';
import { arrayAt, objectAt, textAt } from '../../kube/json.ts';

/** cmd/kube-proxy: --metrics-bind-address and --healthz-bind-address by default; both answer on the loopback. */
const METRICS_URL = 'http://127.0.0.1:10249';
const HEALTH_URL = 'http://127.0.0.1:10256/healthz';
/** It answers from memory; a node that is short of processor is what this is for. */
const TIMEOUT_MS = 5_000;
const ANSWER_MAX = 100_000;

/** undefined: no kube-proxy answers. */
export async function probeKubeProxy(
  metricsUrl = METRICS_URL,
  healthUrl = HEALTH_URL,
): Promise<KubeProxy | undefined> {
  const mode = modeOf(await read(`${metricsUrl}/proxyMode`));
  if (mode === undefined) return (await isHealthCheck(healthUrl)) ? UNKNOWN : undefined;
  // KubeProxyConfiguration, kubeproxy.config.k8s.io/v1alpha1
  const config = objectAt(jsonOf(await read(`${metricsUrl}/configz`)), 'kubeproxy.config.k8s.io');
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
async function isHealthCheck(url: string): Promise<boolean> {
  const health = jsonOf(await read(url));
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

/** The answer's text, whatever its status; undefined: none. */
function read(url: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get(url, { timeout: TIMEOUT_MS, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (text.length > ANSWER_MAX) request.destroy();
      });
      response.on('error', () => resolve(undefined));
      response.on('end', () => resolve(text));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined)); // nobody listens
  });
}
