// A NodeState that claims come into and leave: several virtual servers share an address, several Services an endpoint
// in a firewall set, so each of them is counted.
import { familyOf, type IpAddress } from '../../net/address.ts';
import type { VirtualServerKey } from '../../net/ipvs.ts';
import { eachElement, type FirewallClaim } from './firewall.ts';
import type { Claim, NodeView } from './service.ts';
import { ALL_HELD, type HeldGroups } from '../model/held-groups.ts';
import {
  FIREWALL_SETS,
  type ElementKey,
  type FirewallElement,
  type FirewallSet,
} from '../model/firewall.ts';
import {
  type DesiredAddress,
  type DesiredVirtualServer,
  type NodeState,
  type SysctlKey,
} from '../model/state.ts';

/** What the planner has to look at again. */
export interface Changed {
  readonly virtualServers: ReadonlySet<VirtualServerKey>;
  readonly addresses: ReadonlySet<IpAddress>;
  readonly firewall: ReadonlyMap<FirewallSet, ReadonlySet<ElementKey>>;
  readonly sysctls: boolean;
  /** Services whose problems may be others now. */
  readonly services: ReadonlySet<string>;
}

class Changes implements Changed {
  readonly virtualServers = new Set<VirtualServerKey>();
  readonly addresses = new Set<IpAddress>();
  readonly firewall = new Map<FirewallSet, Set<ElementKey>>();
  readonly services = new Set<string>();
  sysctls = false;
}

