// What a kubelet and a container runtime would do with the Pods of deploy/: the image's file system as the root, read-only
// where the manifest says so, its users, capabilities, volumes and environment, in a namespace of the lab's guest.
// Not made: cgroups, seccomp, PID namespaces.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import assert from 'node:assert/strict';
import { arrayAt, numberAt, objectAt, textAt, type JsonObject } from '../../src/kube/json.ts';
import { NAMESPACE } from './assigner-world.ts';
import type { ControlPlane } from './control-plane.ts';
import type { Guest, GuestProcess, Outcome } from './guest.ts';
import type { DirectorName } from './guest-protocol.ts';

const ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';
/** The first address of the control plane's Services, where it itself is found. */
const SERVICE_HOST = '10.96.0.1';
/** Where a container sees its root file system: below the control plane's directory only its owner may look. */
const ROOT_MOUNT = '/run/pod';
const ENTRYPOINT = ['/usr/local/bin/node', '/opt/vipvs/dist/vipvs.js'];

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
  readonly #rootfs: string;

  /** `rootfs` is writable in the guest, at the same path. */
  constructor(plane: ControlPlane, guest: Guest, rootfs: string) {
    this.#plane = plane;
    this.#guest = guest;
    this.#rootfs = rootfs;
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

  /** Runs an init container to its end. */
  async init(pod: Placement): Promise<Outcome> {
    const [container] = arrayAt(pod.spec, 'initContainers');
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

  async #command(pod: Placement, container: unknown): Promise<readonly string[]> {
    const root = ROOT_MOUNT;
    const own = objectAt(container, 'securityContext');
    const isPrivileged = own?.['privileged'] === true;
    assert.equal(own?.['readOnlyRootFilesystem'], true);
    const mounts = [
      `mkdir -p ${root}`,
      `mount --bind ${this.#rootfs} ${root}`,
      `mount --bind /dev ${root}/dev`,
      `mount -t proc proc ${root}/proc`,
      `mount --bind ${await this.#account(pod.user)} ${root}${ACCOUNT}`,
      ...volumes(pod, container).map(
        ([host, path]) => `mkdir -p ${host}; mount --bind ${host} ${root}${path}`,
      ),
      `mount -o remount,bind,ro ${root}`,
      ...(isPrivileged
        ? []
        : [
            `mount --bind ${root}/proc/sys ${root}/proc/sys`,
            `mount -o remount,bind,ro ${root}/proc/sys`,
          ]),
    ];
    const user = numberAt(objectAt(pod.spec, 'securityContext'), 'runAsUser') ?? 0;
    const drop = arrayAt(objectAt(own, 'capabilities'), 'drop').join();
    const add = arrayAt(objectAt(own, 'capabilities'), 'add').map((name) => `+${String(name)}`);
    // chroot(8) needs these; a user other than root has none of them after it
    const forChroot = user === 0 ? ['+sys_chroot'] : ['+sys_chroot', '+setuid', '+setgid'];
    const bounding = ['-all', ...forChroot, ...add].join().toLowerCase();
    if (!isPrivileged) assert.equal(drop, 'ALL');
    const confined = isPrivileged ? [] : ['setpriv', '--no-new-privs', '--bounding-set', bounding];
    const identity = user === 0 ? [] : [`--userspec=${user}:${user}`, '--groups='];
    const change = ['chroot', ...identity, root];
    const words = [
      ...['env', '-i', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
      ...[`KUBERNETES_SERVICE_HOST=${SERVICE_HOST}`, 'KUBERNETES_SERVICE_PORT=443'],
      ...environment(pod, container),
      ...[...confined, ...change, ...ENTRYPOINT],
      ...arrayAt(container, 'args').map(String),
    ];
    const script = [...mounts, `exec ${words.map((word) => `'${word}'`).join(' ')}`].join('\n');
    return ['unshare', '--mount', 'sh', '-e', '-c', script];
  }

  /** The directory that a kubelet projects into the Pod. */
  async #account(user: string): Promise<string> {
    const directory = `${this.#plane.directory}/account-${user}`;
    await mkdir(directory, { recursive: true });
    await mkdir(`${this.#rootfs}${ACCOUNT}`, { recursive: true });
    const token = await readFile(`${this.#plane.directory}/tokens/${user}`, 'utf8');
    await writeFile(`${directory}/token`, token.trim());
    await writeFile(`${directory}/ca.crt`, await readFile(this.#plane.caFile));
    await writeFile(`${directory}/namespace`, NAMESPACE);
    return directory;
  }
}

/** Path on the node, and in the container. Each node of the guest has its own /run/vipvs. */
function volumes(pod: Placement, container: unknown): readonly (readonly [string, string])[] {
  return arrayAt(container, 'volumeMounts').map((mount) => {
    const volume = arrayAt(pod.spec, 'volumes').find(
      (each) => textAt(each, 'name') === textAt(mount, 'name'),
    );
    const host = textAt(objectAt(volume, 'hostPath'), 'path');
    assert.ok(host !== undefined, 'a hostPath');
    return [`${host}-${pod.node}`, textAt(mount, 'mountPath') ?? ''];
  });
}

/** The downward API. */
function environment(pod: Placement, container: unknown): readonly string[] {
  const facts: Readonly<Record<string, string>> = {
    'metadata.name': `pod-on-${pod.node}`,
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
