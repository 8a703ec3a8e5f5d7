// The fields of Kubernetes' own kinds as a source file: from the models of @kubernetes/client-node, which are made from
// Kubernetes' OpenAPI. A new version of that package is a new list; nothing is typed by hand.
import * as client from '@kubernetes/client-node';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';

const MODELS = new Map<string, unknown>(Object.entries(client));
/** The kinds that src/api reads, and what all kinds have, by the names of their models. */
const ROOTS = [
  'V1EndpointSlice',
  'V1Namespace',
  'V1Node',
  'V1ObjectMeta',
  'V1Service',
  'V1ServiceCIDR',
];

export async function kubernetesFieldsSource(): Promise<readonly string[]> {
  const types = new Map<string, string>();
  for (const root of ROOTS) addType(root, types);
  const rows = [...types].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    '// Made by `npm run gen` from the models of @kubernetes/client-node; do not edit.',
    `// Kubernetes' OpenAPI, ${await openApiVersion()}: type -> its fields, parted by spaces. A field that has fields itself is`,
    '// followed by its type.',
    '',
    'export const KUBERNETES_FIELDS = {',
    ...rows.map(([name, fields]) => `  ${name}: '${fields}',`),
    '} as const;',
  ];
}

interface Attribute {
  readonly baseName: string;
  readonly type: string;
}

function addType(name: string, types: Map<string, string>): void {
  const attributes = attributesOf(name);
  if (types.has(name) || attributes === undefined) return;
  const fields = attributes.map(({ baseName, type }) => {
    const inner = type.replace(/^Array<(.*)>$/, '$1');
    return attributesOf(inner) === undefined ? baseName : `${baseName}:${inner}`;
  });
  types.set(name, fields.sort().join(' '));
  for (const { type } of attributes) addType(type.replace(/^Array<(.*)>$/, '$1'), types);
}

/** undefined: no model, but text, a number, a mapping of names to text. */
function attributesOf(name: string): readonly Attribute[] | undefined {
  const model = MODELS.get(name);
  if (typeof model !== 'function' || !('getAttributeTypeMap' in model)) return undefined;
  const read = model.getAttributeTypeMap as () => readonly Attribute[];
  return read();
}

/** `release-1.36`, from the head of a model. */
async function openApiVersion(): Promise<string> {
  const main = createRequire(import.meta.url).resolve('@kubernetes/client-node');
  const model = path.join(path.dirname(main), 'gen/models/V1Service.js');
  const version = /OpenAPI spec version: (\S+)/.exec(await readFile(model, 'utf8'))?.[1];
  if (version === undefined) throw new Error(`${model} does not say its OpenAPI version`);
  return version;
}
