// What a kubelet does with the Pods of deploy/, in a namespace of the lab's guest: volumes, token, environment, probes.
// The container itself is crun's, with the configuration that oci.ts makes of manifest and image.
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import {
  arrayAt,
  isObject,
  numberAt,
  objectAt,
  textAt,
  type JsonObject,
} from '../../src/kube/json.ts';
import { NAMESPACE } from './assigner-world.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Guest, GuestProcess, Outcome } from './guest.ts';
import type { DirectorName } from './guest-protocol.ts';
import type { BuiltImage } from './image.ts';
import { ociConfig, type Bind } from './oci.ts';

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The first address of the control plane's Services, where it itself is found. */
const SERVICE_HOST = '10.96.0.1';

/** A Pod on a node of the guest. */
export interface Placement {
  readonly spec: JsonObject | undefined;
  readonly node: DirectorName;
  /** Whose token: a user of the control plane. */
  readonly user: string;
}

export class Runtime {
  readonly #plane: ControlPlane;
  readonly #guest: Guest;
  readonly #image: BuiltImage;
  #count = 0;

  constructor(plane: ControlPlane, guest: Guest, image: BuiltImage) {
    this.#plane = plane;
    this.#guest = guest;
    this.#image = image;
  }

  /** As kube-proxy does it: the API server answers at its Service's address. */
  async reachApiServer(node: DirectorName): Promise<void> {
    const rules = `table ip kube {
      chain output {
        type nat hook output priority -100
        ip daddr ${SERVICE_HOST} tcp dport 443 dnat to 10.0.2.2:${this.#plane.port}
      }
      chain postrouting { type nat hook postrouting priority 100; oifname "api0" masquerade; }
    }`;
    const { code, stderr } = await this.#guest.run(node, ['nft', '-f', '-'], rules);
    assert.equal(code, 0, stderr);
  }

  /** Runs the init container to its end. */
  init(pod: Placement): Promise<Outcome> {
    return this.run(pod, arrayAt(pod.spec, 'initContainers')[0]);
  }

  /** Runs a container beside those of the Pod's manifest to its end. */
  async run(pod: Placement, container: unknown): Promise<Outcome> {
    return this.#guest.run(pod.node, await this.#command(pod, container));
  }

  /** Starts the Pod's container; does not wait for anything. */
  async start(pod: Placement): Promise<GuestProcess> {
    const [container] = arrayAt(pod.spec, 'containers');
    return this.#guest.start(pod.node, await this.#command(pod, container));
  }

  /** What the readiness probe hears; undefined: no. */
  probe({ spec, node }: Placement): Promise<string | undefined> {
    const [container] = arrayAt(spec, 'containers');
    const get = objectAt(objectAt(container, 'readinessProbe'), 'httpGet');
    const named = arrayAt(container, 'ports').find(
      (port) => textAt(port, 'name') === textAt(get, 'port'),
    );
    const port = numberAt(get, 'port') ?? numberAt(named, 'containerPort') ?? 0;
    return this.#guest.httpGet(node, `http://127.0.0.1:${port}${textAt(get, 'path') ?? ''}`);
  }

  /** Runs the container in the foreground: the image below a layer of its own, as container runtimes do. */
  async #command(pod: Placement, container: unknown): Promise<readonly string[]> {
    assert.ok(isObject(container));
    this.#count += 1;
    const id = `${textAt(container, 'name') ?? ''}-${this.#count}`;
    const bundle = `${this.#plane.directory}/bundle-${id}`;
    const place = `/run/containers/${id}`;
    const hostPaths = volumes(pod, container);
    await mkdir(bundle);
    const config = ociConfig(this.#image.config, pod.spec, container, {
      rootfs: `${place}/root`,
      hostname: podName(pod),
      environment: [
        `KUBERNETES_SERVICE_HOST=${SERVICE_HOST}`,
        'KUBERNETES_SERVICE_PORT=443',
        ...downwardApi(pod, container),
      ],
      binds: [...(await this.#files(pod, bundle)), ...hostPaths],
      cgroup: `/${id}`,
    });
    await writeFile(`${bundle}/config.json`, JSON.stringify(config));
    const layers = `lowerdir=${this.#image.rootfs},upperdir=${place}/upper,workdir=${place}/work`;
    const script = [
      `mkdir -p ${[place, ...hostPaths.map(({ from }) => from)].join(' ')}`,
      `mkdir ${place}/upper ${place}/work ${place}/root`,
      'mount -t cgroup2 cgroup2 /sys/fs/cgroup',
      `mount -t overlay overlay -o ${layers} ${place}/root`,
      `exec crun --cgroup-manager=cgroupfs run --bundle ${bundle} ${id}`,
    ].join('\n');
    return ['unshare', '--mount', 'sh', '-e', '-c', script];
  }

  /** What a kubelet puts into every container. */
  async #files(pod: Placement, directory: string): Promise<readonly Bind[]> {
    const account = `${directory}/account`;
    await mkdir(account);
    const token = await readFile(`${this.#plane.directory}/tokens/${pod.user}`, 'utf8');
    await writeFile(`${account}/token`, token.trim());
    await writeFile(`${account}/ca.crt`, await readFile(this.#plane.caFile));
    await writeFile(`${account}/namespace`, NAMESPACE);
    const texts = {
      hosts: '127.0.0.1 localhost\n',
      hostname: `${podName(pod)}\n`,
      'resolv.conf': 'nameserver 10.96.0.10\n',
    };
    for (const [name, text] of Object.entries(texts)) await writeFile(`${directory}/${name}`, text);
    return [
      { from: account, to: ACCOUNT, readOnly: true },
      ...Object.keys(texts).map((name) => ({
        from: `${directory}/${name}`,
        to: `/etc/${name}`,
        readOnly: false,
      })),
    ];
  }
}

const podName = ({ node }: Placement): string => `pod-on-${node}`;

/** Each node of the guest has its own /run/vipvs. */
function volumes(pod: Placement, container: JsonObject): readonly Bind[] {
  return arrayAt(container, 'volumeMounts').map((mount) => {
    const volume = arrayAt(pod.spec, 'volumes').find(
      (each) => textAt(each, 'name') === textAt(mount, 'name'),
    );
    const host = textAt(objectAt(volume, 'hostPath'), 'path');
    assert.ok(host !== undefined, 'a hostPath');
    const to = textAt(mount, 'mountPath') ?? '';
    return { from: `${host}-${pod.node}`, to, readOnly: false };
  });
}

function downwardApi(pod: Placement, container: JsonObject): readonly string[] {
  const facts: Readonly<Record<string, string>> = {
    'metadata.name': podName(pod),
    'metadata.namespace': NAMESPACE,
    'spec.nodeName': pod.node,
  };
  return arrayAt(container, 'env').map((variable) => {
    const path = textAt(objectAt(objectAt(variable, 'valueFrom'), 'fieldRef'), 'fieldPath') ?? '';
    const value = facts[path];
    assert.ok(value !== undefined, `fieldRef ${path}`);
    return `${textAt(variable, 'name') ?? ''}=${value}`;
  });
}
