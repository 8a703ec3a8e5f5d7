// YAML of a test -> source objects, and what the migration makes of them in the few lines that a test compares.
import { parseAllDocuments } from 'yaml';
import { parseYamlText } from '../../../src/files/raw-objects.ts';
import { migrate, type Migration } from '../../../src/migration/convert.ts';
import { isObject, type JsonObject } from '../../../src/migration/fields.ts';
import type { SourceObject } from '../../../src/migration/model.ts';
import { sourceObject } from '../../../src/migration/source-objects.ts';

export function rawObjects(text: string): readonly JsonObject[] {
  return parseAllDocuments(text)
    .map((document): unknown => document.toJS())
    .filter(isObject);
}

export function objectsOf(text: string): readonly SourceObject[] {
  return rawObjects(text).flatMap((raw, i) => sourceObject(raw, `t:${i + 1}`) ?? []);
}

export function migrateText(text: string): Migration {
  return migrate(objectsOf(text), parseYamlText);
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
