// Files of a repository -> what the import gathers from them, in the few lines that a test compares.
import { parseYamlText } from '../../../src/files/raw-objects.ts';
import { migrate, type Migration } from '../../../src/migration/convert.ts';
import { gather, type Gathered, type Input } from '../../../src/migration/input.ts';
import { announcedPool, notesOf, rawObjects } from './read-objects.ts';

/** Path -> text. */
export type Files = Readonly<Record<string, string>>;

/** The lines are the numbers of the documents. */
export function gatherFiles(files: Files, rest: Partial<Input> = {}): Gathered {
  const documents = Object.entries(files).flatMap(([file, text]) =>
    rawObjects(text).map((raw, i) => ({ raw, file, line: i + 1 })),
  );
  return gather(
    { documents, broken: [], templates: [], cluster: undefined, problems: [], ...rest },
    parseYamlText,
  );
}

export function migrateFiles(files: Files, rest: Partial<Input> = {}): Migration {
  return migrate(gatherFiles(files, rest), parseYamlText);
}

/** `address namespace/service` or `address - retain` */
export function reservedIn({ ips }: Migration): readonly string[] {
  return ips.map(({ spec: { address, reservedFor, retain } }) => {
    const { namespace = '', service = '' } = reservedFor ?? {};
    const whose = reservedFor === undefined ? '-' : `${namespace}/${service}`;
    return `${address} ${whose}${retain === true ? ' retain' : ''}`;
  });
}

/** The notes without those about all Services and all charts. */
export function told(migration: Migration): readonly string[] {
  return notesOf(migration).filter((note) => !/^ambiguous (Services|charts):/.test(note));
}

export const REPOSITORY_POOL = announcedPool('p', { addresses: ['192.0.2.0/24'] });

export function manifest(metadata: string, spec = 'type: LoadBalancer'): string {
  return `---\napiVersion: v1\nkind: Service\nmetadata: {${metadata}}\nspec: {${spec}}\n`;
}

export function kustomization(fields: string): string {
  return `apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n${fields}\n`;
}
