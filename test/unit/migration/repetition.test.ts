// One object in several documents of a repository.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { parseYamlText } from '../../../src/files/raw-objects.ts';
import { migrate } from '../../../src/migration/convert.ts';
import { gatherText } from './read-objects.ts';
import { manifest, migrateFiles, REPOSITORY_POOL, reservedIn, told } from './repository.ts';

suite('an object in several documents', () => {
  const GIVEN = (places: string): string =>
    `is given 2 times, as by a kustomize patch or an overlay (${places}): they are read as one, which may not be what is applied; render them (kustomize build) and give that`;
  const irc = (rest: string, spec: string): string =>
    manifest(`name: irc, namespace: chat${rest}`, spec);
  const BASE = irc('', 'type: ClusterIP, ports: [{port: 6697}]');
  const PATCH = irc(
    ', annotations: {metallb.io/loadBalancerIPs: 192.0.2.20}',
    'type: LoadBalancer',
  );

  for (const { name, text } of [
    { name: 'base, then patch', text: REPOSITORY_POOL + BASE + PATCH },
    { name: 'patch, then base', text: REPOSITORY_POOL + PATCH + BASE },
  ]) {
    test(`${name}: what the patch asks for is kept, and told`, () => {
      const migration = migrate(gatherText(text), parseYamlText);
      assert.deepEqual(reservedIn(migration), ['192.0.2.20 chat/irc']);
      const places = name.startsWith('base')
        ? 't:3; t:4 names 192.0.2.20'
        : 't:3 names 192.0.2.20; t:4';
      assert.deepEqual(told(migration), [`error Service chat/irc: ${GIVEN(places)}`]);
      assert.equal(migration.services.length, 1);
      assert.deepEqual(migration.services[0]?.service.spec.ports?.[0]?.port, 6697);
    });
  }

  test('overlays with different addresses: the others are kept out of use; a status is kept', () => {
    const other = irc(
      ', annotations: {metallb.io/loadBalancerIPs: 192.0.2.21}',
      'type: null, ports: [{port: 1}]',
    );
    const shown = `${BASE}status: {loadBalancer: {ingress: [{ip: 192.0.2.22}]}}\n`;
    const migration = migrate(gatherText(REPOSITORY_POOL + PATCH + other + shown), parseYamlText);
    assert.deepEqual(reservedIn(migration), ['192.0.2.21 - retain', '192.0.2.22 chat/irc']);
    assert.deepEqual(told(migration), [
      'error Service chat/irc: does not get 192.0.2.21 of t:4: kept out of use',
      'error Service chat/irc: is given 3 times, as by a kustomize patch or an overlay (t:3 names 192.0.2.20; t:4 names 192.0.2.21; t:5 names 192.0.2.22): they are read as one, which may not be what is applied; render them (kustomize build) and give that',
    ]);
  });

  test('a pool and its patch; keys of the patch count, and null takes one away', () => {
    const patch =
      'apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: p, namespace: m}\nspec: {autoAssign: false, avoidBuggyIPs: null}\n';
    const migration = migrateFiles({
      'a.yaml': patch,
      'b.yaml': REPOSITORY_POOL.replace('"addresses"', '"avoidBuggyIPs":true,"addresses"'),
    });
    assert.deepEqual(migration.pools[0]?.spec, { addresses: ['192.0.2.0/24'], autoAssign: false });
    assert.deepEqual(told(migration), [`error IPAddressPool m/p: ${GIVEN('a.yaml:1; b.yaml:1')}`]);
  });

  test('the same once more, kinds that are not read, and Services without an address: not a word', () => {
    const unread = 'apiVersion: x/v1\nkind: OCIRepository\nmetadata: {name: _}\nspec: {url: ';
    const ns = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {x: ';
    const migration = migrateFiles({
      'a.yaml': `${REPOSITORY_POOL}${BASE}---\n${unread}a}\n---\n${unread}b}\n---\n${ns}a}}\n---\n${ns}b}}\n`,
      'b.yaml': REPOSITORY_POOL + irc('', 'type: ClusterIP, ports: [{port: 6698}]'),
    });
    assert.deepEqual(told(migration), []);
    assert.deepEqual([...migration.ignored], [['x/v1 OCIRepository', 2]]);
    assert.equal(migration.services.length, 1);
  });

  test('deeper than anybody writes: replaced, not followed for ever', () => {
    const deep = (leaf: string): string => '{a: '.repeat(150) + leaf + '}'.repeat(150);
    const text = (leaf: string): string =>
      `---\napiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: d, namespace: m, annotations: ${deep(leaf)}}\nspec: {addresses: [192.0.2.1]}\n`;
    assert.equal(migrate(gatherText(text('1') + text('2')), parseYamlText).pools.length, 1);
  });
});
