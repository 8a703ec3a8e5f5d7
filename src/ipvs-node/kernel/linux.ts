// The Linux adapter of the Kernel port: IPVS through libvipvs, addresses through rtnetlink, the firewall through nft,
// settings through /proc/sys. Operations run in order; neighbours of one kind go to the kernel as one batch.
// Invariant: what is made is in the ownership record before the kernel is asked to make it.
import { release } from 'node:os';

import type { IpAddress } from '../../net/address.ts';
import { familyOf } from '../../net/address.ts';
import type { VirtualServerKey } from '../../net/ipvs.ts';
import { OperationalError } from '../../runtime/errors.ts';
import { SerialQueue } from '../../runtime/serial-queue.ts';
import { AddressWatch } from './addresses/address-watch.ts';
import { Announcer } from './addresses/announcer.ts';
import { takeInstanceLock, type InstanceLock } from './instance-lock.ts';
import { announce } from './addresses/neighbours.ts';
import { errnoName } from './errno.ts';
import { library } from './libvipvs.ts';
import type { IpvsResult } from './ipvs/result.ts';
import { IpvsSocket } from './ipvs/socket.ts';
import { serviceKeyOf, type DumpedService } from './ipvs/values.ts';
import type { Evidence, Kernel, KernelChange, Op, OpResult, ServerOp } from '../model/kernel.ts';
import type { Owned } from '../model/owned.ts';
import { NftFirewall } from './firewall/nft.ts';
import { isOurKindOfKey, keyOfService, observedVirtualServers } from './ipvs/observed.ts';
import { groupAt, type Group, type SysctlOp } from './op-groups.ts';
import { parseVirtualServerKey } from './ownership/journal.ts';
import { DrainRecord } from './ownership/drain-record.ts';
import { DEFAULT_RUN_DIRECTORY, Ownership, UnrecordedError } from './ownership/ownership.ts';
import { addressEntry, ipvsEntry, runRecorded } from './ownership/recorded-run.ts';
import { RtMonitor, RtNetlink } from './addresses/rtnetlink.ts';
import { EXACT_SYSCTLS, SYSCTLS, type ObservedHost, type Reading } from '../model/state.ts';
import { readSysctl, sysctlProblem, writeSysctl } from './sysctl.ts';

export interface LinuxKernelOptions {
  /** Where the records of what is ours and of drains are: /run/vipvs, a tmpfs. */
  readonly runDirectory?: string;
  /** What a person should know: features that are off and why. Each text once. */
  readonly onNotice?: (message: string) => void;
  /** A dump was torn by a change, and is read again. */
  readonly onTornDump?: () => void;
}

const DUMP_ATTEMPTS = 3;
/** From 7.1 on the service table is resized by a work item that an unbroken load starves (ipvs.md 1.8). */
const RESIZER_PAUSE_MS = 20;
export class LinuxKernel implements Kernel {
  readonly drainRecord: DrainRecord;
  readonly #lock: InstanceLock;
  readonly #ipvs: IpvsSocket;
  readonly #route: RtNetlink;
  readonly #monitor: RtMonitor;
  readonly #book: AddressWatch;
  readonly #announcer: Announcer;
  readonly #firewall = new NftFirewall();
  readonly #ownership: Ownership;
  readonly #onNotice: (message: string) => void;
  readonly #onTornDump: () => void;
  readonly #noticed = new Set<string>();
  readonly #listeners: ((change: KernelChange) => void)[] = [];
  readonly #pauseMs = hasServiceResizer(release()) ? { pauseMs: RESIZER_PAUSE_MS } : {};
  readonly #queue = new SerialQueue();

