// A kernel in memory that refuses what the real one refuses (ipvs.md 1.6, proved on 6.1, 6.12 and 7.2), with faults on
// demand. test/contract/kernel.contract.ts keeps it honest: the same suite runs on the real kernel.
import { compareIp, familyOf, type IpAddress } from '../../src/net/address.ts';
import {
  realServerKey,
  virtualServerKey,
  type RealServerKey,
  type VirtualServerAddress,
  type VirtualServerKey,
} from '../../src/net/ipvs.ts';
import { formatRules } from '../../src/net/ipvsadm.ts';
import { specialUseOf } from '../../src/net/special.ts';
import type {
  DrainRecordPort,
  Evidence,
  FirewallOp,
  Kernel,
  KernelChange,
  NotedDrains,
  Op,
  OpResult,
} from '../../src/ipvs-node/model/kernel.ts';
import {
  bindingKey,
  isOurs,
  type BindingKey,
  type ObservedAddress,
} from '../../src/ipvs-node/model/owned.ts';
import {
  elementKey,
  FIREWALL_SETS,
  type ElementKey,
  type FirewallElement,
  type FirewallSet,
} from '../../src/ipvs-node/model/firewall.ts';
import {
  NOT_BEGUN,
  SYSCTLS,
  type DrainStarts,
  type ObservedHost,
  type ObservedRealServer,
  type ObservedVirtualServer,
  type Reading,
} from '../../src/ipvs-node/model/state.ts';

interface Server {
  server: ObservedVirtualServer['server'];
  readonly realServers: Map<RealServerKey, ObservedRealServer>;
}

export interface FakeOptions {
  /** Probability that an operation fails, or that a part of a dump is incomplete. */
  readonly faultProbability?: number;
  readonly seed?: number;
  readonly interfaces?: readonly string[];
  readonly schedulers?: readonly string[];
  /** A kernel without nft. */
  readonly hasFirewall?: boolean;
}

const DONE: OpResult = { ok: true };
const DEFAULT_SCHEDULERS = ['rr', 'wrr', 'lc', 'wlc', 'sh', 'dh', 'sed', 'nq', 'mh', 'fo', 'ovf'];
const TRANSIENT_ERRNOS = ['ENOBUFS', 'EBUSY', 'ENOMEM', 'unknown'];

function refuse(errno: string, message = errno): OpResult {
  return { ok: false, errno, message };
}

export class FakeKernel implements Kernel {
  readonly virtualServers = new Map<VirtualServerKey, Server>();
  readonly addresses = new Map<IpAddress, ObservedAddress[]>();
  readonly firewall = new Map<FirewallSet, Map<ElementKey, FirewallElement>>(
    FIREWALL_SETS.map((set) => [set, new Map()]),
  );
  readonly sysctls = new Map<string, number>(SYSCTLS.map((key) => [key, 0]));
  readonly interfaces: Set<string>;
  /** Kept across kernels of one host by the adapter: the record that survives a crash. */
  readonly owned = {
    virtualServers: new Set<VirtualServerKey>(),
    addresses: new Set<BindingKey>(),
  };
  drainRecord: DrainRecordPort = new FakeDrainRecord();
  faultProbability: number;
  /** Parts whose next dump is incomplete. */
  readonly unreadable = new Set<'virtualServers' | 'addresses' | 'firewall'>();
  /** Decides about single operations before the rules do; undefined: no fault. */
  fault: ((op: Op) => string | undefined) | undefined;
  /** Everything that was asked, for tests that count. */
  readonly log: Op[] = [];
  observeCount = 0;
  partialObserveCount = 0;
  hostObserveCount = 0;
  canaryCount = 0;
  onOp: ((op: Op) => void) | undefined;
  readonly #schedulers: ReadonlySet<string>;
  readonly #hasFirewall: boolean;
  #listeners: ((change: KernelChange) => void)[] = [];
  #seed: number;

  constructor(options: FakeOptions = {}) {
    this.faultProbability = options.faultProbability ?? 0;
    this.#seed = options.seed ?? 1;
    this.interfaces = new Set(options.interfaces ?? ['eth0', 'eth1', 'lo']);
    this.#schedulers = new Set(options.schedulers ?? DEFAULT_SCHEDULERS);
    this.#hasFirewall = options.hasFirewall ?? true;
  }

