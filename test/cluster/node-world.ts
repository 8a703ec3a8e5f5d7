// What the tests of the agents share: a control plane and the assigner on the host, the agents of two directors in the
// lab's guest, and what a test asks them.
import { startAssigner, startWorld } from './assigner-world.ts';
import type { ControlPlane, User } from './control-plane.ts';
import { Guest, patiently, START_PATIENCE_MS, type GuestProcess } from './guest.ts';
import { DIRECTORS, type DirectorName } from './guest-protocol.ts';

export const VIP = '10.0.0.100';
export const CLIENT = `${import.meta.dirname}/../lab/build/client`;

export const slice = (service: string, addresses: readonly string[]): string =>
  JSON.stringify({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    addressType: 'IPv4',
    metadata: { name: `${service}-1`, labels: { 'kubernetes.io/service-name': service } },
    ports: [{ port: 80 }],
    endpoints: addresses.map((address) => ({ addresses: [address] })),
  });

const node = (name: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'vipvs.io/director': '' } },
  });

/** The rules of the Service web with these backends, as `ipvsadm -Sn` has them. */
export const served = (...backends: readonly number[]): readonly string[] => [
  `-A -t ${VIP}:80 -s rr`,
  ...backends.map((i) => `-a -t ${VIP}:80 -r 10.0.0.2${i}:80 -m -w 1`),
];

export interface NodeWorldOptions {
  /** Whose agents run from the start; default: all. */
  readonly agents?: readonly DirectorName[];
  /** After so long a silent announcer is followed by another one; default: the agents' own. */
  readonly leaseSeconds?: number;
  /** Beside the assigner and the agents. */
  readonly users?: readonly User[];
}

export class NodeWorld {
  readonly plane: ControlPlane;
  readonly guest: Guest;
  /** What must end with it. */
  readonly #made: AsyncDisposableStack;
  readonly #options: NodeWorldOptions;
  readonly #agents = new Map<DirectorName, GuestProcess>();

  static async start(options: NodeWorldOptions = {}): Promise<NodeWorld> {
    const { agents = DIRECTORS } = options;
    const plane = await startWorld(options);
    const made = new AsyncDisposableStack();
    made.defer(() => plane.stop());
    try {
      for (const name of DIRECTORS) {
        await plane.kubectl(['apply', '-f', '-'], { stdin: node(name) });
      }
      const assigner = await startAssigner(plane);
      made.defer(async () => {
        await assigner.stop();
      });
      const guest = await Guest.boot(plane);
      made.defer(() => guest.stop());
      const world = new NodeWorld(plane, guest, made, options);
      await Promise.all(agents.map((name) => world.startAgent(name)));
      return world;
    } catch (error) {
      await made.disposeAsync();
      throw error;
    }
  }

  private constructor(
    plane: ControlPlane,
    guest: Guest,
    made: AsyncDisposableStack,
    options: NodeWorldOptions,
  ) {
    this.#options = options;
    this.plane = plane;
    this.guest = guest;
    this.#made = made;
  }

  stop(): Promise<void> {
    return this.#made.disposeAsync();
  }

  async startAgent(name: DirectorName): Promise<void> {
    const { leaseSeconds } = this.#options;
    const lease = leaseSeconds === undefined ? [] : ['--lease-duration', `${leaseSeconds}s`];
    this.#agents.set(name, await this.guest.startAgent(name, 'node', lease));
  }

  async stopAgent(name: DirectorName, signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    await this.#agents.get(name)?.stop(signal);
  }

  apply(text: string): Promise<string> {
    return this.plane.kubectl(['apply', '-f', '-'], { stdin: text });
  }

  get(what: string, path: string): Promise<string> {
    return this.plane.kubectl(['get', ...what.split(' '), '-o', `jsonpath=${path}`]);
  }

  announcer(): Promise<string> {
    return this.get('lease vipvs-announcer -n vipvs-system', '{.spec.holderIdentity}');
  }

  rules(director: string): Promise<string> {
    return this.guest.output(director, ['ipvsadm', '-Sn']);
  }

  async hasVip(director: string): Promise<boolean> {
    const text = await this.guest.output(director, ['ip', '-o', 'address', 'show', 'dev', 'eth0']);
    return text.includes(VIP);
  }

  /** A busy machine can take the Lease from a director, which then gets it back: this waits, and says who has it instead. */
  async untilAnnounces(director: DirectorName): Promise<void> {
    try {
      await patiently(`${director} announces`, () => this.hasVip(director), START_PATIENCE_MS);
    } catch (error) {
      const lease = await this.get('lease vipvs-announcer -n vipvs-system', '{.spec}');
      const directors = await this.plane.kubectl(['get', 'directors', '-o', 'yaml']);
      const said = await this.#agents.get(director)?.read();
      throw new Error(`${String(error)}\n${lease}\n${directors}\n${said?.stderr ?? ''}`, {
        cause: error,
      });
    }
  }

  /** Both directors have these rules, and no others. */
  async untilRules(want: readonly string[]): Promise<void> {
    for (const director of DIRECTORS) {
      await patiently(`${director} has ${want.join('; ') || 'no rules'}`, async () => {
        const lines = (await this.rules(director)).trim().split('\n').sort();
        return lines.join('\n') === [...want].sort().join('\n');
      });
    }
  }

  /** Who answers six connections to the VIP. */
  async answers(): Promise<string> {
    const { stdout } = await this.guest.run('client', [CLIENT, 'count', 'tcp', VIP, '80', '6']);
    return stdout.trim().split(' ').sort().join(' ');
  }

  /** undefined: its agent is not ready. */
  ready(director: string): Promise<string | undefined> {
    return this.guest.httpGet(director, 'http://127.0.0.1:9472/readyz');
  }

  /** Operations that the agent has asked of its kernel. */
  async kernelOps(director: string): Promise<string> {
    const url = 'http://127.0.0.1:9472/metrics';
    const metrics = (await this.guest.httpGet(director, url)) ?? 'no metrics';
    return metrics
      .split('\n')
      .filter((line) => line.startsWith('vipvs_kernel_ops_total'))
      .join();
  }
}
