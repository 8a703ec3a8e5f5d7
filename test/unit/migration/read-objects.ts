// YAML of a test -> source objects, and what the migration makes of them in the few lines that a test compares.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { parseYamlText } from '../../../src/files/raw-objects.ts';
import { migrate, type Migration } from '../../../src/migration/convert.ts';
import { isObject, type JsonObject } from '../../../src/migration/json.ts';
import { gather, type Gathered } from '../../../src/migration/input.ts';

export function rawObjects(text: string): readonly JsonObject[] {
  const values: readonly unknown[] = parseAllDocuments(text).map(
    (document) => document.toJS() as unknown,
  );
  return values.filter(isObject);
}

/** The text as one file; the lines are the numbers of the documents. */
export function gatherText(text: string, file = 't'): Gathered {
  const documents = rawObjects(text).map((raw, i) => ({ raw, file, line: i + 1 }));
  return gather(
    { documents, broken: [], templates: [], cluster: undefined, problems: [] },
    parseYamlText,
  );
}

export function migrateText(text: string): Migration {
  return migrate(gatherText(text), parseYamlText);
}

/** The specs of the Pools, by name. */
export function specsOf({ pools }: Migration): Readonly<Record<string, unknown>> {
  return Object.fromEntries(pools.map(({ metadata, spec }) => [metadata.name, spec]));
}

/** `no-equivalent IPAddressPool x: field: message`; only those that tell more than a name. */
export function notesOf({ notes }: Migration): readonly string[] {
  return notes
    .filter(({ kind }) => kind !== 'converted')
    .map(
      ({ kind, object, field, message }) =>
        `${kind} ${object}: ${field === undefined ? '' : `${field}: `}${message}`,
    );
}

/** What a Pool takes, at the end of a message about an entry. */
export const ALLOWED =
  'allowed: an address, a CIDR (192.0.2.0/24) or a range (192.0.2.10-192.0.2.20)';
export const VARIABLE =
  'it looks like a variable that nothing has replaced (flux envsubst, kustomize, Helm): render it first';

/** A Service as the API server shows it. */
export function serviceText(
  key: string,
  { ips = [], annotations = {}, spec = {} }: ServiceShape = {},
): string {
  const [namespace = '', name = ''] = key.split('/');
  const object = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, annotations },
    spec: { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP' }], ...spec },
    status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
  };
  return `---\n${JSON.stringify(object)}\n`;
}

export interface ServiceShape {
  readonly ips?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
}

export interface SourceCase {
  readonly name: string;
  readonly given: string;
  readonly pools: Readonly<Record<string, unknown>>;
  readonly notes?: readonly string[];
}

/** One test for each case: the Pools that are made of it, and all notes. */
export function testCases(system: string, cases: readonly SourceCase[]): void {
  for (const { name, given, pools, notes = [] } of cases) {
    test(`${system}: ${name}`, () => {
      const migration = migrateText(given);
      assert.deepEqual(specsOf(migration), pools);
      assert.deepEqual(notesOf(migration), notes);
    });
  }
}

export function configMap(
  data: Readonly<Record<string, unknown>>,
  name = 'kubevip',
  extra = '',
): string {
  return `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: n${extra}}\ndata: ${JSON.stringify(data)}\n`;
}

export function objectText(
  apiVersion: string,
  kind: string,
  name: string,
  spec: unknown,
  rest = '',
): string {
  return `---\napiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${name}${rest}}\nspec: ${JSON.stringify(spec)}\n`;
}

/** A pool of MetalLB and the advertisement that it needs. */
export function announcedPool(name: string, spec: unknown, namespace = 'm'): string {
  return `---\napiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: ${JSON.stringify(spec)}\n---\napiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: {ipAddressPools: [${name}]}\n`;
}
