// `make demo-cluster`: the story of `make demo` on Kubernetes. A real API server and the assigner run on this machine, the
// agents of two directors in the lab's guest, each with its own token. Any surprise ends it with exit code 1.
import assert from 'node:assert/strict';
import { startAssigner, startWorld, type RunningAssigner } from '../cluster/assigner-world.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { Guest } from '../cluster/guest.ts';
import { DIRECTORS } from '../cluster/guest-protocol.ts';
import { note, prompt, shown, step, until } from './story.ts';

const VIP = '10.0.0.100';
const SECONDS = 60;

const POOL = `apiVersion: vipvs.io/v1alpha1
kind: Pool
metadata: { name: public }
spec:
  addresses: [10.0.0.100-10.0.0.109]
`;
const SERVICE = `apiVersion: v1
kind: Service
metadata: { name: web, annotations: { vipvs.io/drain-seconds: "1" } }
spec:
  type: LoadBalancer
  ports: [{ name: http, port: 80 }]
`;
/** With a kubelet this is written by the cluster, out of the Pods that the Service selects. */
const endpoints = (addresses: readonly string[]): string => `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
ports: [{ name: http, port: 80 }]
endpoints: [${addresses.map((address) => `{ addresses: [${address}] }`).join(', ')}]
`;
const NODES = DIRECTORS.map(
  (name) => `apiVersion: v1
kind: Node
metadata: { name: ${name}, labels: { vipvs.io/director: "" } }
`,
).join('---\n');

class Story {
  readonly #plane: ControlPlane;
  readonly #guest: Guest;

  constructor(plane: ControlPlane, guest: Guest) {
    this.#plane = plane;
    this.#guest = guest;
  }

  async kubectl(...args: readonly string[]): Promise<string> {
    prompt('you', `kubectl ${args.join(' ')}`);
    const text = await this.#plane.kubectl(args);
    shown(text);
    return text;
  }

  async apply(file: string, manifest: string): Promise<void> {
    prompt('you', `cat ${file}; kubectl apply -f ${file}`);
    shown(manifest);
    shown(await this.#plane.kubectl(['apply', '-f', '-'], { stdin: manifest }));
  }

  async show(node: string, command: string): Promise<string> {
    prompt(node, command);
    const { stdout, stderr } = await this.#guest.run(node, ['sh', '-c', command]);
    shown(stdout + stderr);
    return stdout;
  }

  async untilRules(what: string, holds: (rules: string) => boolean): Promise<void> {
    await until(what, SECONDS, async () => {
      const rules = await Promise.all(
        DIRECTORS.map((name) => this.#guest.output(name, ['ipvsadm', '-Ln'])),
      );
      return rules.every(holds) ? true : undefined;
    });
  }

  async untilDirectors(what: string, line: RegExp): Promise<void> {
    await until(what, SECONDS, async () => {
      const text = await this.#plane.kubectl(['get', 'directors', '--no-headers']);
      return line.test(text) ? true : undefined;
    });
  }

  async tell(): Promise<void> {
    step('Two agents run, with the RBAC of deploy/ and nothing more; one of them announces');
    await this.untilDirectors('a director announces', / true /);
    await this.kubectl('get', 'nodes', '-l', 'vipvs.io/director=');
    await this.kubectl('get', 'directors');

    step('A Pool, a Service and its endpoints');
    await this.apply('pool.yaml', POOL);
    await this.apply('service.yaml', SERVICE);
    await this.apply('endpoints.yaml', endpoints(['10.0.0.21', '10.0.0.22']));
    await this.untilRules('the VIP is programmed', (text) => text.includes('10.0.0.22:80'));
    const shownService = await this.kubectl('get', 'service', 'web');
    assert.match(shownService, /10\.0\.0\.100/, 'the Service has its EXTERNAL-IP');
    await this.kubectl('get', 'pools,ips');

    step('The rules are in both kernels, the VIP is on one interface');
    await this.untilDirectors('the Directors say so', / true +1 [^]* false +1 /);
    await this.show('d1', 'ipvsadm -Ln');
    const first = await this.show('d1', 'ip -brief address show dev eth0');
    const second = await this.show('d2', 'ip -brief address show dev eth0');
    assert.ok(first.includes(VIP) && !second.includes(VIP), 'd1 alone has the VIP');
    await this.kubectl('get', 'directors');

    step('Requests through the VIP');
    const counted = await this.show('client', `test/lab/build/client count tcp ${VIP} 80 10`);
    assert.match(counted, /be1=5/, 'ten requests are spread evenly over both backends');

    step('Scale up, scale down');
    await this.apply('endpoints.yaml', endpoints(['10.0.0.22', '10.0.0.23']));
    await this.untilRules('be3 is in, be1 is out', (text) => {
      return text.includes('10.0.0.23:80') && !text.includes('10.0.0.21:80');
    });
    await this.show('d1', 'ipvsadm -Ln');
    assert.match(
      await this.show('client', `test/lab/build/client count tcp ${VIP} 80 10`),
      /be3=5/,
      'be3 has its share',
    );

    step('What the Service says');
    await this.kubectl('describe', 'service', 'web');

    step('The Service is deleted; both kernels are clean again');
    await this.kubectl('delete', 'service', 'web');
    await this.untilRules('no virtual server is left', (text) => !text.includes(VIP));
    await this.show('d1', 'ipvsadm -Ln; ip -brief address show dev eth0');
    await this.kubectl('get', 'pools,ips');
  }
}

let plane: ControlPlane | undefined;
let guest: Guest | undefined;
let assigner: RunningAssigner | undefined;
try {
  step('A control plane, the assigner, and a guest with two directors, a client and web servers');
  note('etcd, kube-apiserver and the assigner run here; this takes half a minute');
  plane = await startWorld();
  await plane.kubectl(['apply', '-f', '-'], { stdin: NODES });
  assigner = await startAssigner(plane);
  guest = await Guest.boot(plane);
  const running = guest;
  await Promise.all(DIRECTORS.map((name) => running.startAgent(name, 'node')));
  note('client 10.9.0.2 ── router ──┬── d1 10.0.0.11, d2 10.0.0.12');
  note('                            └── be1, be2, be3 10.0.0.21-23');
  await new Story(plane, guest).tell();
  process.stdout.write(
    '\nThat is vipvs on Kubernetes. README.md says how to install it on yours.\n',
  );
} catch (error) {
  process.stdout.write(
    `\nThe demo failed: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exitCode = 1;
} finally {
  await guest?.stop();
  await assigner?.stop();
  await plane?.stop();
}
