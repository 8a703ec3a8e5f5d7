// Keeps asking whether kube-proxy runs beside us, and how: it may come after us, change its mode, or be upgraded.
// Invariant: what it said counts until it has been silent for long, because what it programmed stays in the kernel
// through its restart, and a busy node is slow to answer.
import { aborted } from '../../runtime/abort.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { Part } from '../../runtime/part.ts';
import { isAborted } from '../../kube/ports.ts';
import type { KubeProxy } from '../model/kube-proxy.ts';

export interface KubeProxyWatchPorts {
  /** undefined: none answers. */
  readonly probe: () => Promise<KubeProxy | undefined>;
  readonly clock: Clock;
  readonly log: Log;
  /** Another one than before, or none any more. */
  readonly onChange: (kubeProxy: KubeProxy | undefined) => void;
}

const PROBE_MS = 5_000;
const SILENT_MS = 60_000;

export class KubeProxyWatch implements Part {
  readonly problem = undefined;
  readonly #ports: KubeProxyWatchPorts;
  readonly #asked = Promise.withResolvers<undefined>();
  #known: KubeProxy | undefined;
  #seenMs = Number.NEGATIVE_INFINITY;

  constructor(ports: KubeProxyWatchPorts) {
    this.#ports = ports;
  }

  get kubeProxy(): KubeProxy | undefined {
    return this.#known;
  }

  /** It was asked once; it may not have answered. */
  get asked(): Promise<unknown> {
    return this.#asked.promise;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!isAborted(signal)) {
      // a question that is on its way need not be waited for
      await Promise.race([this.#look(signal), aborted(signal)]);
      this.#asked.resolve(undefined);
      await this.#ports.clock.sleep(PROBE_MS, signal);
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { probe, clock, log, onChange } = this.#ports;
    const found = await probe();
    if (isAborted(signal)) return;
    if (found !== undefined && !isLess(found, this.#known)) this.#seenMs = clock.nowMs();
    else if (clock.nowMs() - this.#seenMs < SILENT_MS) return;
    if (JSON.stringify(found) === JSON.stringify(this.#known)) return;
    this.#known = found;
    log.info({ kubeProxy: found ?? 'none' }, 'kube-proxy of this node');
    onChange(found);
  }
}

/** It did not answer all that was asked, and said it before. */
function isLess(found: KubeProxy, known: KubeProxy | undefined): boolean {
  if (found.mode === undefined) return known?.mode !== undefined;
  return found.excludeCidrs === undefined && known?.excludeCidrs !== undefined;
}
