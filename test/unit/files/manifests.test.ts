import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { keyOf } from '../../../src/api/cluster.ts';
import { DocumentSplitter, splitDocuments } from '../../../src/files/documents.ts';
import { isManifestName } from '../../../src/files/listing.ts';
import { loadManifests, parseManifestText } from '../../../src/files/manifests.ts';
import { formatManifestProblem } from '../../../src/files/parse-document.ts';

const NAMESPACE = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n';

function namespaceText(name: string): string {
  return `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${name}\n`;
}

/** Writes files into a new directory; a value `-> x` is a link to x. */
async function tree(
  context: TestContext,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'vipvs-manifests-'));
  context.after(() => rm(root, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    const path = join(root, name);
    await mkdir(dirname(path), { recursive: true });
    if (text.startsWith('-> ')) await symlink(text.slice(3), path);
    else await writeFile(path, text);
  }
  return root;
}

const noStdin = () => Promise.reject(new Error('nobody asked for stdin'));

test('a text is cut into its documents, each with its line', () => {
  const cases = [
    { name: 'one', given: 'a: 1\n', want: [['a: 1\n', 1]] },
    { name: 'two', given: 'a: 1\n---\nb: 2\n', want: [['a: 1\n', 1], ['---\nb: 2\n', 2]] },
    { name: 'no end of line', given: '---\na: 1', want: [['---\na: 1\n', 1]] },
    { name: 'empty ones', given: '---\n---\n# only words\n---\n\na: 1\n', want: [['---\n\na: 1\n', 4]] },
    { name: 'content beside the marker', given: '--- {a: 1}\n--- b\n', want: [['--- {a: 1}\n', 1], ['--- b\n', 2]] },
    { name: 'end marker', given: 'a: 1\n...\nb: 2\n', want: [['a: 1\n', 1], ['b: 2\n', 3]] },
    { name: 'directive', given: '%YAML 1.2\n---\na: 1\n', want: [['%YAML 1.2\n---\na: 1\n', 1]] },
    { name: 'directive later', given: 'a: 1\n...\n%YAML 1.2\n# x\n---\nb: 1\n', want: [['a: 1\n', 1], ['%YAML 1.2\n# x\n---\nb: 1\n', 3]] },
    { name: 'dashes elsewhere', given: 'a: |\n  ---\n  x\nb: ----\n----: 1\n', want: [['a: |\n  ---\n  x\nb: ----\n----: 1\n', 1]] },
    { name: 'carriage returns', given: 'a: 1\r\n---\r\nb: 2\r\n', want: [['a: 1\r\n', 1], ['---\r\nb: 2\r\n', 2]] },
    { name: 'nothing', given: '\n# x\n', want: [] },
  ]; // prettier-ignore
  for (const { name, given, want } of cases) {
    assert.deepEqual(
      splitDocuments(given).map(({ text, line }) => [text, line]),
      want,
      name,
    );
  }
});

test('the cuts are the same however the chunks fall', () => {
  const text = '%YAML 1.2\n---\na: 1\n...\n---\nb: |\n  --- x\n---\n# c\n---\nd: 4';
  const whole = splitDocuments(text);
  for (let size = 1; size < text.length; size++) {
    const splitter = new DocumentSplitter();
    const documents = [];
    for (let i = 0; i < text.length; i += size)
      documents.push(...splitter.push(text.slice(i, i + size)));
    documents.push(...splitter.end());
    assert.deepEqual(documents, whole, `chunks of ${size}`);
  }
});

