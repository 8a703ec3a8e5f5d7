// The keys that the next incremental round has to compare, and the VIPs that it has to announce again.
import type { IpAddress } from '../../net/address.ts';
import type { VirtualServerKey } from '../../net/ipvs.ts';
import type { Changed } from '../desired/counted-state.ts';
import type { Target } from './retries.ts';
import type { Scope } from '../plan/scope.ts';
import type { ElementKey, FirewallSet } from '../model/firewall.ts';

export class DirtyScope implements Scope {
  readonly virtualServers = new Set<VirtualServerKey>();
  readonly addresses = new Set<IpAddress>();
  readonly firewall = new Map<FirewallSet, Set<ElementKey>>();
  sysctls = false;
  readonly announcements = new Set<IpAddress>();

  get isEmpty(): boolean {
    return (
      this.virtualServers.size === 0 &&
      this.addresses.size === 0 &&
      this.firewall.size === 0 &&
      !this.sysctls &&
      this.announcements.size === 0
    );
  }

  /** Whether a round over it settles the target. */
  covers(target: Target): boolean {
    switch (target.kind) {
      case 'virtual server':
        return this.virtualServers.has(target.key);
      case 'address':
        return this.addresses.has(target.address);
      case 'sysctls':
        return this.sysctls;
      case 'announcement':
      case 'firewall':
        return false;
    }
  }

  add(changed: Omit<Changed, 'services'>): void {
    for (const key of changed.virtualServers) this.virtualServers.add(key);
    for (const address of changed.addresses) this.addresses.add(address);
    for (const [set, elements] of changed.firewall) {
      const known = this.firewall.get(set);
      if (known === undefined) this.firewall.set(set, new Set(elements));
      else for (const element of elements) known.add(element);
    }
    this.sysctls ||= changed.sysctls;
  }
}
