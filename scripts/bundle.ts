// Bundles the vipvs command into dist/: one file per command, loaded on demand. The image and the lab's guests run this
// bundle, because there every opened file of node_modules costs about a millisecond.
import { build, type Plugin } from 'esbuild';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { UNBUNDLED } from './unbundled.ts';

const root = `${import.meta.dirname}/..`;

/**
 * What packages bring along and nobody here uses: KubeConfig.makeApiClient refers to the classes of every kind that
 * Kubernetes has, zod to its messages in fifty languages. Without them a process is 11 MB smaller, and starts sooner.
 */
const withoutUnused: Plugin = {
  name: 'without-unused',
  setup(bundler) {
    const filter = /^\.\/(gen\/index|middleware)\.js$|^\.\.\/locales\/index\.js$/;
    bundler.onResolve({ filter }, ({ importer, path: file }) => {
      const isOurs = /@kubernetes\/client-node\/dist\/config\.js$|\/zod\/v4\//.test(importer);
      return isOurs ? { path: file, namespace: 'unused' } : undefined;
    });
    const names = ['createConfiguration', 'ServerConfiguration', 'setHeaderMiddleware'];
    const contents = `export const ${names.map((name) => `${name} = undefined`).join(', ')};`;
    bundler.onLoad({ filter: /./, namespace: 'unused' }, () => ({ contents, loader: 'js' }));
  },
};

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
