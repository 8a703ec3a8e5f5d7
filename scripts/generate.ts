// Writes what is made from the source and from packages: deploy/crds/*.yaml, docs/reference/*.md, src/api/kubernetes-fields.ts.
// Run by `npm run gen`; test/unit/api/generated.test.ts fails when a file is not what this would write.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { generatedFiles } from './generated-files.ts';

const root = path.join(import.meta.dirname, '..');
for (const [file, text] of await generatedFiles()) {
  const target = path.join(root, file);
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(target, text);
  process.stdout.write(`${file}\n`);
}
