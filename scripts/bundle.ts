// Bundles the vipvs command into dist/: one file per command, loaded on demand. The image and the lab's guests run this
// bundle, because there every opened file of node_modules costs about a millisecond.
import { build } from 'esbuild';

const root = `${import.meta.dirname}/..`;
// koffi and netlink carry native code, which they look for beside their own files
const external = ['koffi', 'netlink'];

await build({
  absWorkingDir: root,
  entryPoints: { vipvs: 'src/cli/main.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  external,
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'warning',
  // CommonJS dependencies call require() for Node's own modules
  banner: {
    js: "import { createRequire as vipvsRequire } from 'node:module'; const require = vipvsRequire(import.meta.url);",
  },
});
