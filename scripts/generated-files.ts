// The generated files as text: path from the root of the project -> content.
import path from 'node:path';
import { format, resolveConfig } from 'prettier';
import { stringify } from 'yaml';
import { ADDRESS_ASSIGNED, PROGRAMMED } from '../src/api/conditions.ts';
import { crdManifest, DIRECTOR_CRD, IP_CRD, POOL_CRD, type Crd } from '../src/api/crd.ts';
import { API_VERSION, GROUP } from '../src/api/pool.ts';
import { REASONS } from '../src/api/reasons.ts';
import type { CrdSchema } from '../src/api/structural-schema.ts';
import { kubernetesFieldsSource } from './kubernetes-fields.ts';
import { cliPage, errorsPage, metricsPage } from './runtime-pages.ts';

const HEAD = '# Made by `npm run gen` from src/api; do not edit.\n';

const CONDITIONS_TEXT = `
# Conditions and reasons

vipvs writes two conditions into \`Service.status.conditions\`, and a phase with a reason into Pools and IPs. The reasons
below are also the reasons of Events and of the lines of \`vipvs check\`. A reason never changes its meaning; the message
beside it says which object, which field and what is allowed.

| condition | True | False |
| --- | --- | --- |
| \`${ADDRESS_ASSIGNED}\` | The Service has its addresses (with a remark, if it asked for something else). | It has none; the message goes through the pools. |
| \`${PROGRAMMED}\` | The kernel forwards its ports (with a remark on what vipvs can't see). | Some port is not forwarded; the message says why. |

\`lastTransitionTime\` changes only when the status does.

## Reasons
`;

/** For kustomize, and for helm, which takes nothing from outside of a chart. */
const CRD_FOLDERS = ['deploy/crds', 'deploy/chart/crds'];
const CRDS = [POOL_CRD, IP_CRD, DIRECTOR_CRD];

export async function generatedFiles(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ...CRDS.flatMap((crd) =>
      CRD_FOLDERS.map((folder) => [`${folder}/${crdFile(crd)}`, crdYaml(crd)] as const),
    ),
    ['src/api/kubernetes-fields.ts', await formatted(await kubernetesFieldsSource(), 'x.ts')],
    ['docs/reference/crds.md', await formatted(kindPages(CRDS))],
    ['docs/reference/conditions.md', await formatted(conditionsPage())],
    ['docs/reference/metrics.md', await formatted(metricsPage())],
    ['docs/reference/errors.md', await formatted(errorsPage())],
    ['docs/reference/cli.md', await formatted(await cliPage())],
  ]);
}

function crdFile(crd: Crd): string {
  return `${GROUP}_${crd.plural}.yaml`;
}

function crdYaml(crd: Crd): string {
  // no anchors: kubectl reads them, other tools do not
  return HEAD + stringify(crdManifest(crd), { lineWidth: 120, aliasDuplicateObjects: false });
}

const MARKDOWN_HEAD = '<!-- Made by `npm run gen` from src/api; do not edit. -->';

async function formatted(lines: readonly string[], name = 'x.md'): Promise<string> {
  const options = await resolveConfig(path.join(import.meta.dirname, name));
  const parser = name.endsWith('.md') ? 'markdown' : 'typescript';
  return format(lines.join('\n'), { ...options, parser });
}

function kindPages(crds: readonly Crd[]): readonly string[] {
  return [
    MARKDOWN_HEAD,
    '# Pool, IP and Director',
    '',
    `All kinds are cluster-scoped and in \`${API_VERSION}\`. The same Pools and IPs work in a cluster and in the directory of \`vipvs standalone\`.`,
    '',
    ...crds.flatMap(kindPage),
  ];
}

function conditionsPage(): readonly string[] {
  const rows = Object.entries(REASONS).map(([reason, text]) => `| \`${reason}\` | ${text} |`);
  return [MARKDOWN_HEAD, CONDITIONS_TEXT, '| reason | meaning |', '| --- | --- |', ...rows];
}

function kindPage(crd: Crd): readonly string[] {
  const { spec, status } = crd.schema.properties ?? {};
  return [
    `## ${crd.kind}`,
    '',
    String(crd.schema.description),
    '',
    `\`kubectl get ${crd.plural}\` (short: \`${crd.shortNames.join(', ')}\`) shows ${crd.columns
      .map(({ name, priority }) => (priority === undefined ? name : `${name} (with -o wide)`))
      .join(', ')}.`,
    '',
    ...(spec === undefined ? [] : table('spec', spec)),
    ...(status === undefined ? [] : table('status', status)),
  ];
}

function table(name: string, schema: CrdSchema): readonly string[] {
  return ['| field | type | meaning |', '| --- | --- | --- |', ...rows(name, schema), ''];
}

function rows(path: string, schema: CrdSchema): readonly string[] {
  const fields = schema.items?.properties ?? schema.properties ?? {};
  const required = schema.items?.required ?? schema.required ?? [];
  return Object.entries(fields).flatMap(([name, field]) => {
    const fieldPath = `${path}.${name}${field.type === 'array' ? '[]' : ''}`;
    const isRequired = required.includes(name) ? ' **Required.**' : '';
    const meaning = `${field.description ?? ''}${isRequired}`.replaceAll('|', '\\|').trim();
    return [`| \`${fieldPath}\` | ${typeText(field)} | ${meaning} |`, ...rows(fieldPath, field)];
  });
}

function typeText(field: CrdSchema): string {
  const inner = field.items ?? field;
  const allowed = Array.isArray(inner.enum) ? inner.enum.map(String) : undefined;
  const bounds = [
    inner.minimum === undefined ? '' : `at least ${inner.minimum}`,
    inner.maximum === undefined ? '' : `at most ${inner.maximum}`,
    field.default === undefined ? '' : `default ${JSON.stringify(field.default)}`,
  ];
  const base =
    allowed?.map((value) => `\`${value}\``).join(' ') ??
    (field.type === 'array' ? `list of ${inner.type}` : field.type);
  return [base, ...bounds.filter((text) => text !== '')].join(', ');
}
