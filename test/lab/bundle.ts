// Bundles a program into one file for the lab's guest, where every file opened over 9p costs a millisecond and Node's
// stripping of types is slow. koffi and netlink stay outside: they load machine code from their own folders.
// From a shell: node test/lab/bundle.ts ENTRY OUTFILE
import { build, type Plugin } from 'esbuild';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { UNBUNDLED, withoutUnused } from '../../scripts/bundling.ts';

/** What asks for its own place (import.meta) must get the place of the source, not of the bundle. */
const keepPlaces: Plugin = {
  name: 'keep-places',
  setup(bundler) {
    bundler.onLoad({ filter: /\.ts$/ }, async ({ path: file }) => {
      const places = {
        'import.meta.url': pathToFileURL(file).href,
        'import.meta.dirname': path.dirname(file),
        'import.meta.filename': file,
      };
      let contents = await readFile(file, 'utf8');
      for (const [expression, place] of Object.entries(places)) {
        contents = contents.replaceAll(expression, JSON.stringify(place));
      }
      return { contents, loader: 'ts' };
    });
  },
};

export async function bundle(entry: string, outfile: string): Promise<void> {
  await build({
    entryPoints: [path.resolve(entry)],
    outfile: path.resolve(outfile),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    external: UNBUNDLED,
    plugins: [keepPlaces, withoutUnused],
    sourcemap: 'linked',
    logLevel: 'error',
    // CommonJS packages inside call require() for Node's own modules
    banner: {
      js: "import { createRequire as bundleRequire } from 'node:module'; const require = bundleRequire(import.meta.url);",
    },
  });
}

if (import.meta.main) {
  const [entry, outfile] = process.argv.slice(2);
  if (entry === undefined || outfile === undefined) {
    process.stderr.write('usage: node test/lab/bundle.ts ENTRY OUTFILE\n');
    process.exitCode = 2;
  } else {
    await bundle(entry, outfile);
  }
}
