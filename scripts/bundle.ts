// Bundles the vipvs command into dist/: one file per command, loaded on demand. The image and the lab's guests run this
// bundle, because there every opened file of node_modules costs about a millisecond.
import { build } from 'esbuild';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { UNBUNDLED, withoutUnused } from './bundling.ts';

const root = `${import.meta.dirname}/..`;

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: { vipvs: 'src/cli/main.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  external: UNBUNDLED,
  plugins: [withoutUnused],
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  // CommonJS dependencies call require() for Node's own modules
  banner: {
    js: "import { createRequire as vipvsRequire } from 'node:module'; const require = vipvsRequire(import.meta.url);",
  },
});

// chunks are named by their content: those of earlier bundles are nobody's
const made = new Set(Object.keys(metafile.outputs).map((file) => path.basename(file)));
for (const file of await readdir(`${root}/dist`)) {
  if (!made.has(file)) await rm(`${root}/dist/${file}`);
}