export class NodeStateBuilder {
  readonly #node: NodeView;
  readonly #virtualServers = new Map<VirtualServerKey, DesiredVirtualServer>();
  /** VIPs that are bound here, and those that the Services want just as much but another director holds. */
  readonly #addresses = new Map<IpAddress, DesiredAddress>();
  readonly #elsewhere = new Map<IpAddress, DesiredAddress>();
  readonly #sets = new Map<FirewallSet, Map<ElementKey, FirewallElement>>(
    FIREWALL_SETS.map((set) => [set, new Map()]),
  );
  /** Uses beyond the first, of elements that have more than one: most have not, and a count for each costs memory. */
  readonly #moreUses = new Map<FirewallSet, Map<ElementKey, number>>(
    FIREWALL_SETS.map((set) => [set, new Map()]),
  );
  readonly #masquerading = { 4: 0, 6: 0 };
  #sysctls: ReadonlyMap<SysctlKey, number> = new Map();
  #held: HeldGroups;
  #changes = new Changes();

  constructor(node: NodeView) {
    this.#node = node;
    this.#held = node.held ?? ALL_HELD;
  }

  get state(): NodeState {
    return {
      virtualServers: this.#virtualServers,
      addresses: this.#addresses,
      firewall: { sets: this.#sets },
      sysctls: this.#sysctls,
    };
  }

  /** An address is wanted only where its group is held; the rest is the same on every director. */
  setHeld(held: HeldGroups): void {
    this.#held = held;
    const moved = [
      ...[...this.#addresses.values()].filter(({ address }) => !held.isHeldHere(address)),
      ...[...this.#elsewhere.values()].filter(({ address }) => held.isHeldHere(address)),
    ];
    for (const wanted of moved) {
      this.#putAddress(wanted.address, wanted);
      for (const key of wanted.virtualServers) {
        const service = this.#virtualServers.get(key)?.service;
        if (service !== undefined) this.#changes.services.add(service);
      }
    }
  }

  takeChanged(): Changed {
    const changes = this.#changes;
    this.#changes = new Changes();
    const sysctls = this.#wantedSysctls();
    changes.sysctls = !sameMap(sysctls, this.#sysctls);
    this.#sysctls = sysctls;
    return changes;
  }

  touchService(service: string): void {
    this.#changes.services.add(service);
  }

  /** The claim that holds the virtual server changed from `before` to `after`. */
  setWinner(key: VirtualServerKey, before: Claim | undefined, after: Claim | undefined): void {
    if (before === after) return;
    this.#changes.virtualServers.add(key);
    if (after === undefined) this.#virtualServers.delete(key);
    else this.#virtualServers.set(key, after.desired);
    // the new one first: what both need is never taken out in between
    if (after !== undefined) {
      eachElement(firewallOf(after), (set, each, element) => this.#use(set, each, element));
      this.#count(after, 1);
    }
    if (before !== undefined) {
      eachElement(firewallOf(before), (set, each) => this.#release(set, each));
      this.#count(before, -1);
    }
    const vip = (after ?? before)?.desired.server.vip;
    if (vip !== undefined) this.#setAddress(vip, key, after);
  }

  #setAddress(vip: IpAddress, key: VirtualServerKey, claim: Claim | undefined): void {
    const before = this.#addresses.get(vip) ?? this.#elsewhere.get(vip);
    const known = before?.virtualServers ?? [];
    const others = known.filter((each) => each !== key);
    const virtualServers = claim === undefined ? others : others.concat(key);
    const isKnown = others.length < known.length === (claim !== undefined);
    if (isKnown && (claim === undefined || before?.interface === claim.interface)) return;
    const name = (claim ?? before)?.interface;
    const isGone = virtualServers.length === 0 || name === undefined;
    this.#putAddress(vip, isGone ? undefined : { address: vip, interface: name, virtualServers });
  }

  #putAddress(vip: IpAddress, wanted: DesiredAddress | undefined): void {
    this.#changes.addresses.add(vip);
    const [place, other] = this.#held.isHeldHere(vip)
      ? [this.#addresses, this.#elsewhere]
      : [this.#elsewhere, this.#addresses];
    other.delete(vip);
    if (wanted === undefined) place.delete(vip);
    else place.set(vip, wanted);
  }

  #count(claim: Claim, step: 1 | -1): void {
    if (claim.masquerades) this.#masquerading[familyOf(claim.desired.server.vip)] += step;
  }

  #use(set: FirewallSet, key: ElementKey, element: FirewallElement): void {
    const elements = this.#sets.get(set);
    if (elements?.has(key) === true) {
      const more = this.#moreUses.get(set);
      more?.set(key, (more.get(key) ?? 0) + 1);
    } else this.#touchElement(set, key);
    // the last one that uses it, else the virtual server that it replaces would stay in memory
    elements?.set(key, element);
  }

  #release(set: FirewallSet, key: ElementKey): void {
    const more = this.#moreUses.get(set);
    const count = more?.get(key) ?? 0;
    if (count > 1) more?.set(key, count - 1);
    else if (count === 1) more?.delete(key);
    else {
      this.#sets.get(set)?.delete(key);
      this.#touchElement(set, key);
    }
  }

  #touchElement(set: FirewallSet, key: ElementKey): void {
    const keys = this.#changes.firewall.get(set);
    if (keys === undefined) this.#changes.firewall.set(set, new Set([key]));
    else keys.add(key);
  }

  /** Only what the virtual servers of this node need; nothing is lowered when they go (others may need it by then). */
  #wantedSysctls(): ReadonlyMap<SysctlKey, number> {
    const wanted = new Map<SysctlKey, number>();
    if (this.#virtualServers.size === 0) return wanted;
    const masquerades = this.#masquerading[4] + this.#masquerading[6] > 0;
    // without it packets of IPVS are untracked and no masquerade rule ever matches (ipvs.md 3.1)
    if (masquerades) wanted.set('net/ipv4/vs/conntrack', 1);
    // without it a deleted real server swallows its clients' packets in silence until they time out (ipvs.md 5.6)
    wanted.set('net/ipv4/vs/expire_nodest_conn', 1);
    // without it persistent clients stay glued to a draining real server (ipvs.md 5.7)
    wanted.set('net/ipv4/vs/expire_quiescent_template', 1);
    const { major, minor } = this.#node.kernelVersion ?? MODERN_KERNEL;
    if (masquerades && (major < 5 || (major === 5 && minor < 9))) {
      // older kernels drop the first SYN of a reused source port for a second (ipvs.md 5.1)
      wanted.set('net/ipv4/vs/conn_reuse_mode', 0);
    }
    // answers of NATed real servers pass this node on their way to the client
    if (this.#masquerading[4] > 0) wanted.set('net/ipv4/ip_forward', 1);
    if (this.#masquerading[6] > 0) wanted.set('net/ipv6/conf/all/forwarding', 1);
    return wanted;
  }
}

function firewallOf({ key, desired, firewall }: Claim): FirewallClaim {
  return { key, server: desired.server, local: firewall.local, ranges: firewall.ranges };
}

const MODERN_KERNEL = { major: 5, minor: 9 };

function sameMap<K, V>(a: ReadonlyMap<K, V>, b: ReadonlyMap<K, V>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
