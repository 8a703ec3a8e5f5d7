// Bundles the vipvs command into dist/: one file per command, loaded on demand. The image and the lab's guests run this
// bundle, because there every opened file of node_modules costs about a millisecond.
import { build } from 'esbuild';
import { UNBUNDLED } from './unbundled.ts';

const root = `${import.meta.dirname}/..`;

await build({
  absWorkingDir: root,
  entryPoints: { vipvs: 'src/cli/main.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  external: UNBUNDLED,
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'warning',
  // CommonJS dependencies call require() for Node's own modules
  banner: {
    js: "import { createRequire as vipvsRequire } from 'node:module'; const require = vipvsRequire(import.meta.url);",
  },
});