test('objects, lists, JSON and foreign kinds are told apart', () => {
  const cases = [
    { name: 'yaml', given: NAMESPACE, want: ['Namespace a'] },
    { name: 'json', given: '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a"}}', want: ['Namespace a'] },
    { name: 'flow yaml', given: '{apiVersion: v1, kind: Namespace, metadata: {name: a}}', want: ['Namespace a'] },
    {
      name: 'list',
      given: `apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n- {apiVersion: apps/v1, kind: Deployment}\n`,
      want: ['Namespace a', 'ignored apps/v1 Deployment'],
    },
    {
      name: 'list of the API',
      given: '{"apiVersion":"v1","kind":"NamespaceList","items":[{"metadata":{"name":"a"}},{"metadata":{"name":"b"}}]}',
      want: ['Namespace a', 'Namespace b'],
    },
    { name: 'list in a list', given: `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"NamespaceList","items":[{"metadata":{"name":"a"}}]}]}`, want: ['Namespace a'] },
    { name: 'foreign', given: 'apiVersion: apps/v1\nkind: Deployment\n', want: ['ignored apps/v1 Deployment'] },
    { name: 'null', given: '---\nnull\n', want: [] },
    { name: 'anchors and merges', given: 'x: &x {name: a}\napiVersion: v1\nkind: Namespace\nmetadata:\n  <<: *x\n', want: ['Namespace a'] },
  ]; // prettier-ignore
  for (const { name, given, want } of cases) {
    const { loaded, ignored, problems } = parseManifestText('f.yaml', given);
    const got = [
      ...loaded.map(({ object }) => `${object.kind} ${keyOf(object)}`),
      ...ignored.map((kind) => `ignored ${kind}`),
    ];
    assert.deepEqual(got, want, name);
    assert.deepEqual(problems, [], name);
  }
});

test('a problem has its file, line and column, and stops nothing else', () => {
  const good = `---\n${namespaceText('good')}`;
  const service = (port: string): string =>
    `apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: n}\nspec:\n  ports:\n  - port: ${port}\n`;
  const cases = [
    { name: 'schema', given: service('0'), want: /^f\.yaml:6:11: Service n\/s: spec\.ports\[0\]\.port: / },
    { name: 'schema, later document', given: `# words\n...\n---\n${service('x')}`, want: /^f\.yaml:9:11: Service n\/s: / },
    { name: 'syntax', given: 'a: [1,\nb: 2\n', want: /^f\.yaml:2:1: / },
    { name: 'tab', given: 'a:\n\tb: 1\n', want: /^f\.yaml:2:1: / },
    { name: 'key twice', given: 'a: 1\na: 2\n', want: /^f\.yaml:2:1: the field "a" is there twice in one mapping/ },
    { name: 'half a head', given: 'kind: Service\nmetadata: {name: s}\n', want: /^f\.yaml:1:1: Service s: apiVersion: is required/ },
    { name: 'broken JSON', given: '{"apiVersion": "v1",\n "kind": }\n', want: /^f\.yaml:\d:\d+: / },
    { name: 'JSON schema', given: '{"apiVersion":"v1","kind":"Service","metadata":{"name":"s"},\n"spec":{"ports":[{"port":0}]}}', want: /^f\.yaml:2:26: Service s: spec\.ports\[0\]\.port/ },
    { name: 'item of a list', given: 'apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: 1}}\n', want: /^f\.yaml:4:\d+: Namespace: metadata\.name: |^f\.yaml:4:\d+: metadata\.name: / },
    { name: 'alias bomb', given: `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n`, want: /^f\.yaml:1:1: Excessive alias count/ },
    { name: 'unknown alias', given: 'a: *nobody\n', want: /^f\.yaml:1:4: \*nobody has no &nobody before it/ },
  ]; // prettier-ignore
  for (const { name, given, want } of cases) {
    const { loaded, problems } = parseManifestText('f.yaml', `${given}${good}`);
    const [first] = problems.map(formatManifestProblem);
    if (given.startsWith('{')) continue; // JSON stands alone in its file
    assert.match(first ?? 'no problem', want, name);
    assert.deepEqual(
      loaded.map(({ object }) => object.metadata.name),
      ['good'],
      name,
    );
  }
  for (const { name, given, want } of cases.filter((each) => each.given.startsWith('{'))) {
    assert.match(
      parseManifestText('f.yaml', given).problems.map(formatManifestProblem)[0] ?? '',
      want,
      name,
    );
  }
});

