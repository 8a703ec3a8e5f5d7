// The rules of docs/architecture.md about who may import whom, each with its reason. Type-only imports count where the
// direction of knowledge matters, and not where only what runs matters.
import type { IConfiguration, IForbiddenRuleType } from 'dependency-cruiser';

import { PURE_FILES } from './scripts/pure-files.ts';

/** Two stars for any folders, one for any part of a name, braces for one of several names. */
const pattern = (glob: string): string => {
  const choices = glob
    .replaceAll('.', '\\.')
    .replace(/\{([^}]*)\}/g, (_, names: string) => `(${names.replaceAll(',', '|')})`);
  const parts = choices.split('**/');
  return `^${parts.map((part) => part.replaceAll('*', '[^/]*')).join('(|.*/)')}$`;
};
const PURE = { path: PURE_FILES.map(pattern) };

/** Only the files of `doors` may import the npm package (or Node module) at run time. */
const door = (
  name: string,
  module: string,
  doors: string,
  comment: string,
): IForbiddenRuleType => ({
  name: `door-${name}`,
  comment,
  severity: 'error',
  from: { path: '^src/', pathNot: doors },
  to: { path: module, dependencyTypesNot: ['type-only'] },
});
const npm = (name: string): string => `(^|/)node_modules/${name}/`;

/** A room of a program knows only the rooms named here; files beside the rooms (program, engine) know them all. */
const room = (
  folder: string,
  name: string,
  knows: readonly string[],
  comment: string,
): IForbiddenRuleType => ({
  name: `${folder}-${name}`,
  comment,
  severity: 'error',
  from: { path: `^src/${folder}/${name}/` },
  to: {
    path: `^src/${folder}/`,
    pathNot: `^src/${folder}/(${[name, ...knows].join('|')})(/|\\.ts$)`,
  },
});

