// Ports of Services as values: port and protocol. Pure, and linear in their number.
import type { IpService } from '../../api/ip.ts';
import type { Service } from '../../api/kubernetes.ts';

export type Ports = IpService['ports'];
export type Port = Ports[number];

/** Without duplicates, in the order of the Service. */
export function portsOf(service: Service): Ports {
  const ports = service.spec.ports ?? [];
  const claimed = ports.map(({ port, protocol }) => ({ port, protocol }));
  if (claimed.length < 2) return claimed;
  return [...new Map(claimed.map((port) => [formatPort(port), port])).values()];
}

export function formatPort(port: Port): string {
  return `${port.port}/${port.protocol}`;
}

/** The ports as texts, to look others up in. */
export function portTexts(ports: Ports): ReadonlySet<string> {
  return new Set(ports.map(formatPort));
}