  /**
   * Takes the lock of this network namespace and opens its kernel interfaces; changes nothing.
   * Throws OperationalError: already-running, ipvs-missing, library-missing, not-permitted, kernel-failed.
   */
  static async open(options: LinuxKernelOptions = {}): Promise<LinuxKernel> {
    const lock = await takeInstanceLock();
    try {
      return new LinuxKernel(lock, IpvsSocket.open(), options);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  private constructor(lock: InstanceLock, ipvs: IpvsSocket, options: LinuxKernelOptions) {
    this.#lock = lock;
    this.#ipvs = ipvs;
    this.#onNotice = options.onNotice ?? (() => undefined);
    this.#onTornDump = options.onTornDump ?? (() => undefined);
    const { runDirectory = DEFAULT_RUN_DIRECTORY } = options;
    this.#ownership = new Ownership(runDirectory);
    this.drainRecord = new DrainRecord(runDirectory);
    this.#route = new RtNetlink();
    this.#book = new AddressWatch(this.#route, this.#ownership, (change) => {
      for (const listener of this.#listeners) listener(change);
    });
    this.#monitor = new RtMonitor((event) => {
      this.#book.take(event);
    }, tuneSocket);
    this.#announcer = new Announcer(
      (name, addresses) => this.#sendBurst(name, addresses),
      (target) => this.#book.holds(target),
    );
    if (this.#ownership.unreadable > 0) {
      this.#notice(
        `${this.#ownership.unreadable} lines of ${this.#ownership.file} can not be read; ` +
          'what they named is left alone',
      );
    }
  }

  get owned(): Owned {
    return this.#ownership.owned;
  }

  settle(evidence: Evidence): void {
    try {
      this.#ownership.settle(evidence);
    } catch (error) {
      if (!(error instanceof UnrecordedError)) throw error;
      this.#notice(error.message); // claims will be refused, each with its result
    }
  }

  observe(): Promise<Reading> {
    return this.#exclusive(async () => {
      const [virtualServers, addresses, firewall] = await Promise.all([
        this.#dumpVirtualServers(),
        this.#book.observe(),
        this.#firewall.observe(),
      ]);
      this.#noticeAbsence();
      return { virtualServers, addresses, firewall, sysctls: readSysctls() };
    });
  }

  async observeHost(): Promise<ObservedHost> {
    // nft lists 20,000 elements in a tenth of a second, in an emulated guest in one or two: operations do not wait for that
    const firewall = await this.#firewall.observe();
    return this.#exclusive(async () => {
      const addresses = await this.#book.observe();
      this.#noticeAbsence();
      return { addresses, firewall, sysctls: readSysctls() };
    });
  }

  observeVirtualServers(keys: readonly VirtualServerKey[]): Promise<Reading['virtualServers']> {
    return this.#exclusive(() => this.#readVirtualServers(keys));
  }

  async #readVirtualServers(keys: readonly VirtualServerKey[]): Promise<Reading['virtualServers']> {
    const services: DumpedService[] = [];
    for (const key of keys) {
      const server = parseVirtualServerKey(key);
      if (server === undefined) throw new Error(`bug: ${key} is no key of a virtual server`);
      const service = await this.#ipvs.getService(serviceKeyOf(server));
      if (service !== undefined) services.push(service);
    }
    const dests = await this.#ipvs.dumpDests(services.map((service) => service.key));
    return observedVirtualServers(services, dests.entries);
  }

  /** Beside the operations: it is no base for any of them. */
  async listForeignServers(): Promise<ReadonlyMap<VirtualServerKey, IpAddress> | undefined> {
    const { complete, entries } = await this.#ipvs.dumpServices();
    if (!complete) return undefined;
    const found = new Map<VirtualServerKey, IpAddress>();
    for (const { key: service } of entries) {
      if (!isOurKindOfKey(service)) continue;
      const key = keyOfService(service);
      if (!this.owned.virtualServers.has(key)) found.set(key, service.address);
    }
    return found;
  }

  run(ops: readonly Op[]): Promise<readonly OpResult[]> {
    return this.#exclusive(async () => {
      let results: readonly OpResult[] = [];
      while (results.length < ops.length) {
        const group = groupAt(ops, results.length);
        const ofGroup = await this.#runGroup(group);
        results = results.length === 0 ? ofGroup : results.concat(ofGroup);
      }
      return results;
    });
  }

  async canary(key: VirtualServerKey): Promise<boolean> {
    const server = parseVirtualServerKey(key);
    if (server === undefined) throw new Error(`bug: ${key} is no key of a virtual server`);
    return (await this.#ipvs.getService(serviceKeyOf(server))) !== undefined;
  }

  onChange(listener: (change: KernelChange) => void): void {
    this.#listeners.push(listener);
  }

  /** Leaves everything in the kernel as it is. */
  async close(): Promise<void> {
    this.#listeners.length = 0;
    this.#announcer.close();
    await this.#queue.settle();
    this.#monitor.close();
    this.#route.close();
    await this.#ipvs.close();
    this.#ownership.close();
    await this.#lock.release();
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    return this.#queue.run(work);
  }

  #notice(message: string): void {
    if (this.#noticed.has(message)) return;
    this.#noticed.add(message);
    this.#onNotice(message);
  }

  // ---- observing

  async #dumpVirtualServers(): Promise<Reading['virtualServers']> {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const services = await this.#ipvs.dumpServices();
      if (services.complete) {
        const ours = services.entries.filter((service) => isOurKindOfKey(service.key));
        const dests = await this.#ipvs.dumpDests(ours.map((service) => service.key));
        const observed = observedVirtualServers(ours, dests.entries);
        if (observed !== undefined) return observed;
      }
      this.#onTornDump();
    }
    return undefined;
  }

  #noticeAbsence(): void {
    const { absence } = this.#firewall;
    if (absence === undefined) return;
    this.#notice(
      `${absence.reason}: no masquerade, no loadBalancerSourceRanges, and closed ports of a VIP reach this host`,
    );
  }

  // ---- changing

  #runGroup(group: Group): Promise<readonly OpResult[]> {
    switch (group.kind) {
      case 'ipvs':
        return runRecorded(this.#ownership, group.ops, ipvsEntry, (ops) => this.#runIpvs(ops));
      case 'address':
        return runRecorded(this.#ownership, group.ops, addressEntry, (ops) =>
          this.#book.change(ops),
        );
      case 'announce':
        return this.#announcer.announce(group.ops);
      case 'firewall':
        return this.#firewall.change(group.ops);
      case 'sysctl':
        return Promise.resolve(group.ops.map((op) => this.#setSysctl(op)));
    }
  }

  async #runIpvs(ops: readonly ServerOp[]): Promise<readonly OpResult[]> {
    const results = await this.#ipvs.run(ops, this.#pauseMs);
    return results.every((result) => result.ok) ? results : results.map(opResult);
  }

  async #sendBurst(name: string, addresses: readonly IpAddress[]): Promise<readonly OpResult[]> {
    const link = this.#book.link(name);
    if (link === undefined) {
      throw new OperationalError('interface-missing', `there is no interface ${name}`);
    }
    // lo, tunnels: nobody there to tell
    if (!link.isEthernet) return addresses.map(() => ({ ok: true }));
    const forwarding = readSysctl(`net/ipv6/conf/${name}/forwarding`);
    const isRouter = 'value' in forwarding && forwarding.value > 0;
    const list = addresses.map((address) =>
      familyOf(address) === 6 ? { address, isRouter } : { address },
    );
    return (await announce(link.ifindex, list)).map(opResult);
  }

  #setSysctl(op: SysctlOp): OpResult {
    const before = readSysctl(op.key);
    if ('errno' in before) return sysctlFailure(op, before.errno);
    const isExact = EXACT_KEYS.has(op.key);
    if (isExact ? before.value === op.value : before.value >= op.value) return { ok: true };
    try {
      this.#ownership.rememberSysctl(op.key, before.value);
    } catch (error) {
      if (!(error instanceof UnrecordedError)) throw error;
      return { ok: false, errno: error.errno, message: error.message };
    }
    const errno = writeSysctl(op.key, op.value);
    return errno === undefined ? { ok: true } : sysctlFailure(op, errno);
  }
}

