// Entries of foreign pools -> what a Pool takes: each that it would refuse is named and left out, the others stay. Pure.
import type { Entry } from './fields.ts';
import { SourceError, type Notes } from './notes.ts';
import type { PoolSpecDraft } from './model.ts';
import { entryProblem, type EntryProblem } from './settle.ts';
import { variableHint } from './variables.ts';

/** Not loopback and the like. Who has such an address is told where all addresses in use are gone through. */
export function canBeVip(address: string): boolean {
  return entryProblem({ addresses: [address] }) === undefined;
}

/** The addresses, in their order; undefined where none can be used, which the notes say. */
export function poolAddresses(
  entries: readonly Entry[],
  field: string,
  notes: Notes,
): readonly string[] | undefined {
  if (entries.length === 0) {
    // a list of which no item was text has said so already
    if (notes.damages === 0) throw new SourceError('is empty', field);
    notes.add('error', 'nothing of it can be used; no Pool is made', field);
    return undefined;
  }
  const judged = entries.map((entry) => {
    const text = entry.text.trim();
    return { text, field: entry.field, problem: entryProblem({ addresses: [text] }) };
  });
  const good = judged.filter(({ problem }) => problem?.isWarning !== false);
  const end = good.length === 0 ? 'no Pool is made' : 'it is left out';
  for (const { text, field: place, problem } of judged) {
    if (problem !== undefined) noteEntry(text, place, problem, end, notes);
  }
  return good.length === 0 ? undefined : good.map(({ text }) => text);
}

function noteEntry(
  text: string,
  field: string,
  { message, isWarning }: EntryProblem,
  end: string,
  notes: Notes,
): void {
  if (isWarning) notes.add('ambiguous', message, field);
  else notes.add('error', `${message}${variableHint(text)}; ${end}`, field);
}

/** What stays out of the Pool. One that is lost makes the Pool wider, which `cautious` takes care of. */
export function poolFilters(entries: readonly Entry[], notes: Notes): readonly string[] {
  return entries.flatMap(({ text, field }): readonly string[] => {
    const problem = entryProblem({ addresses: ['192.0.2.1'], filterIPs: [text] });
    if (problem?.isWarning === false) {
      notes.damage(`${problem.message}${variableHint(text)}; it is left out`, field);
      return [];
    }
    if (problem !== undefined) notes.add('ambiguous', problem.message, field);
    return [text];
  });
}

/** What could not be read may have kept somebody out: then nobody gets an address without asking for it. */
export function cautious(spec: PoolSpecDraft, isDamaged: boolean, notes: Notes): PoolSpecDraft {
  if (!isDamaged || spec.autoAssign === false) return spec;
  const text = 'the Pool has autoAssign: false, because not all of the fields above could be read';
  notes.add('ambiguous', text);
  return { ...spec, autoAssign: false };
}
