// src/kube's reading side against a real API server: what the scripted one of test/api only pretends.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { createObject } from '../../src/kube/apply.ts';
import { isObject, objectAt, textAt } from '../../src/kube/json.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { NAMESPACES, SERVICES, type Resource } from '../../src/kube/resource.ts';
import type { ApiClient, Call, HttpApiClient } from '../../src/kube/transport.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { MemoryLog, until } from '../api/clocks.ts';
import { serviceAccount, startControlPlane, type ControlPlane } from './control-plane.ts';
import { clientOf, CONFIG_MAPS, GADGET_CRD, GADGETS, SECRETS } from './gadgets.ts';

const READER_RBAC = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules:
- {apiGroups: [""], resources: [configmaps], verbs: [list, watch]}
- {apiGroups: [""], resources: [secrets], verbs: [list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, name: vipvs-reader, namespace: vipvs}]
`;

interface Watching {
  readonly objects: ReadonlyMap<string, string>;
  readonly reflector: Reflector<string>;
  readonly changes: string[];
  stop(): Promise<void>;
}

suite('reading from a real API server', () => {
  let plane: ControlPlane;
  let admin: HttpApiClient;
  let reader: HttpApiClient;
  const watchings: Watching[] = [];
  const signal = new AbortController().signal;

  before(async () => {
    plane = await startControlPlane({ users: [serviceAccount('reader', 'vipvs', 'vipvs-reader')] });
    admin = await clientOf(plane, 'admin');
    reader = await clientOf(plane, 'reader');
    await plane.kubectl(['apply', '-f', '-'], { stdin: READER_RBAC });
  });
  after(async () => {
    // Whatever a failed test left running
    for (const watching of watchings) await watching.stop();
    await Promise.all([admin.close(), reader.close()]);
    await plane.stop();
  });

  /** Keeps the uids of a kind's objects in namespace `default` (or of the cluster). */
  function watch(client: ApiClient, resource: Resource): Watching {
    const changes: string[] = [];
    const objects = new Map<string, string>();
    const onUpsert = (key: string, uid: string): void => {
      objects.set(key, uid);
      changes.push(`+${key}`);
    };
    const stop = new AbortController();
    const reflector = new Reflector({
      client,
      resource,
      sink: {
        onSync: (listed) => {
          for (const [key, uid] of listed) onUpsert(key, uid);
        },
        onUpsert,
        onDelete: (key) => {
          objects.delete(key);
          changes.push(`-${key}`);
        },
      },
      clock: systemClock,
      log: new MemoryLog(),
      ...(resource.namespaced ? { namespace: 'default' } : {}),
      project: (raw) => textAt(objectAt(raw, 'metadata'), 'uid'),
      random: () => 0,
    });
    const running = reflector.run(stop.signal);
    const watching = {
      objects,
      reflector,
      changes,
      stop: async (): Promise<void> => {
        stop.abort();
        await running;
      },
    };
    watchings.push(watching);
    return watching;
  }

  async function configMap(name: string): Promise<void> {
    const body = { metadata: { namespace: 'default', name } };
    assert.equal((await createObject(admin, CONFIG_MAPS, body, signal)).outcome, 'created');
  }

  test('list, watch, and a delete that is followed by a successor', async () => {
    const maps = watch(admin, CONFIG_MAPS);
    await until('the first list', () => maps.reflector.state().synced);
    await configMap('one');
    await until('the object', () => maps.objects.get('default/one') !== undefined);
    const first = maps.objects.get('default/one');
    await plane.kubectl(['delete', 'configmap', 'one']);
    await configMap('one');
    await until(
      'its successor',
      () => ![undefined, first].includes(maps.objects.get('default/one')),
    );
    assert.deepEqual(
      maps.changes.filter((line) => line.endsWith('/one')),
      ['+default/one', '-default/one', '+default/one'],
    );
    assert.equal(maps.reflector.state().lists, 1);
    await maps.stop();
  });

  test('a list is complete, in one piece and in pages', async () => {
    const names = Array.from({ length: 600 }, (_, index) => `page-${index}`);
    await Promise.all(names.map((name) => configMap(name)));
    const calls: Call[] = [];
    const asked = (isSlow: boolean): ApiClient => ({
      call: (call) => {
        calls.push(call);
        const isWhole = call.query?.['limit'] === undefined;
        return admin.call(isSlow && isWhole ? { ...call, timeoutMs: 0 } : call);
      },
      stream: (stream) => admin.stream(stream),
    });
    for (const isSlow of [false, true]) {
      const maps = watch(asked(isSlow), CONFIG_MAPS);
      await until('the first list', () => maps.reflector.state().synced);
      const missing = names.filter((name) => maps.objects.get(`default/${name}`) === undefined);
      assert.deepEqual(missing, []);
      await maps.stop();
    }
    const limits = calls.map(({ query }) => query?.['limit']);
    assert.deepEqual(limits, [undefined, undefined, 500, 500]);
  });

  test('the API server is killed and comes back: nothing is lost, nothing deleted', async () => {
    await configMap('stays');
    const maps = watch(admin, CONFIG_MAPS);
    await until('the first list', () => maps.objects.get('default/stays') !== undefined);
    maps.changes.splice(0);
    await plane.apiserver.kill();
    await until('a problem', () => maps.reflector.state().problem !== undefined);
    await plane.apiserver.start();
    await configMap('after-restart');
    await until('the new object', () => maps.objects.get('default/after-restart') !== undefined);
    assert.deepEqual(maps.changes, ['+default/after-restart']);
    assert.equal(maps.reflector.state().problem, undefined);
    await maps.stop();
  });

  test('etcd is killed and comes back', async () => {
    const maps = watch(admin, CONFIG_MAPS);
    await until('the first list', () => maps.reflector.state().synced);
    await plane.etcd.kill();
    await plane.etcd.start();
    await until('writes work', () =>
      configMap('after-etcd').then(
        () => true,
        () => false,
      ),
    );
    await until('the new object', () => maps.objects.get('default/after-etcd') !== undefined);
    await maps.stop();
  });

  test('history compacted while away: 410, listed again, only differences reported', async () => {
    // Namespaces change rarely, so the reflector's place grows old while ConfigMaps move etcd on
    const namespaces = watch(admin, NAMESPACES);
    await until('the first list', () => namespaces.reflector.state().synced);
    namespaces.changes.splice(0);
    await plane.kubectl(['create', 'namespace', 'seen']);
    await until('the namespace', () => namespaces.objects.get('seen') !== undefined);
    for (let index = 0; index < 5; index += 1) await configMap(`moves-on-${index}`);
    await plane.compact();
    await plane.apiserver.kill();
    await plane.apiserver.start();
    await until('the second list', () => namespaces.reflector.state().lists === 2);
    assert.ok((namespaces.reflector.state().restarts.get('gone') ?? 0) >= 1);
    assert.deepEqual(namespaces.changes, ['+seen']);
    await namespaces.stop();
  });

  test('the token changes: the watch and the calls go on with the new one', async () => {
    const maps = watch(reader, CONFIG_MAPS);
    await until('the first list', () => maps.reflector.state().synced);
    await plane.rotateToken('reader');
    await plane.apiserver.kill();
    await plane.apiserver.start();
    await configMap('after-rotation');
    await until('the new object', () => maps.objects.get('default/after-rotation') !== undefined);
    await maps.stop();
  });

  const missingVerbs = [
    { resource: SERVICES, want: /^RBAC: the verb list on services is missing/ },
    { resource: SECRETS, want: /^RBAC: the verb watch on secrets is missing/ },
  ];
  for (const { resource, want } of missingVerbs) {
    test(`RBAC without one verb on ${resource.plural}: named`, async () => {
      const watching = watch(reader, resource);
      await until('a problem', () => watching.reflector.state().problem !== undefined);
      assert.match(watching.reflector.state().problem?.message ?? '', want);
      await watching.stop();
    });
  }

  test('a CRD that is installed later', async () => {
    const gadgets = watch(admin, GADGETS);
    await until('a problem', () => gadgets.reflector.state().problem !== undefined);
    const { problem } = gadgets.reflector.state();
    assert.match(problem?.message ?? '', /gadgets.test.vipvs.io: its CRD is not installed \(yet\)/);
    await plane.kubectl(['apply', '-f', '-'], { stdin: GADGET_CRD });
    await until('the first list', () => gadgets.reflector.state().synced);
    assert.equal(gadgets.reflector.state().problem, undefined);
    await gadgets.stop();
  });

  test('an answer of several megabytes comes whole', async () => {
    assert.ok(isObject(await admin.call({ method: 'GET', path: '/openapi/v2', signal })));
  });
});
