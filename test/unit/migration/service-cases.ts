// One test for each case: who has which address, what must change on which Service, and all notes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Migration } from '../../../src/migration/convert.ts';
import { announcedPool, migrateText, notesOf } from './read-objects.ts';

/** A Pool for all that the cases need. */
export const POOL = announcedPool('p', { addresses: ['192.0.2.0/24', '2001:db8::/64'] });

export interface ServiceCase {
  readonly name: string;
  readonly given: string;
  /** `address pool namespace/service retain` */
  readonly ips: readonly string[];
  /** `need namespace/name {...}` */
  readonly patches: readonly string[];
  /** Without the one about the default class. */
  readonly notes?: readonly string[];
}

function ipsOf({ ips }: Migration): readonly string[] {
  return ips.map(({ spec }) => {
    const { namespace = '-', service = '*' } = spec.reservedFor ?? {};
    const whose = spec.reservedFor === undefined ? '-' : `${namespace}/${service}`;
    return `${spec.address} ${spec.poolName} ${whose}${spec.retain === true ? ' retain' : ''}`;
  });
}

function patchesOf({ patches }: Migration): readonly string[] {
  return patches.map(
    ({ service, need, body }) =>
      `${need} ${service.namespace}/${service.name} ${JSON.stringify(body)}`,
  );
}

export function annotations(values: Readonly<Record<string, string>>): string {
  return JSON.stringify({ metadata: { annotations: values } });
}

export function serviceCases(cases: readonly ServiceCase[]): void {
  for (const { name, given, ips, patches, notes = [] } of cases) {
    test(name, () => {
      const migration = migrateText(given);
      assert.deepEqual(ipsOf(migration), ips);
      assert.deepEqual(patchesOf(migration), patches);
      const told = notesOf(migration).filter((note) => !note.startsWith('ambiguous Services:'));
      assert.deepEqual(told, notes);
    });
  }
}