const config: IConfiguration = {
  forbidden: [
    {
      name: 'net-is-the-ground',
      comment: 'values are used everywhere, so they know nothing of ours',
      severity: 'error',
      from: { path: '^src/net/' },
      to: { path: '^src/', pathNot: '^src/net/' },
    },
    {
      name: 'api-knows-values-only',
      comment:
        'the API kinds are read by every program and every tool: values and schemas, nothing that acts',
      severity: 'error',
      from: { path: '^src/api/' },
      to: { path: '^src/', pathNot: '^src/(net|api)/' },
    },
    {
      name: 'sources-know-no-program',
      comment:
        'kube, files and runtime serve the programs; a program in them could not be tested or replaced alone',
      severity: 'error',
      from: { path: '^src/(kube|files|runtime)/' },
      to: { path: '^src/(assigner|ipvs-node|drivers|standalone|cli)/' },
    },
    {
      name: 'runtime-knows-no-source',
      comment:
        'log, metrics and loop are the same whether objects come from the API server or from files',
      severity: 'error',
      from: { path: '^src/runtime/' },
      to: { path: '^src/(kube|files)/' },
    },
    {
      name: 'sources-apart',
      comment:
        'standalone must run without a Kubernetes client, the cluster programs without a directory',
      severity: 'error',
      from: { path: '^src/(kube|files)/' },
      to: { path: '^src/(kube|files)/', pathNot: '^src/$1/' },
    },
    {
      name: 'programs-apart',
      comment:
        'each program can be changed, shipped and removed alone; a new driver is one new folder',
      severity: 'error',
      from: { path: '^src/(assigner|ipvs-node|drivers/[^/]+)/' },
      to: { path: '^src/(assigner|ipvs-node|drivers)/', pathNot: '^src/$1/' },
    },
    {
      name: 'standalone-serves-the-command-only',
      comment: 'it joins the programs in one process; they are also shipped without it',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(cli|standalone)/' },
      to: { path: '^src/standalone/' },
    },
    room(
      'ipvs-node',
      'model',
      [],
      'the words that all rooms share: state, operations, the kernel port',
    ),
    room(
      'ipvs-node',
      'source',
      ['model'],
      'it hands objects on and knows nothing of what they lead to',
    ),
    room(
      'ipvs-node',
      'desired',
      ['model'],
      'what is wanted never depends on what is there or how it is reached',
    ),
    room('ipvs-node', 'plan', ['model'], 'it compares two states and knows nothing of Services'),
    room('ipvs-node', 'kernel', ['model'], 'an adapter does what it is told; it decides nothing'),
    room(
      'ipvs-node',
      'reconcile',
      ['model', 'desired', 'plan'],
      'rounds run on the kernel port, on the fake of the tests too',
    ),
    room(
      'ipvs-node',
      'mastership',
      ['model'],
      'who holds a VIP is decided apart from what is done with it',
    ),
    room(
      'ipvs-node',
      'report',
      ['model', 'reconcile'],
      'it tells of what was reached and reaches nothing',
    ),
    room('ipvs-node', 'host', ['model', 'kernel'], 'it looks at the machine, beside the rounds'),
    room(
      'assigner',
      'holders',
      [],
      'who holds what is data that decisions read, and never a decision',
    ),
    room(
      'assigner',
      'decide',
      ['holders'],
      'a decision is an answer; it neither writes nor knows how',
    ),
    room('assigner', 'write', ['holders', 'decide', 'project'], 'it writes what was decided'),
    {
      name: 'cli-is-the-top',
      comment: 'commands wire programs together; nothing below may depend on how it is called',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/cli/' },
      to: { path: '^src/cli/' },
    },
    {
      name: 'main-is-imported-by-nobody',
      comment: 'importing it runs the command',
      severity: 'error',
      from: {},
      to: { path: '^src/cli/main\\.ts$' },
    },
    {
      name: 'pure-files-reach-no-io',
      comment:
        'the same functions serve controllers, plan, simulate and every test: what they need comes in as arguments',
      severity: 'error',
      from: PURE,
      to: {
        dependencyTypes: ['core'],
        pathNot: '^(node:)?assert',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'pure-files-reach-no-shell',
      comment:
        'a pure file may import values, kinds and other pure files; of the shell only types and error classes',
      severity: 'error',
      from: PURE,
      to: {
        path: '^src/(kube|files|runtime|standalone|cli)/',
        pathNot: '^src/runtime/(errors|invariant)\\.ts$',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'src-imports-no-test',
      comment: 'the package ships without tests and scripts',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|scripts)/' },
    },
    {
      name: 'src-imports-no-dev-dependency',
      comment: 'an installed package has dependencies only',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'declared-dependencies-only',
      comment: 'what is not in package.json may be gone after the next install',
      severity: 'error',
      from: { path: '^(src|test|scripts)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown', 'undetermined'] },
    },
    {
      name: 'no-cycles',
      comment: 'files that need each other cannot be understood, tested or moved one by one',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-orphans',
      comment: 'a source file that nobody imports is dead, or its test is missing',
      severity: 'error',
      from: { orphan: true, path: '^src/' },
      to: {},
    },
    door(
      'koffi',
      npm('koffi'),
      '^src/ipvs-node/kernel/libvipvs\\.ts$',
      'machine code is called from one file, where every buffer is checked',
    ),
    door(
      'netlink',
      npm('netlink'),
      '^src/ipvs-node/kernel/addresses/rtnetlink[a-z-]*\\.ts$',
      'its gaps (interrupted dumps, timeouts) are closed in one place',
    ),
    door(
      'undici',
      npm('undici'),
      '^src/(kube|drivers/[^/]+)/',
      'one pool of connections, one place for time limits and retries',
    ),
    door(
      'client-node',
      npm('@kubernetes/client-node'),
      '^src/kube/',
      'only kubeconfig and types come from it (docs/decisions)',
    ),
    door(
      'bunyan',
      npm('bunyan'),
      '^src/runtime/log\\.ts$',
      'it throws on bigint fields and drops causes; log.ts cures both',
    ),
    door(
      'prom-client',
      npm('prom-client'),
      '^src/runtime/metrics\\.ts$',
      'names and labels are kept in one typed tree',
    ),
    door(
      'commander',
      npm('commander'),
      '^src/(cli/|runtime/flags\\.ts$)',
      'the command line is parsed in one place',
    ),
    door(
      'chokidar',
      npm('chokidar'),
      '^src/files/',
      'watching a directory is the business of files/',
    ),
    door(
      'yaml',
      npm('yaml'),
      '^src/(files/|cli/|kube/yaml\\.ts$)',
      'text is parsed at the border, where file and line are known',
    ),
    door('ip-address', npm('ip-address'), '^src/net/', 'the rest of the code sees our values only'),
    door(
      'zod',
      npm('zod'),
      '^src/(api/|runtime/flags\\.ts$)',
      'data is checked once, where it comes in',
    ),
    door(
      'child-process',
      '^(node:)?child_process$',
      '^src/ipvs-node/kernel/run-process\\.ts$',
      'programs are started in few, named adapters',
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};

export default config;
