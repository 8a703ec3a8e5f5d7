// The rules of the programming bench as the product's own values; raw.c and `raw rules` have the same ones:
// VIP 10.100.0.0+i port 80 rr, real servers 10.1.0.0+i*R+j port 80 by masquerade.
import { ipFromBigInt, type IpAddress } from '../../src/net/address.ts';
import { realServerKey, virtualServerKey, type RealServer } from '../../src/net/ipvs.ts';
import type { NodeState, Observed } from '../../src/ipvs-node/model/state.ts';

const VIP_BASE = 0x0a640000n;
const REAL_BASE = 0x0a010000n;

export function vipOf(i: number): IpAddress {
  return ipFromBigInt(4, VIP_BASE + BigInt(i));
}

export function realOf(i: number): IpAddress {
  return ipFromBigInt(4, REAL_BASE + BigInt(i));
}

export function desiredRules(virtualServers: number, realServers: number): NodeState {
  return {
    virtualServers: new Map(
      Array.from({ length: virtualServers }, (_, i) => {
        const server = {
          vip: vipOf(i),
          port: 80,
          protocol: 'TCP' as const,
          scheduler: 'rr' as const,
          schedulerFlags: [],
          persistenceSeconds: 0,
        };
        const reals = Array.from({ length: realServers }, (__, j): RealServer => {
          const address = realOf(i * realServers + j);
          return { address, port: 80, method: 'masquerade', weight: 1 };
        });
        const value = {
          server,
          drainSeconds: 300,
          service: `default/s${i}`,
          realServers: new Map(reals.map((real) => [realServerKey(real), real])),
        };
        return [virtualServerKey(server), value] as const;
      }),
    ),
    addresses: new Map(),
    firewall: { sets: new Map() },
    sysctls: new Map(),
  };
}

export const EMPTY_KERNEL: Observed = {
  virtualServers: new Map(),
  addresses: new Map(),
  firewall: { sets: new Map() },
  sysctls: new Map(),
  owned: { virtualServers: new Set(), addresses: new Set() },
};
