// What a kubelet and a container runtime make of a container of a Pod: the configuration (config.json of the OCI runtime
// specification) with which crun runs it. Everything that the manifest or the image says comes from there; the rest is
// what containerd gives to every container: mounts, masked paths, the default capabilities.
// Not made: the Pod's own network (a container has that of whoever starts it), AppArmor, shares of the processor.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import {
  arrayAt,
  isObject,
  numberAt,
  objectAt,
  textAt,
  type JsonObject,
} from '../../src/kube/json.ts';

/** Podman's and CRI-O's RuntimeDefault; containerd's is nearly the same. A package that buildah depends on brings it. */
const SECCOMP_PROFILE = '/usr/share/containers/seccomp.json';
const ARCHITECTURE =
  process.arch === 'arm64'
    ? { name: 'arm64', seccomp: 'SCMP_ARCH_AARCH64' }
    : { name: 'amd64', seccomp: 'SCMP_ARCH_X86_64' };

/** Of containerd, where a manifest drops none. */
const DEFAULT_CAPABILITIES =
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE';
/** capabilities(7), Linux 5.9. */
const ALL_CAPABILITIES = `${DEFAULT_CAPABILITIES} DAC_READ_SEARCH LINUX_IMMUTABLE NET_BROADCAST NET_ADMIN IPC_LOCK IPC_OWNER
  SYS_MODULE SYS_RAWIO SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG LEASE
  AUDIT_CONTROL MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`;
const MASKED = ['acpi', 'asound', 'kcore', 'keys', 'latency_stats', 'scsi', 'timer_list'];
const READ_ONLY = ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'];

export interface ContainerPlace {
  /** The file system that the image holds, where the container is started. */
  readonly rootfs: string;
  readonly hostname: string;
  /** Beside those of the image; those of the manifest come with their values. */
  readonly environment: readonly string[];
  readonly binds: readonly Bind[];
  readonly cgroup?: string;
}

export interface Bind {
  readonly from: string;
  readonly to: string;
  readonly readOnly: boolean;
}

/** `image`: the image's own configuration. `pod` and `container`: of the manifest. */
export function ociConfig(
  image: JsonObject,
  pod: JsonObject | undefined,
  container: JsonObject,
  place: ContainerPlace,
): JsonObject {
  const own = objectAt(container, 'securityContext');
  const shared = objectAt(pod, 'securityContext');
  const isPrivileged = own?.['privileged'] === true;
  const capabilities = capabilitiesOf(own, isPrivileged);
  const profile = objectAt(own, 'seccompProfile') ?? objectAt(shared, 'seccompProfile');
  const memory = memoryLimit(container);
  const command = arrayAt(container, 'command');
  const args = arrayAt(container, 'args');
  const network = pod?.['hostNetwork'] === true ? [] : [{ type: 'uts' }];
  return {
    ociVersion: '1.0.2',
    ...(network.length > 0 ? { hostname: place.hostname } : {}),
    root: { path: place.rootfs, readonly: own?.['readOnlyRootFilesystem'] === true },
    process: {
      terminal: false,
      user: userOf(image, shared, own),
      args: [
        ...(command.length > 0 ? command : arrayAt(image, 'Entrypoint')),
        ...(args.length > 0 ? args : command.length > 0 ? [] : arrayAt(image, 'Cmd')),
      ],
      env: [...arrayAt(image, 'Env'), ...place.environment],
      cwd: nonEmpty(textAt(image, 'WorkingDir')) ?? '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      noNewPrivileges: own?.['allowPrivilegeEscalation'] === false,
    },
    mounts: [...systemMounts(isPrivileged), ...place.binds.map(bindMount)],
    linux: {
      namespaces: [{ type: 'pid' }, { type: 'ipc' }, { type: 'mount' }, ...network],
      ...(place.cgroup === undefined ? {} : { cgroupsPath: place.cgroup }),
      resources: {
        devices: [{ allow: isPrivileged, access: 'rwm' }],
        ...(memory === undefined ? {} : { memory: { limit: memory } }),
      },
      ...(isPrivileged
        ? {}
        : { maskedPaths: MASKED.map(inProc), readonlyPaths: READ_ONLY.map(inProc) }),
      ...(textAt(profile, 'type') === 'RuntimeDefault' && !isPrivileged
        ? { seccomp: seccompFor(capabilities) }
        : {}),
    },
  };
}

