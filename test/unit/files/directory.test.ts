import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, symlink, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { objectKey, type ClusterObject } from '../../../src/api/cluster.ts';
import { DirectorySource, type SourceStatus } from '../../../src/files/directory.ts';
import { formatManifestProblem, type LoadedObject } from '../../../src/files/parse-document.ts';
import { until } from './until.ts';

function service(name: string, port = 80): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{port: ${port}}]}\n`;
}

interface Harness {
  readonly root: string;
  readonly source: DirectorySource;
  /** What the listener's changes add up to. */
  readonly objects: Map<string, ClusterObject>;
  readonly statuses: SourceStatus[];
  readonly put: (name: string, text: string) => Promise<void>;
  /** Waits until these are the Services (name:port). */
  readonly expect: (...services: string[]) => Promise<void>;
  readonly problems: () => readonly string[];
}

interface Ways {
  /** Relative to the directory of the files. */
  readonly roots?: readonly string[];
  /** Before the changes are taken. */
  readonly onChange?: () => void;
  readonly onError?: (error: unknown) => void;
}

async function watched(
  context: TestContext,
  files: Readonly<Record<string, string>>,
  kept: readonly LoadedObject[] = [],
  {
    roots = ['.'],
    onChange = () => undefined,
    onError = (error) => assert.fail(String(error)),
  }: Ways = {},
): Promise<Harness> {
  const parent = await mkdtemp(join(tmpdir(), 'vipvs-directory-'));
  const root = join(parent, 'manifests');
  await mkdir(root);
  for (const [name, text] of Object.entries(files)) await writeFile(join(root, name), text);
  const objects = new Map<string, ClusterObject>();
  const statuses: SourceStatus[] = [];
  const source = new DirectorySource(
    roots.map((path) => join(root, path)),
    {
      onChange: (changes) => {
        onChange();
        for (const { kind, key, loaded } of changes) {
          if (loaded === undefined) objects.delete(`${kind} ${key}`);
          else objects.set(objectKey(loaded.object), loaded.object);
        }
      },
      onStatus: (status) => statuses.push(status),
      onError,
    },
    {
      timer: (delayMs, callback) => {
        const timer = setTimeout(callback, delayMs);
        return () => clearTimeout(timer);
      },
      wallMs: () => Date.now(),
    },
  );
  context.after(async () => {
    await source.close();
    await rm(parent, { recursive: true, force: true });
  });
  source.start(kept.map((each) => ({ ...each, file: join(root, each.file) })));
  await until('the first look is done', () => source.status.isSynced);
  const shown = (): string[] =>
    [...objects.values()]
      .flatMap((object) =>
        object.kind === 'Service'
          ? [`${object.metadata.name}:${object.spec.ports?.[0]?.port}`]
          : [],
      )
      .sort();
  return {
    root,
    source,
    objects,
    statuses,
    put: (name, text) => writeFile(join(root, name), text),
    expect: (...services) =>
      until(
        () => `Services ${services.join(' ')}, not ${shown().join(' ')}`,
        () => shown().join(' ') === services.join(' '),
      ),
    problems: () =>
      source.problems().map((problem) => formatManifestProblem(problem).replace(`${root}/`, '')),
  };
}

test('new, changed, renamed and deleted files are picked up', async (context) => {
  const { root, put, expect } = await watched(context, { 'a.yaml': service('a') });
  await expect('a:80');
  await put('b.yaml', service('b'));
  await expect('a:80', 'b:80');
  await put('a.yaml', service('a', 81));
  await expect('a:81', 'b:80');
  await writeFile(join(root, '.a.yaml.tmp'), service('a', 82));
  await rename(join(root, '.a.yaml.tmp'), join(root, 'a.yaml')); // as editors save
  await expect('a:82', 'b:80');
  await rename(join(root, 'b.yaml'), join(root, 'c.yaml'));
  await put('c.yaml', service('b', 83));
  await expect('a:82', 'b:83');
  await unlink(join(root, 'c.yaml'));
  await expect('a:82');
});

test('sub-directories come, change and go', async (context) => {
  const { root, put, expect } = await watched(context, {});
  await mkdir(join(root, 'sub/deep'), { recursive: true });
  await put('sub/deep/a.yaml', service('a'));
  await expect('a:80');
  await put('sub/deep/a.yaml', service('a', 81));
  await expect('a:81');
  await rm(join(root, 'sub'), { recursive: true });
  await expect();
});

test('a ConfigMap mount is followed when its ..data link is swapped', async (context) => {
  const { root, put, expect } = await watched(context, {});
  await mkdir(join(root, '..v1'));
  await put('..v1/a.yaml', service('a'));
  await symlink('..v1', join(root, '..data'));
  await symlink('..data/a.yaml', join(root, 'a.yaml'));
  await expect('a:80');
  await mkdir(join(root, '..v2'));
  await put('..v2/a.yaml', service('a', 81));
  await symlink('..v2', join(root, '..data_tmp'));
  await rename(join(root, '..data_tmp'), join(root, '..data'));
  await expect('a:81');
});

test('what a malformed file held stays, and the file and line are told', async (context) => {
  const { put, expect, problems, source } = await watched(context, {
    'a.yaml': `${service('a')}---\n${service('b')}`,
  });
  await expect('a:80', 'b:80');
  await put('a.yaml', `${service('a', 81)}---\n  kind: [\n`);
  await expect('a:81', 'b:80');
  assert.match(problems()[0] ?? '', /^a\.yaml:\d+:\d+: /);
  assert.equal(source.index.keptObjects().length, 2);
  await put('a.yaml', service('a', 81));
  await expect('a:81');
  await until('no problem is left', () => problems().length === 0);
  assert.deepEqual(source.index.keptObjects(), []);
});

test('an invalid object keeps its last good version', async (context) => {
  const { put, expect, problems } = await watched(context, { 'a.yaml': service('a') });
  await put('a.yaml', service('a', 0));
  await until('the problem is told', () => problems().length === 1);
  await expect('a:80');
});

test('what a malformed file held in an earlier run stays, too', async (context) => {
  const kept: LoadedObject = {
    object: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'a' },
      spec: { ports: [{ port: 80, protocol: 'TCP' }] },
    },
    file: 'a.yaml',
    line: 1,
  };
  const { expect, put } = await watched(context, { 'a.yaml': 'kind: [\n' }, [kept]);
  await expect('a:80');
  await put('a.yaml', service('a', 81));
  await expect('a:81');
  const gone = await watched(context, {}, [kept]);
  await gone.expect();
});

test('an object in two files comes from the first, and from the other when that goes', async (context) => {
  const { root, expect, problems } = await watched(context, {
    'a.yaml': service('a', 81),
    'b.yaml': service('a', 82),
  });
  await expect('a:81');
  assert.deepEqual(problems(), [
    `b.yaml:1:1: Service default/a: is also in ${root}/a.yaml:1, which is used; remove one of them`,
  ]);
  await unlink(join(root, 'a.yaml'));
  await expect('a:82');
  assert.deepEqual(problems(), []);
});

test('a directory that vanishes deletes nothing, and is picked up when it is back', async (context) => {
  const { root, source, expect, put, statuses } = await watched(context, {
    'a.yaml': service('a'),
  });
  await rename(root, `${root}.away`);
  await until('it is said to be away', () => !source.status.isSynced);
  assert.match(
    source.status.failure ?? '',
    /manifests: cannot be read: no such file or directory$/,
  );
  await expect('a:80');
  await rename(`${root}.away`, root);
  await until('it is back', () => source.status.isSynced);
  await put('b.yaml', service('b'));
  await expect('a:80', 'b:80');
  assert.deepEqual(statuses.map(({ isSynced }) => isSynced).slice(0, 3), [true, false, true]);
});

test('a directory replaced by another one is watched anew', async (context) => {
  const { root, expect, put } = await watched(context, { 'a.yaml': service('a') });
  await mkdir(`${root}.new`);
  await writeFile(join(`${root}.new`, 'b.yaml'), service('b'));
  await rename(root, `${root}.old`);
  await rename(`${root}.new`, root);
  await expect('b:80');
  await put('b.yaml', service('b', 81));
  await expect('b:81');
});

test('a file that was just emptied is about to be written: its objects stay for a moment', async (context) => {
  const { root, put, expect, source } = await watched(context, {
    'a.yaml': service('a'),
    'b.yaml': service('b'),
  });
  await put('a.yaml', '');
  await put('b.yaml', service('b', 81)); // a look that sees both
  await expect('a:80', 'b:81');
  assert.equal(source.index.holdsObjects(join(root, 'a.yaml')), true);
  await utimes(join(root, 'a.yaml'), 0, 0); // emptied long ago: it is meant
  await expect('b:81');
});

test('a file that became a pipe is told and not waited for; its objects stay', async (context) => {
  const { root, source, expect } = await watched(context, { 'a.yaml': service('a') }, [], {
    roots: ['a.yaml'],
  });
  await expect('a:80');
  await unlink(join(root, 'a.yaml'));
  execFileSync('mkfifo', [join(root, 'a.yaml')]);
  await until('it is told', () => /is a pipe, a socket/.test(source.status.failure ?? ''));
  await expect('a:80');
});

test('links in a circle end', async (context) => {
  const { root, put, expect } = await watched(context, {});
  await symlink('.', join(root, 'circle'));
  await put('a.yaml', service('a'));
  await expect('a:80');
});

test('what one file does to its reader is its own fault: others come and go, and it is told', async (context) => {
  const circular = service('bad').replace('{name: bad}', '&m {name: bad, labels: *m}');
  const nested = '{"kind":"List","items":['.repeat(3000) + ']}'.repeat(3000);
  const { root, put, expect, problems } = await watched(context, {
    'a.yaml': service('a'),
    'b.yaml': circular,
    'c.json': nested,
    'd.yaml': service('d'),
  });
  await expect('a:80', 'd:80');
  await put('a.yaml', service('a', 81));
  await expect('a:81', 'd:80');
  assert.deepEqual(problems(), [
    'b.yaml:3:34: *m contains itself',
    'c.json:1:2401: nested more than 200 deep',
  ]);
  await unlink(join(root, 'b.yaml'));
  await unlink(join(root, 'c.json'));
  await until('nothing is wrong', () => problems().length === 0);
  await expect('a:81', 'd:80');
});

test('changes that the listener fails on come again', async (context) => {
  let failures = 0;
  const errors: unknown[] = [];
  const { put, expect } = await watched(context, { 'a.yaml': service('a') }, [], {
    onChange: () => {
      if (failures++ < 2) throw new Error('busy');
    },
    onError: (error) => errors.push(error),
  });
  await expect('a:80');
  await put('b.yaml', service('b'));
  await expect('a:80', 'b:80');
  assert.deepEqual(errors.map(String), ['Error: busy', 'Error: busy']);
});

test('a document that is no manifest is told and drops nothing that the file held', async (context) => {
  const { put, expect, problems } = await watched(context, { 'a.yaml': service('a') });
  await put('a.yaml', 'services: {web: {}}\n');
  await until('it is told', () => problems().length === 1);
  assert.deepEqual(problems(), ['a.yaml:1:1: no apiVersion and kind']);
  await expect('a:80');
});

test('fields without effect are told while the object is used', async (context) => {
  const text = service('a').replace('spec: {', 'spec: {sesionAffinity: None, ');
  const { source, put, expect } = await watched(context, { 'a.yaml': text });
  await expect('a:80');
  assert.match(source.remarks()[0]?.message ?? '', /did you mean sessionAffinity/);
  await put('a.yaml', service('a', 81));
  await expect('a:81');
  assert.deepEqual(source.remarks(), []);
});

test('single files are watched, however they are named; others beside them are not read', async (context) => {
  const files = { 'a.conf': service('a'), 'b.yaml': service('b'), 'c.yaml': service('c') };
  const { root, put, expect, source } = await watched(context, files, [], {
    roots: ['a.conf', 'b.yaml', 'b.yaml'],
  });
  await expect('a:80', 'b:80');
  await put('c.yaml', service('c', 81));
  await put('a.conf', service('a', 81));
  await expect('a:81', 'b:80');
  await writeFile(join(root, '.b.tmp'), service('b', 81));
  await rename(join(root, '.b.tmp'), join(root, 'b.yaml'));
  await expect('a:81', 'b:81');
  await unlink(join(root, 'b.yaml'));
  await until('it is said to be away', () => !source.status.isSynced);
  assert.match(source.status.failure ?? '', /b\.yaml: cannot be read: no such file/);
  await expect('a:81', 'b:81');
  await put('b.yaml', service('b', 82));
  await expect('a:81', 'b:82');
});
