// `make demo-cluster`: the story of `make demo` on Kubernetes. A real API server and the assigner run on this machine, the
// agents of two directors and three web servers in the lab's guest, each program with its own token and the RBAC of
// deploy/. Any surprise ends it with exit code 1.
import assert from 'node:assert/strict';
import { NAMESPACE, startAssigner } from '../cluster/assigner-world.ts';
import { serviceAccount, startControlPlane, type ControlPlane } from '../cluster/control-plane.ts';
import { Guest } from '../cluster/guest.ts';
import { DIRECTORS } from '../cluster/guest-protocol.ts';
import { note, prompt, shown, step, until } from './story.ts';

const VIP = '10.0.0.100';
const BACKENDS = ['be1', 'be2', 'be3'];
const SECONDS = 60;

const POOL = `apiVersion: vipvs.io/v1alpha1
kind: Pool
metadata: { name: public }
spec:
  addresses: [10.0.0.100-10.0.0.109]
`;
const SERVICE = `apiVersion: v1
kind: Service
metadata: { name: web, annotations: { vipvs.io/drain-seconds: "2" } }
spec:
  type: LoadBalancer
  ports: [{ name: http, port: 80, targetPort: 8080 }]
`;
const ODD_SERVICE = `apiVersion: v1
kind: Service
metadata: { name: odd, annotations: { vipvs.io/addresses: 203.0.113.7 } }
spec:
  type: LoadBalancer
  ports: [{ port: 80 }]
`;
const endpoints = (addresses: readonly string[]): string => `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
ports: [{ name: http, port: 8080 }]
endpoints: [${addresses.map((address) => `{ addresses: [${address}] }`).join(', ')}]
`;
/** What a kubelet reports of its node. */
const node = (name: string): string => `apiVersion: v1
kind: Node
metadata: { name: ${name} }
status:
  conditions: [{ type: Ready, status: "True", reason: KubeletReady }]
`;

