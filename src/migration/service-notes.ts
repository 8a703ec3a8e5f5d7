// What a Service of ours says that can't be kept, or that means something else here. Pure.
import { tryParseIp } from '../net/address.ts';
import type { Keeper } from './holdings.ts';
import type { Note } from './model.ts';
import { Notes } from './notes.ts';
import type { ServiceFacts } from './services.ts';
import { variableHint } from './variables.ts';

type Known = Keeper & { readonly facts: ServiceFacts };

export function noteService(keeper: Known, all: Note[]): void {
  const notes = Notes.ofService(all, keeper.facts);
  noteProblems(keeper, notes);
  noteUnknown(keeper, notes);
  noteHostnames(keeper, notes);
  noteDenyList(keeper.facts, notes);
}

/** Whether it is not known what the Service has: a manifest without status that asks for nothing. */
export function isUnknown({ facts, addresses }: Keeper): boolean {
  if (facts === undefined || addresses.length > 0) return false;
  return facts.service.spec.type === 'LoadBalancer' && !facts.isStatusKnown;
}

/** What it asks for and nobody can read. Where its status shows an address, that is what counts. */
function noteProblems({ facts, addresses }: Known, notes: Notes): void {
  const { request, shown, asked } = facts;
  const lost = asked.filter((ip) => !addresses.includes(ip));
  const left = lost.length === 0 ? '' : `; ${lost.join(', ')} kept out of use`;
  for (const { message } of request.problems) {
    const text = `${message}${hintOf(message)}`;
    if (shown.length === 0) notes.add('error', `${text}${left}`);
    else notes.add('ambiguous', `${text}; its status shows ${shown.join(', ')}, which counts`);
  }
}

/** A message quotes what the user wrote. */
function hintOf(message: string): string {
  const quoted = message.match(/"(?:[^"\\]|\\.)*"/g) ?? [];
  return quoted.map((text) => variableHint(text.slice(1, -1))).find((hint) => hint !== '') ?? '';
}

function noteUnknown(keeper: Known, notes: Notes): void {
  if (!isUnknown(keeper) || keeper.facts.request.problems.length > 0) return;
  const text =
    'shows no address here, and asks for none: what it has in the cluster is not known and is not kept (read it: --from-cluster, or kubectl get services -A -o yaml)';
  notes.add('error', text);
}

function noteHostnames({ facts }: Known, notes: Notes): void {
  const ingress = facts.service.status?.loadBalancer?.ingress ?? [];
  for (const { ip, hostname } of ingress) {
    if (ip !== undefined && tryParseIp(ip) === undefined) {
      const text = `${JSON.stringify(ip)} is no IP address: it is not kept${variableHint(ip)}`;
      notes.add('error', text, 'status.loadBalancer.ingress');
    }
    if (ip === undefined && hostname !== undefined) {
      const text = `${JSON.stringify(hostname)} is a name: a Pool hands out addresses, and it is not kept`;
      notes.add('ambiguous', text, 'status.loadBalancer.ingress');
    }
  }
}

const POLICY = 'service.cilium.io/src-ranges-policy';

/** For vipvs, and everybody else, the ranges are those that are let in. */
function noteDenyList({ annotations, service }: ServiceFacts, notes: Notes): void {
  const ranges = service.spec.loadBalancerSourceRanges ?? [];
  if (annotations[POLICY]?.trim().toLowerCase() !== 'deny' || ranges.length === 0) return;
  const text = `deny makes spec.loadBalancerSourceRanges a deny list; here ${ranges.map((range) => JSON.stringify(range)).join(', ')} would be the only ones that are let in, and everybody else kept out: take the field out, or list the networks that may come in`;
  notes.add('error', text, `metadata.annotations[${POLICY}]`);
}