const EXACT_KEYS: ReadonlySet<string> = EXACT_SYSCTLS;

function sysctlFailure(op: SysctlOp, errno: string): OpResult {
  return { ok: false, errno, message: sysctlProblem(op.key, op.value, errno) };
}

function readSysctls(): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const key of SYSCTLS) {
    const read = readSysctl(key);
    if ('value' in read) values.set(key, read.value);
  }
  return values;
}

function tuneSocket(fd: number, receiveBufferBytes: number): void {
  const status = library().tuneNetlink(fd, receiveBufferBytes);
  if (status >= 0) return;
  const errno = errnoName(-status);
  throw new OperationalError(
    errno === 'EPERM' ? 'not-permitted' : 'kernel-failed',
    `netlink socket for notifications: ${errno}`,
  );
}

/** `7.1.0-amd64`: the resizable service table came with 7.1. */
function hasServiceResizer(kernelRelease: string): boolean {
  const [major = 0, minor = 0] = kernelRelease.split('.').map((part) => Number.parseInt(part, 10));
  return major > 7 || (major === 7 && minor >= 1);
}

function opResult(result: IpvsResult): OpResult {
  if (result.ok) return result;
  const errno = result.outcome === 'unknown' ? 'unknown' : result.errno;
  return { ok: false, errno, message: result.message };
}
