// What a migration tells the user: as text, and as data for programs. Pure.
import { cutText } from '../api/bounded-text.ts';
import { printable } from '../net/address.ts';
import { visibleJson } from '../net/json-escapes.ts';
import type { Migration } from './convert.ts';
import type { FinalizerPatch } from './finalizers.ts';
import type { Note, NoteKind } from './model.ts';
import type { ServicePatch } from './patches.ts';
import type { Verification } from './verify.ts';

export interface Report {
  readonly migration: Migration;
  readonly verification: Verification;
}

const TITLES: Readonly<Record<NoteKind, string>> = {
  error: 'Not converted',
  'no-equivalent': 'Without equivalent',
  ambiguous: 'Ambiguous: check these',
  converted: 'Converted',
};

export function formatReport({ migration, verification }: Report): string {
  const { pools, ips, services, notes, patches, finalizers, found, ignored } = migration;
  const systems = [...found].flatMap(([system, count]) =>
    count === 0 ? [] : [`${system} (${counted(count, 'object')})`],
  );
  const head = `Read: ${systems.length === 0 ? 'no object of another load balancer' : systems.join(', ')}, ${counted(services.length, 'Service')}. Made: ${counted(pools.length, 'Pool')}, ${counted(ips.length, 'IP')}.\n`;
  const aside = [...ignored].map(
    ([what, count]) => `${printable(cutText(what, NAME_BYTES_MAX))} (${count})`,
  );
  const sections = (['error', 'no-equivalent', 'ambiguous', 'converted'] as const).map((kind) => {
    const mine = notes.filter((note) => note.kind === kind);
    return section(TITLES[kind], mine.map(formatNote));
  });
  const required = patches.filter(({ need }) => need === 'required');
  const safety = patches.filter(({ need }) => need === 'safety');
  return [
    head,
    aside.length === 0 ? '' : `Left aside, of no use here: ${aside.join(', ')}\n`,
    ...sections,
    section(
      'Services to change, after the old controller has stopped and before the assigner starts',
      required.flatMap(formatPatch),
    ),
    section(
      'Services to change, too, if the old controller clears status.loadBalancer when it stops',
      safety.flatMap(formatPatch),
    ),
    section(
      'Finalizers to take off once the old load balancer is uninstalled, or these Services can never be deleted',
      finalizers.flatMap(formatFinalizers),
    ),
    formatVerification(verification),
  ]
    .filter((text) => text !== '')
    .join('\n');
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0
    ? ''
    : `${title}:\n${lines.map((line) => `  ${printable(line)}\n`).join('')}`;
}

/** A name that Kubernetes allows has 253 bytes; one of a file may have any number, and so may a field and a value. */
const NAME_BYTES_MAX = 600;
const MESSAGE_BYTES_MAX = 8192;

/** `file:line: object: field: message` */
function formatNote(note: Note): string {
  const where = note.where === undefined ? '' : `${note.where}: `;
  const field = note.field === undefined ? '' : `${cutText(note.field, NAME_BYTES_MAX)}: `;
  const object = cutText(note.object, NAME_BYTES_MAX);
  return `${where}${object}: ${field}${cutText(note.message, MESSAGE_BYTES_MAX)}`;
}

/** A comment and the command. */
function formatPatch(patch: ServicePatch): readonly string[] {
  const { namespace, name } = patch.service;
  return [
    `# ${namespace}/${name}: ${patch.why.join('; ')}`,
    `kubectl patch service -n ${namespace} ${name} --type merge -p ${shellJson(patch.body)}`,
  ];
}

function formatFinalizers({ service, finalizers, patch }: FinalizerPatch): readonly string[] {
  const { namespace, name } = service;
  return [
    `# ${namespace}/${name}: ${finalizers.join(', ')}`,
    `kubectl patch service -n ${namespace} ${name} --type json -p ${shellJson(patch)}`,
  ];
}

function shellJson(value: object): string {
  return `'${visibleJson(JSON.stringify(value)).replaceAll("'", `'\\''`)}'`;
}

function formatVerification({ kept, lost, services, unknown }: Verification): string {
  const rest =
    unknown === 0
      ? ''
      : `; what ${counted(unknown, 'more Service')} ${unknown === 1 ? 'has' : 'have'} is not known`;
  const count = `${kept} of ${kept + lost.length} addresses in use stay the same (${counted(services, 'Service')})${rest}`;
  if (lost.length === 0) return `Verified by simulation, after the changes above: ${count}.\n`;
  const lines = lost.map(
    ({ service, address, why }) => `  Service ${service} loses ${address}: ${printable(why)}\n`,
  );
  return `Verified by simulation, after the changes above: ${count}, and these do not:\n${lines.join('')}`;
}

/** The same for programs. */
export function reportData({ migration, verification }: Report): object {
  const { pools, ips, services, notes, patches, finalizers, found, ignored } = migration;
  return {
    found: Object.fromEntries([...found].filter(([, count]) => count > 0)),
    ignored: Object.fromEntries(ignored),
    services: services.length,
    pools: pools.length,
    ips: ips.length,
    notes,
    patches: patches.map(({ service, need, why, body }) => ({ service, need, why, patch: body })),
    finalizers,
    verification,
  };
}