const startMs = performance.now();
function progress(text: string): void {
  const seconds = Math.round((performance.now() - startMs) / 1000);
  note(`${String(seconds).padStart(3)} s  ${text}`);
}

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
    prompt('you', `cat ${file}`);
    shown(manifest);
    prompt('you', `kubectl apply -f ${file}`);
    shown(await this.#plane.kubectl(['apply', '-f', '-'], { stdin: manifest }));
  }

  async show(name: string, command: string): Promise<string> {
    prompt(name, command);
    const { stdout, stderr } = await this.#guest.run(name, ['sh', '-c', command]);
    shown(stdout + stderr);
    return stdout;
  }

  /** How often each web server answered. */
  async curl(requests: number): Promise<readonly string[]> {
    const text = await this.show(
      'client',
      `for i in $(seq ${requests}); do curl -s -m 5 http://${VIP}/; done`,
    );
    const names = [...text.matchAll(/^hello from (\w+)$/gm)].map((match) => match[1] ?? '');
    assert.equal(names.length, requests, 'every request is answered');
    return [...new Set(names)].sort();
  }

  /** In the kernels of both directors. */
  async untilBackends(numbers: readonly number[]): Promise<void> {
    const want = numbers.map((i) => `10.0.0.2${i}:8080`).join();
    await until(`the kernels have ${want || 'no rules'}`, SECONDS, async () => {
      const rules = await Promise.all(
        DIRECTORS.map((name) => this.#guest.output(name, ['ipvsadm', '-Ln'])),
      );
      const holds = rules.every((text) => {
        return [...text.matchAll(/-> (10\.\S+)/g)].map((match) => match[1]).join() === want;
      });
      return holds ? true : undefined;
    });
  }

  async untilSays(what: string, command: readonly string[], text: RegExp): Promise<void> {
    await until(what, SECONDS, async () => {
      return text.test(await this.#plane.kubectl(command)) ? true : undefined;
    });
  }

  async tell(): Promise<void> {
    step('Two directors; one of them will have the VIPs on its interface');
    const directors = ['get', 'directors', '--no-headers'];
    // whoever is ready first hands over to the lowest name
    await this.untilSays('d1 announces', directors, /^d1 +true[^]*^d2 +false/m);
    await this.kubectl('get', 'nodes', '-l', 'vipvs.io/director=');
    await this.kubectl('get', 'directors');

    step('A Pool of addresses, and a Service of type LoadBalancer');
    await this.apply('pool.yaml', POOL);
    note('no kubelet runs here: what the cluster writes about its Pods, we write by hand');
    await this.apply('web-pods.yaml', endpoints(['10.0.0.21', '10.0.0.22']));
    await this.apply('web.yaml', SERVICE);
    const external = /\s10\.0\.0\.100\s/;
    await this.untilSays('the Service has its EXTERNAL-IP', ['get', 'service', 'web'], external);
    await this.kubectl('get', 'service', 'web');

    step('It answers');
    await this.untilBackends([1, 2]);
    await this.untilSays('the Directors say so', directors, / true +1 [^]* false +1 /);
    assert.deepEqual(await this.curl(4), ['be1', 'be2'], 'both web servers have their share');

    step('Who has what');
    await this.kubectl('get', 'pools,ips,directors');
    await this.kubectl('describe', 'service', 'web');

    step('In the kernel: the rules on both directors, the VIP on one');
    for (const name of DIRECTORS) await this.show(name, 'ipvsadm -Ln');
    const bound: string[] = [];
    for (const name of DIRECTORS) {
      const text = await this.show(name, 'ip -4 -brief address show dev eth0');
      if (text.includes(`${VIP}/32`)) bound.push(name);
    }
    assert.deepEqual(bound, ['d1'], 'd1 alone has the VIP');

    step('Scale up to three, scale down to one');
    await this.apply('web-pods.yaml', endpoints(['10.0.0.21', '10.0.0.22', '10.0.0.23']));
    await this.untilBackends([1, 2, 3]);
    assert.deepEqual(await this.curl(6), BACKENDS, 'be3 has its share');
    await this.apply('web-pods.yaml', endpoints(['10.0.0.23']));
    await this.untilBackends([3]);
    await this.show('d1', 'ipvsadm -Ln');
    assert.deepEqual(await this.curl(3), ['be3'], 'be3 alone answers');

    step('A Service that asks for what no Pool has says so');
    await this.apply('odd.yaml', ODD_SERVICE);
    await this.untilSays('its event is there', ['describe', 'service', 'odd'], /Warning/);
    await this.kubectl('get', 'service', 'odd');
    await this.kubectl('get', 'events', '--field-selector', 'involvedObject.name=odd');
    await this.kubectl('delete', 'service', 'odd');

    step('The Service is deleted: the address is free, both kernels are clean');
    await this.kubectl('delete', 'service', 'web');
    await this.untilBackends([]);
    await this.untilSays('the address is free', ['get', 'pools', '--no-headers'], / 10 +10 /);
    await this.kubectl('get', 'pools,ips');
    const left = await this.show('d1', 'ipvsadm -Ln; ip -4 -brief address show dev eth0');
    assert.ok(!left.includes(VIP), 'nothing is left');
  }
}

async function setUp(made: AsyncDisposableStack): Promise<Story> {
  step('A Kubernetes control plane, and vipvs on it');
  const plane = await startControlPlane({
    users: ['assigner', 'node'].map((name) => serviceAccount(name, NAMESPACE, `vipvs-${name}`)),
  });
  made.defer(() => plane.stop());
  progress('etcd and kube-apiserver run on this machine');
  prompt('you', 'kubectl apply -k deploy/');
  shown(await plane.kubectl(['apply', '-k', `${import.meta.dirname}/../../deploy`]));
  await plane.kubectl(['wait', '--for=condition=Established', 'crd', '--all']);
  for (const name of DIRECTORS) {
    await plane.kubectl(['apply', '-f', '-'], { stdin: node(name) });
    const status = ['apply', '--server-side', '--subresource=status', '-f', '-'];
    await plane.kubectl(status, { stdin: node(name) });
  }
  prompt('you', `kubectl label node ${DIRECTORS.join(' ')} vipvs.io/director=`);
  shown(await plane.kubectl(['label', 'node', ...DIRECTORS, 'vipvs.io/director=']));
  const assigner = await startAssigner(plane);
  made.defer(async () => {
    await assigner.stop();
  });
  progress('the assigner runs; a guest with IPVS boots (no KVM needed, so it takes a while)');
  const guest = await Guest.boot(plane);
  made.defer(() => guest.stop());
  progress('the guest is up: a network of namespaces');
  note('');
  note('  client 10.9.0.2 ── router ──┬── d1 10.0.0.11   directors: IPVS and an agent');
  note('                              ├── d2 10.0.0.12');
  note('                              └── be1, be2, be3 10.0.0.21-23   web servers, port 8080');
  note('');
  for (const name of BACKENDS) {
    const serve = `mkdir /tmp/${name} && echo hello from ${name} > /tmp/${name}/index.html &&
      exec busybox httpd -f -p 8080 -h /tmp/${name}`;
    await guest.start(name, ['sh', '-c', serve]);
  }
  await Promise.all(DIRECTORS.map((name) => guest.startAgent(name, 'node')));
  progress('the agents of both directors are ready');
  return new Story(plane, guest);
}

const made = new AsyncDisposableStack();
try {
  const story = await setUp(made);
  await story.tell();
  process.stdout.write(
    '\nThat is vipvs on Kubernetes. README.md says how to install it on your cluster.\n',
  );
} catch (error) {
  process.stdout.write(
    `\nThe demo failed: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exitCode = 1;
} finally {
  await made.disposeAsync();
}