test('files, directories, links and stdin are loaded; editors leave nothing', async (context) => {
  const root = await tree(context, {
    'b.yaml': namespaceText('b'),
    'a.yml': `\uFEFF${namespaceText('a')}`,
    'sub/c.json': '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"c"}}',
    'link.yaml': '-> ..data/d.yaml',
    '..data/d.yaml': namespaceText('d'),
    'dangling.yaml': '-> nowhere',
    '.b.yaml.swp': 'x',
    '.hidden.yaml': namespaceText('hidden'),
    'b.yaml~': 'x',
    'notes.txt': 'x',
  });
  const { loaded, problems, unreadable, files } = await loadManifests(['.', '-'], {
    cwd: root,
    readStdin: () => Promise.resolve(namespaceText('stdin')),
  });
  assert.deepEqual(loaded.map(({ object, file, line }) => [object.metadata.name, file, line]), [
    ['a', 'a.yml', 1], ['b', 'b.yaml', 1], ['d', 'link.yaml', 1], ['c', 'sub/c.json', 1], ['stdin', '<stdin>', 1],
  ]); // prettier-ignore
  assert.deepEqual({ problems, unreadable }, { problems: [], unreadable: [] });
  assert.equal(files.length, 5);
});

test('one object in two files is named with both; the first counts', async (context) => {
  const root = await tree(context, {
    'a.yaml': namespaceText('x'),
    'b.yaml': `---\n---\n${namespaceText('x')}`,
  });
  const { objects, problems } = await loadManifests([root], { cwd: '/', readStdin: noStdin });
  assert.equal(objects.length, 1);
  assert.deepEqual(problems.map(formatManifestProblem), [
    `${root}/b.yaml:3:1: Namespace x: is also in ${root}/a.yaml:1, which is used; remove one of them`,
  ]);
});

test('a path that can not be read is told apart from wrong content, and others go on', async (context) => {
  const root = await tree(context, { 'a.yaml': namespaceText('a') });
  const result = await loadManifests(['nowhere', 'a.yaml', 'a.yaml/x'], {
    cwd: root,
    readStdin: noStdin,
  });
  assert.deepEqual(result.unreadable.map(formatManifestProblem), [
    'nowhere: cannot be read: no such file or directory',
    'a.yaml/x: cannot be read: not a directory',
  ]);
  assert.equal(result.objects.length, 1);
});