  /** mulberry32: the same seed gives the same faults. */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  #chance(): boolean {
    return this.faultProbability > 0 && this.random() < this.faultProbability;
  }

  observe(): Promise<Reading> {
    this.observeCount++;
    const virtualServers = this.#isReadable('virtualServers')
      ? this.#snapshot(this.virtualServers.keys())
      : undefined;
    return Promise.resolve({ virtualServers, ...this.#host() });
  }

  observeHost(): Promise<ObservedHost> {
    this.hostObserveCount++;
    return Promise.resolve(this.#host());
  }

  #host(): ObservedHost {
    return {
      addresses: this.#isReadable('addresses')
        ? new Map([...this.addresses].map(([ip, entries]) => [ip, [...entries]]))
        : undefined,
      firewall: !this.#hasFirewall
        ? 'absent'
        : this.#isReadable('firewall')
          ? { sets: new Map([...this.firewall].map(([set, each]) => [set, new Map(each)])) }
          : undefined,
      sysctls: new Map(this.sysctls),
    };
  }

  #isReadable(part: 'virtualServers' | 'addresses' | 'firewall'): boolean {
    return !this.unreadable.has(part) && !this.#chance();
  }

  observeVirtualServers(keys: readonly VirtualServerKey[]): Promise<Reading['virtualServers']> {
    this.partialObserveCount++;
    const failed = this.unreadable.has('virtualServers') || this.#chance();
    if (failed) return Promise.resolve(undefined);
    return Promise.resolve(this.#snapshot(keys));
  }

  settle({ gone, addresses }: Evidence): void {
    for (const key of gone) this.owned.virtualServers.delete(key);
    if (addresses === undefined) return;
    const seen = [...addresses.values()].flat().filter(({ mark }) => mark !== 'network');
    const present = new Set(seen.map((each) => bindingKey(each.address, each.interface)));
    for (const key of this.owned.addresses) if (!present.has(key)) this.owned.addresses.delete(key);
    for (const { address, interface: name, mark } of seen) {
      if (mark === 'tagged') this.owned.addresses.add(bindingKey(address, name));
    }
  }

  #snapshot(
    keys: Iterable<VirtualServerKey>,
  ): ReadonlyMap<VirtualServerKey, ObservedVirtualServer> {
    const found = new Map<VirtualServerKey, ObservedVirtualServer>();
    for (const key of keys) {
      const server = this.virtualServers.get(key);
      if (server === undefined) continue;
      found.set(key, { server: server.server, realServers: new Map(server.realServers) });
    }
    return found;
  }

  listForeignServers(): Promise<ReadonlyMap<VirtualServerKey, IpAddress> | undefined> {
    if (!this.#isReadable('virtualServers')) return Promise.resolve(undefined);
    const foreign = [...this.virtualServers].filter(([key]) => !this.owned.virtualServers.has(key));
    return Promise.resolve(new Map(foreign.map(([key, { server }]) => [key, server.vip])));
  }

  run(ops: readonly Op[]): Promise<readonly OpResult[]> {
    return Promise.resolve(ops.map((op) => this.#runOne(op)));
  }

  #runOne(op: Op): OpResult {
    this.log.push(op);
    this.onOp?.(op);
    const planned = this.fault?.(op);
    if (planned !== undefined) return refuse(planned);
    if (!this.#chance()) return this.#execute(op);
    const errno = TRANSIENT_ERRNOS[Math.floor(this.random() * TRANSIENT_ERRNOS.length)];
    // a lost reply: the operation may or may not have happened
    if (errno === 'unknown' && this.random() < 0.5) this.#execute(op);
    return refuse(errno ?? 'ENOMEM', 'injected');
  }

  #execute(op: Op): OpResult {
    switch (op.op) {
      case 'vs.add':
      case 'vs.set':
        return this.#putVirtualServer(op);
      case 'vs.del': {
        const key = virtualServerKey(op.server);
        this.owned.virtualServers.delete(key);
        return this.virtualServers.delete(key) ? DONE : refuse('ESRCH');
      }
      case 'rs.add':
      case 'rs.set':
        return this.#putRealServer(op);
      case 'rs.del': {
        const server = this.virtualServers.get(virtualServerKey(op.server));
        if (server === undefined) return refuse('ESRCH');
        return server.realServers.delete(realServerKey(op.real)) ? DONE : refuse('ENOENT');
      }
      case 'vip.add':
        return this.#addAddress(op.address, op.interface);
      case 'vip.del':
        return this.#deleteAddress(op.address, op.interface);
      case 'vip.announce':
        if (!this.interfaces.has(op.interface)) return refuse('ENODEV');
        return DONE;
      case 'fw.add':
      case 'fw.del':
        return this.#editFirewall(op);
      case 'sysctl.set':
        if (!this.sysctls.has(op.key)) return refuse('ENOENT');
        this.sysctls.set(op.key, op.value);
        return DONE;
    }
  }

  #putVirtualServer({ op, server }: Extract<Op, { op: 'vs.add' | 'vs.set' }>): OpResult {
    const key = virtualServerKey(server);
    const present = this.virtualServers.get(key);
    if (op === 'vs.add' && present !== undefined) return refuse('EEXIST');
    if (op === 'vs.set' && present === undefined) return refuse('ESRCH');
    // after request_module found nothing
    if (!this.#schedulers.has(server.scheduler)) return refuse('ENOENT', 'no such scheduler');
    if (present === undefined) this.virtualServers.set(key, { server, realServers: new Map() });
    else present.server = server;
    this.owned.virtualServers.add(key);
    return DONE;
  }

  #putRealServer({ op, server, real }: Extract<Op, { op: 'rs.add' | 'rs.set' }>): OpResult {
    const present = this.virtualServers.get(virtualServerKey(server));
    if (present === undefined) return refuse('ESRCH');
    const key = realServerKey(real);
    const other = present.realServers.get(key);
    if (real.weight < 0) return refuse('ERANGE');
    if (isRefusedByKernel(real.address)) return refuse('EINVAL');
    if (familyOf(real.address) !== familyOf(present.server.vip) && real.method !== 'tunnel') {
      return refuse('EINVAL');
    }
    // the kernel takes it and forwards to the wrong port; the library refuses (ipvs.md 1.4)
    if (real.method !== 'masquerade' && real.port !== present.server.port) return refuse('EINVAL');
    if (op === 'rs.add' && other !== undefined) return refuse('EEXIST');
    if (op === 'rs.set' && other === undefined) return refuse('ENOENT');
    const { activeConnections = 0, inactiveConnections = 0 } = other ?? {};
    present.realServers.set(key, { ...real, activeConnections, inactiveConnections });
    return DONE;
  }

  #addAddress(address: IpAddress, name: string): OpResult {
    if (!this.interfaces.has(name)) return refuse('ENODEV');
    const entries = this.addresses.get(address) ?? [];
    if (entries.some((entry) => entry.interface === name)) return refuse('EEXIST');
    this.addresses.set(address, [...entries, { address, interface: name, mark: 'tagged' }]);
    this.owned.addresses.add(bindingKey(address, name));
    return DONE;
  }

  #deleteAddress(address: IpAddress, name: string): OpResult {
    const entries = this.addresses.get(address) ?? [];
    const rest = entries.filter((entry) => entry.interface !== name);
    if (rest.length === entries.length) return refuse('EADDRNOTAVAIL');
    if (rest.length === 0) this.addresses.delete(address);
    else this.addresses.set(address, rest);
    this.owned.addresses.delete(bindingKey(address, name));
    return DONE;
  }

  #editFirewall({ op, set, key, element }: FirewallOp): OpResult {
    if (!this.#hasFirewall) return refuse('EOPNOTSUPP');
    if (key !== elementKey(element))
      return refuse('EINVAL', `${key} is not the key of its element`);
    const elements = this.firewall.get(set);
    // nft: adding an element twice is no error, deleting one that is not there is
    if (op === 'fw.add') elements?.set(key, element);
    else if (elements?.delete(key) !== true) return refuse('ENOENT');
    return DONE;
  }

  canary(key: VirtualServerKey): Promise<boolean> {
    this.canaryCount++;
    return Promise.resolve(this.virtualServers.has(key));
  }

  onChange(listener: (change: KernelChange) => void): void {
    this.#listeners.push(listener);
  }

  close(): Promise<void> {
    this.#listeners = [];
    return Promise.resolve();
  }

  // What others do to the kernel:

  /** `ipvsadm -C` */
  flush(): void {
    this.virtualServers.clear();
  }

  /** `ipvsadm -A`, `-a` by hand. */
  addForeign(server: ObservedVirtualServer): void {
    const realServers = new Map(server.realServers);
    this.virtualServers.set(virtualServerKey(server.server), { ...server, realServers });
  }

  /** `ip address add` by hand. */
  addForeignAddress(address: IpAddress, name: string): void {
    const entries = this.addresses.get(address) ?? [];
    this.addresses.set(address, [...entries, { address, interface: name, mark: 'plain' }]);
  }

  /** `ip address del` by hand. */
  removeAddress(address: IpAddress, name: string): void {
    const entries = this.addresses.get(address) ?? [];
    const wasOurs = entries.some((each) => each.interface === name && isOurs(this.owned, each));
    this.owned.addresses.delete(bindingKey(address, name));
    const rest = entries.filter((entry) => entry.interface !== name);
    if (rest.length === 0) this.addresses.delete(address);
    else this.addresses.set(address, rest);
    const kind = wasOurs ? 'address.removed' : 'address.freed';
    this.tell({ kind, address, interface: name });
  }

  setLink(name: string, up: boolean): void {
    if (up) this.interfaces.add(name);
    else this.interfaces.delete(name);
    this.tell({ kind: 'link', interface: name, up });
  }

  tell(change: KernelChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  setConnections(
    server: VirtualServerAddress | VirtualServerKey,
    real: RealServerKey,
    active: number,
    inactive = 0,
  ): void {
    const key = typeof server === 'string' ? server : virtualServerKey(server);
    const present = this.virtualServers.get(key);
    const entry = present?.realServers.get(real);
    if (entry === undefined) throw new Error(`no real server ${real} of ${key}`);
    present?.realServers.set(real, {
      ...entry,
      activeConnections: active,
      inactiveConnections: inactive,
    });
  }

  /** `ipvsadm-save -n`, then the addresses as an operator would add them: canonical order. */
  dump(): string {
    const rules = formatRules(
      [...this.virtualServers.values()].map(({ server, realServers }) => ({
        server,
        realServers: [...realServers.values()],
      })),
    );
    const addresses = [...this.addresses.values()]
      .flat()
      .sort((a, b) => compareIp(a.address, b.address) || (a.interface < b.interface ? -1 : 1))
      .map(({ address, interface: name }) => {
        return `ip address add ${address}/${familyOf(address) === 4 ? 32 : 128} dev ${name}\n`;
      });
    return rules + addresses.join('');
  }
}

/** For processes that share one clock. */
class FakeDrainRecord implements DrainRecordPort {
  #starts: DrainStarts = new Map();

  load(nowMs: number): NotedDrains {
    const starts = [...this.#starts].map(([key, reals]) => {
      const begun = [...reals].map(([real, sinceMs]) => [real, Math.min(nowMs, sinceMs)] as const);
      return [key, new Map(begun)] as const;
    });
    return { starts: new Map(starts), problem: undefined };
  }

  save(starts: DrainStarts): undefined {
    const begun = [...starts].map(([key, reals]) => {
      return [key, new Map([...reals].filter(([, sinceMs]) => sinceMs !== NOT_BEGUN))] as const;
    });
    this.#starts = new Map(begun.filter(([, reals]) => reals.size > 0));
  }
}

/** ip_vs_add_dest: multicast, broadcast, 0.0.0.0, IPv6 link-local. Loopback is accepted. */
function isRefusedByKernel(address: IpAddress): boolean {
  const use = specialUseOf(address);
  if (familyOf(address) === 6) return use === 'link-local' || use === 'multicast';
  return use === 'multicast' || use === 'broadcast' || address === '0.0.0.0';
}
