// Several Services on one address: who can have it together, and who loses it because another has the port. Pure.
import type { IpAddress } from '../net/address.ts';
import type { Keeper } from './holdings.ts';
import { compareText, type Note, type ServiceName } from './model.ts';
import { Notes } from './notes.ts';
import type { ServiceFacts } from './services.ts';

export interface Together {
  /** In the order in which they were given. */
  readonly services: readonly ServiceName[];
  readonly losers: readonly ServiceName[];
}

/** A note for each that loses. One that is not in the input has no ports that are known. */
export function whoCanHave(address: IpAddress, keepers: readonly Keeper[], all: Note[]): Together {
  const takenBy = new Map<string, string>();
  const losers = new Set<ServiceName>();
  const known = keepers.flatMap(({ facts }) => facts ?? []);
  for (const facts of known.sort((a, b) => compareFacts(a, b, address))) {
    const common = portsOf(facts).filter((port) => takenBy.has(port));
    if (common.length === 0) {
      for (const port of portsOf(facts)) takenBy.set(port, facts.key);
      continue;
    }
    losers.add(facts.name);
    const winner = [...new Set(common.map((port) => takenBy.get(port)))].join(', ');
    const text = `has ${common.join(', ')} on ${address}, and so has Service ${winner}, which keeps it: ${facts.key} loses the address; give it another one, or other ports`;
    Notes.ofService(all, facts).add('error', text);
  }
  const names = keepers.map(({ name }) => name);
  return {
    services: names.filter((name) => !losers.has(name)),
    losers: names.filter((name) => losers.has(name)),
  };
}

/** The order of the assigner, which decides who keeps the port: who shows the address, then by age, uid and key. */
function compareFacts(a: ServiceFacts, b: ServiceFacts, address: IpAddress): number {
  return compareText(orderOf(a, address), orderOf(b, address));
}

function orderOf({ service, shown, key }: ServiceFacts, address: IpAddress): string {
  const { creationTimestamp = '~', uid = '' } = service.metadata;
  return [shown.includes(address) ? '0' : '1', creationTimestamp, uid, key].join('\u0000');
}

function portsOf({ service }: ServiceFacts): readonly string[] {
  return (service.spec.ports ?? []).map(({ port, protocol }) => `${port}/${protocol}`);
}
