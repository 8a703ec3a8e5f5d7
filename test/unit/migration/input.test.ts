// What is gathered from files and from the cluster.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { parseYamlText } from '../../../src/files/raw-objects.ts';
import { gather } from '../../../src/migration/input.ts';
import { gatherText, rawObjects } from './read-objects.ts';
import { manifest, migrateFiles, REPOSITORY_POOL, reservedIn, told } from './repository.ts';

suite('files and the cluster', () => {
  const live = rawObjects(
    `${manifest('name: web, namespace: a')}status: {loadBalancer: {ingress: [{ip: 192.0.2.7}]}}\n${manifest('name: wait, namespace: a')}${REPOSITORY_POOL}`,
  );

  test('a file goes before the cluster, which knows what the Service has', () => {
    const migration = migrateFiles(
      {
        'a.yaml':
          manifest('name: web, namespace: a, labels: {from: file}') +
          manifest('name: git, namespace: a'),
      },
      { cluster: [...live, ...live] },
    );
    assert.deepEqual(reservedIn(migration), ['192.0.2.7 a/web']);
    assert.equal(
      migration.services.find(({ key }) => key === 'a/web')?.service.metadata.labels?.['from'],
      'file',
    );
    // nor is anything unknown of one that the cluster does not have, or has without an address
    assert.deepEqual(told(migration), []);
  });

  test('what a file shows itself stays; what the API server did not give is told', () => {
    const migration = migrateFiles(
      {
        'a.yaml': `${manifest('name: web, namespace: a')}status: {loadBalancer: {ingress: [{ip: 192.0.2.8}]}}\n`,
      },
      { cluster: live, problems: ['GET /x: 403'] },
    );
    assert.deepEqual(reservedIn(migration), ['192.0.2.8 a/web']);
    assert.deepEqual(told(migration), ['error API server: GET /x: 403']);
  });

  test('what the cluster gives that is no object', () => {
    assert.deepEqual(
      gather(
        { documents: [], broken: [], templates: [], cluster: [{}], problems: [] },
        parseYamlText,
      ).objects,
      [],
    );
  });
});

suite('objects without a usable name', () => {
  const CASES = [
    {
      name: 'a pool',
      given:
        'apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: {"{ .Values.name }": null}}\n',
      object: 'IPAddressPool',
    },
    {
      name: 'a Service with an address',
      given: manifest('name: 5', 'loadBalancerIP: 192.0.2.1'),
      object: 'Service',
    },
    {
      name: 'a pool without metadata',
      given: 'apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\n',
      object: 'IPAddressPool',
    },
    {
      name: 'a Service of no interest',
      given: manifest('name: 5', 'type: ClusterIP'),
      object: undefined,
    },
    {
      name: 'a Namespace',
      given: 'apiVersion: v1\nkind: Namespace\nmetadata: {}\n',
      object: undefined,
    },
    {
      name: 'a kind that is not read',
      given: 'apiVersion: v1\nkind: Pod\nmetadata: {generateName: x}\n',
      object: undefined,
    },
  ];
  for (const { name, given, object } of CASES) {
    test(name, () => {
      const { notes, skipped } = gatherText(given);
      assert.deepEqual(
        notes.map((note) => note.object),
        object === undefined ? [] : [object],
      );
      assert.equal(
        [...skipped.values()].reduce((sum, each) => sum + each, 0),
        object === undefined ? 1 : 0,
      );
    });
  }
});
