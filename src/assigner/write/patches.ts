// The merge patches (RFC 7396) of what the assigner writes: only the fields that are its own. Pure.
import type { IP } from '../../api/ip.ts';
import type { ServiceStatus } from '../../api/kubernetes.ts';
import { HELD_UNTIL, LAST_SERVICE } from '../../api/annotations.ts';

type Patch = Readonly<Record<string, unknown>>;

/** Of an IP's spec the assigner owns the holders and, while it has holders, the Pool. */
export function ipPatch(ip: IP): Patch {
  const { [LAST_SERVICE]: last = null, [HELD_UNTIL]: until = null } = ip.metadata.annotations ?? {};
  return {
    metadata: { annotations: { [LAST_SERVICE]: last, [HELD_UNTIL]: until } },
    spec: { claims: ip.spec.claims ?? [], poolName: ip.spec.poolName },
  };
}

export function ipStatusPatch(ip: IP): Patch {
  const { phase, reason, heldUntil } = ip.status ?? {};
  return { status: { phase, reason: reason ?? null, heldUntil: heldUntil ?? null } };
}

/** Only what is ours of the status; conditions are an array and go whole, guarded by the resourceVersion. */
export function serviceStatusPatch(status: ServiceStatus): Patch {
  const ingress = status.loadBalancer?.ingress ?? null;
  return { status: { loadBalancer: { ingress }, conditions: status.conditions ?? null } };
}