const inProc = (name: string): string => `/proc/${name}`;
const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text);

function userOf(
  image: JsonObject,
  shared: JsonObject | undefined,
  own: JsonObject | undefined,
): JsonObject {
  const [uid = '0', gid = '0'] = (nonEmpty(textAt(image, 'User')) ?? '0:0').split(':');
  const user = {
    uid: numberAt(own, 'runAsUser') ?? numberAt(shared, 'runAsUser') ?? Number(uid),
    gid: numberAt(own, 'runAsGroup') ?? numberAt(shared, 'runAsGroup') ?? Number(gid),
  };
  // as the kubelet refuses it
  if ((own?.['runAsNonRoot'] ?? shared?.['runAsNonRoot']) === true) assert.notEqual(user.uid, 0);
  return user;
}

function capabilitiesOf(own: JsonObject | undefined, isPrivileged: boolean): readonly string[] {
  const named = (key: string): readonly string[] =>
    arrayAt(objectAt(own, 'capabilities'), key).map(String);
  const drop = named('drop');
  const given = isPrivileged ? ALL_CAPABILITIES : DEFAULT_CAPABILITIES;
  const kept = drop.includes('ALL')
    ? []
    : given.split(/\s+/).filter((name) => !drop.includes(name));
  return [...new Set([...kept, ...named('add')])].map((name) => `CAP_${name}`);
}

function systemMounts(isPrivileged: boolean): readonly JsonObject[] {
  const access = isPrivileged ? 'rw' : 'ro';
  const quiet = ['nosuid', 'noexec', 'nodev'];
  const mount = (type: string, destination: string, ...options: readonly string[]): JsonObject => ({
    destination,
    type,
    source: type,
    options,
  });
  return [
    mount('proc', '/proc', ...quiet),
    mount('tmpfs', '/dev', 'nosuid', 'strictatime', 'mode=755', 'size=65536k'),
    mount('devpts', '/dev/pts', 'nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'),
    mount('tmpfs', '/dev/shm', ...quiet, 'mode=1777', 'size=65536k'),
    mount('mqueue', '/dev/mqueue', ...quiet),
    mount('sysfs', '/sys', ...quiet, access),
  ];
}

function bindMount({ from, to, readOnly }: Bind): JsonObject {
  const options = ['rbind', 'rprivate', readOnly ? 'ro' : 'rw'];
  return { destination: to, type: 'bind', source: from, options };
}

/** In bytes. */
export function memoryLimit(container: unknown): number | undefined {
  const limit = textAt(objectAt(objectAt(container, 'resources'), 'limits'), 'memory');
  if (limit === undefined) return undefined;
  const mebibytes = /^(\d+)Mi$/.exec(limit)?.[1];
  assert.ok(mebibytes !== undefined, `a memory limit in Mi, not ${limit}`);
  return Number(mebibytes) * 1024 * 1024;
}

/** The profile's calls for these capabilities on this machine, as the runtime specification wants them. */
function seccompFor(capabilities: readonly string[]): JsonObject {
  const profile: unknown = JSON.parse(readFileSync(SECCOMP_PROFILE, 'utf8'));
  const has = (name: unknown): boolean => capabilities.includes(String(name));
  const syscalls = arrayAt(profile, 'syscalls')
    .filter(isObject)
    .filter(({ includes, excludes }) => {
      const machines = arrayAt(includes, 'arches');
      return (
        (machines.length === 0 || machines.includes(ARCHITECTURE.name)) &&
        arrayAt(includes, 'caps').every(has) &&
        !arrayAt(excludes, 'caps').some(has)
      );
    })
    .map(({ names, action, errnoRet, args }) => ({ names, action, errnoRet, args: args ?? [] }));
  return {
    defaultAction: textAt(profile, 'defaultAction'),
    defaultErrnoRet: numberAt(profile, 'defaultErrnoRet'),
    architectures: [ARCHITECTURE.seccomp],
    syscalls,
  };
}