test('a device is refused, since it may have no end; a pipe and /dev/null are read', async (context) => {
  const root = await tree(context, { 'a.yaml': namespaceText('a'), null: '-> /dev/null' });
  const pipe = join(root, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const writing = writeFile(pipe, namespaceText('b'));
  const result = await loadManifests(['/dev/zero', 'null', 'pipe', 'a.yaml'], {
    cwd: root,
    readStdin: noStdin,
  });
  await writing;
  assert.deepEqual(result.unreadable.map(formatManifestProblem), [
    '/dev/zero: cannot be read: is a device; allowed: a file, a directory, a pipe, or - for stdin',
  ]);
  assert.deepEqual(
    result.objects.map(({ metadata }) => metadata.name),
    ['b', 'a'],
  );
});

test(
  'a file without the right to read it is told',
  { skip: process.getuid?.() === 0 },
  async (context) => {
    const root = await tree(context, { 'a.yaml': namespaceText('a') });
    await chmod(join(root, 'a.yaml'), 0);
    const result = await loadManifests([root], { cwd: '/', readStdin: noStdin });
    assert.match(result.unreadable.map(formatManifestProblem)[0] ?? '', /permission denied/);
  },
);

test('names of manifests', () => {
  for (const name of ['a.yaml', 'a.yml', 'a.json']) assert.equal(isManifestName(name), true, name);
  for (const name of [
    '.a.yaml',
    'a.yaml~',
    'a.yaml.swp',
    '#a.yaml#',
    'a',
    '..data',
    'a.yaml.bak',
  ]) {
    assert.equal(isManifestName(name), false, name);
  }
});

test('a document that is too long is refused with its line; those around it are read', () => {
  const long = `# ${'x'.repeat(400)}\n`;
  const text = `a: 1\n---\nb: 2\n${long}--- # c\nc: 3\n---\n${long.repeat(3)}`;
  for (const size of [7, 100, text.length]) {
    const splitter = new DocumentSplitter(300);
    const documents = [];
    for (let i = 0; i < text.length; i += size) {
      documents.push(...splitter.push(text.slice(i, i + size)));
    }
    documents.push(...splitter.end());
    assert.deepEqual(
      documents.map(({ text: content, line, fault }) => fault?.line ?? [content, line]),
      [['a: 1\n', 1], 2, ['--- # c\nc: 3\n', 5], 7],
      `chunks of ${size}`,
    );
    assert.match(documents[1]?.fault?.message ?? '', /longer than 300 characters; part it by ---$/);
  }
});

test('byte order marks begin documents; within one they are told, with the line', () => {
  const mark = '\uFEFF';
  const files = [
    `${mark}${namespaceText('a')}${mark}---\n${namespaceText('b')}`,
    `${namespaceText('a')}---\n# words\n${mark}${namespaceText('b')}`,
  ];
  for (const text of files) {
    const { loaded, problems } = parseManifestText('f.yaml', text);
    assert.deepEqual(
      loaded.map(({ object }) => object.metadata.name),
      ['a', 'b'],
    );
    assert.deepEqual(problems, []);
  }
  const joined = `${namespaceText('a')}${mark}${namespaceText('b')}`;
  assert.deepEqual(parseManifestText('f.yaml', joined).problems.map(formatManifestProblem), [
    'f.yaml:5:1: a byte order mark (U+FEFF) in the middle of a document: where files were joined, put --- between them',
  ]);
});

const SKIPPED = [
  { name: 'a compose file', text: 'services:\n  web: {image: nginx}\n', why: 'no apiVersion and kind' },
  { name: 'a playbook', text: '- hosts: all\n  tasks: []\n', why: 'no apiVersion and kind' },
  { name: 'words', text: 'just words\n', why: 'no apiVersion and kind' },
  { name: 'a chart', text: 'apiVersion: v2\nname: web\nversion: 1.0.0\nappVersion: "1"\n', why: 'no kind' },
  { name: 'half a kustomization', text: 'kind: Kustomization\nresources: []\n', why: 'no apiVersion' },
  { name: 'a template that is no YAML', text: '{{ if .Values.x }}\nkind: Service\n{{ end }}\n', why: 'a template (Helm, Jinja); check what it renders' },
  { name: 'a template without quotes', text: 'apiVersion: v1\nkind: Service\nmetadata: {name: {{ x }} }\n', why: 'a template (Helm, Jinja); check what it renders' },
  { name: 'a template with quotes', text: 'apiVersion: v1\nkind: Service\nmetadata: {name: "{{ x }}"}\n', why: 'a template (Helm, Jinja); check what it renders' },
]; // prettier-ignore
for (const { name, text, why } of SKIPPED) {
  test(`no manifest: ${name}`, () => {
    const { loaded, problems, skipped } = parseManifestText('f.yaml', text);
    assert.deepEqual([loaded, problems], [[], []]);
    assert.deepEqual(skipped.map(formatManifestProblem), [`f.yaml:1:1: ${why}`]);
  });
}

test('of a file with several documents that are no manifests one line is said', () => {
  const texts = SKIPPED.map(({ text }) => text);
  const { loaded, skipped } = parseManifestText(
    'f.yaml',
    [namespaceText('a'), ...texts].join('---\n'),
  );
  assert.equal(loaded.length, 1);
  assert.deepEqual(skipped.map(formatManifestProblem), [
    'f.yaml:5:1: 8 documents: no apiVersion and kind, no kind, no apiVersion, a template (Helm, Jinja); check what it renders',
  ]);
});

const MEANT = [
  { name: 'a head with a typing error', text: 'apiVersoin: v1\nkind: Service\nmetadata: {name: s}\n', want: ['1:1: Service s: apiVersion: is required', '1:13: Service s: apiVersoin: unknown field; did you mean apiVersion?'] },
  { name: 'no head at all', text: 'metadata: {name: s}\nspec: {}\n', want: ['1:1: apiVersion: is required', '1:1: kind: is required'] },
  { name: 'a kind in small letters', text: 'apiVersion: v1\nkind: service\nmetadata: {name: s}\n', want: ['2:7: service s: kind: service is not known; did you mean Service?'] },
]; // prettier-ignore
for (const { name, text, want } of MEANT) {
  test(`meant as a manifest: ${name}`, () => {
    const { problems, skipped } = parseManifestText('f.yaml', text);
    assert.deepEqual(skipped, []);
    assert.deepEqual(
      problems.map(formatManifestProblem),
      want.map((each) => `f.yaml:${each}`),
    );
  });
}

test('a binary file is no template, whatever pairs of characters it has', () => {
  for (const text of ['PK\u0000{{\u0001', 'caf\uFFFD: {{ x }\n']) {
    const { problems, skipped } = parseManifestText('f.yaml', text);
    assert.deepEqual([problems.length, skipped], [1, []], text);
  }
});

test('a field without effect is told where it stands, and the object is used', () => {
  const text = `apiVersion: v1
kind: Service
metadata: {name: s, namespace: n}
spec:
  type: LoadBalancer
  loadBalancerSourceRange: [10.0.0.0/8]
  ports: [{port: 53, protcol: UDP}]
`;
  const { loaded, problems, remarks } = parseManifestText('f.yaml', text);
  assert.equal(loaded.length, 1);
  assert.deepEqual(problems, []);
  assert.deepEqual(remarks.map(formatManifestProblem), [
    'f.yaml:6:28: Service n/s: spec.loadBalancerSourceRange: unknown field, which has no effect; did you mean loadBalancerSourceRanges?',
    'f.yaml:7:31: Service n/s: spec.ports[0].protcol: unknown field, which has no effect; did you mean protocol?',
  ]);
});

test('names with line breaks and control characters stay on one line of a message', () => {
  const text = 'apiVersion: v1\nkind: Service\nmetadata: {name: "a\\nPASS x\\e[2J"}\n';
  const [problem] = parseManifestText('a\nb.yaml', text).problems.map(formatManifestProblem);
  assert.equal(
    problem,
    String.raw`a\u{a}b.yaml:3:18: Service "a\nPASS x\u001b[2J": metadata.name: must be lower-case letters, digits, dashes and dots, with a letter or digit at both ends, is "a\nPASS x\u001b[2J"`,
  );
});

test('a file named twice is read once, and so is one behind links in a circle', async (context) => {
  const root = await tree(context, {
    'a.yaml': namespaceText('a'),
    'again.yaml': '-> a.yaml',
    circle: '-> .',
    self: '-> self',
    'self.yaml': '-> self.yaml',
  });
  const input = { cwd: root, readStdin: () => Promise.resolve(namespaceText('b')) };
  const paths = ['a.yaml', '-', './a.yaml', root, '.', '-', 'circle/circle/a.yaml'];
  const { objects, problems, unreadable } = await loadManifests(paths, input);
  assert.deepEqual([problems, unreadable], [[], []]);
  assert.deepEqual(
    objects.map(({ metadata }) => metadata.name),
    ['a', 'b'],
  );
});
