// What the bundles of the command and of the lab's programs leave out. Native code stays outside, because it is looked
// for beside its own package's files. What packages bring along and nobody here uses is not loaded at all: without it a
// process is 15 MB smaller and starts sooner (docs/limits.md).
import { createRequire } from 'node:module';
import path from 'node:path';
import type { Plugin } from 'esbuild';

export const UNBUNDLED = ['koffi', 'netlink'];

/** bunyan asks for them and does without; `mv`, for files it rotates itself, brings rimraf and glob along. */
const OPTIONAL = /^(dtrace-provider|mv|safe-json-stringify|source-map-support)$/;

interface Unused {
  /** Of the files that ask for it. */
  readonly importer: RegExp;
  readonly asked: RegExp;
}

const UNUSED: readonly Unused[] = [
  // KubeConfig.makeApiClient refers to the classes of every kind that Kubernetes has; proxies are refused (src/kube/config.ts)
  {
    importer: /@kubernetes\/client-node\/dist\/config\.js$/,
    asked: /^\.\/(gen\/index|middleware)\.js$|^(undici|socks|socks-proxy-agent|hpagent)$/,
  },
  // messages in fifty languages
  { importer: /\/zod\/v4\//, asked: /^\.\.\/locales\/index\.js$/ },
  // HTTP/2 is off (src/kube/transport.ts), and no body is a form
  {
    importer: /\/undici\/lib\/(dispatcher|core)\//,
    asked: /\/(client-h2\.js|web\/(fetch|webidl).*)$/,
  },
];

/** undici's own index loads its fetch, caches, mocks and WebSockets, too. */
const POOL_ONLY = `
  const Dispatcher = require('./lib/dispatcher/dispatcher.js');
  Dispatcher.prototype.request = require('./lib/api/api-request.js');
  exports.Pool = require('./lib/dispatcher/pool.js');
`;

/** Node makes a module's facade by reading all its exports; that of node:http loads Node's own undici. */
const WITHOUT_FACADE = "module.exports = require('node:http')";

export const withoutUnused: Plugin = {
  name: 'without-unused',
  setup(bundler) {
    bundler.onResolve({ filter: OPTIONAL }, ({ path: asked }) => ({
      path: asked,
      namespace: 'absent',
    }));
    bundler.onLoad({ filter: /./, namespace: 'absent' }, () => ({
      contents: "throw new Error('not in the bundle')",
    }));
    bundler.onResolve({ filter: /./ }, ({ path: asked, importer }) =>
      UNUSED.some((each) => each.importer.test(importer) && each.asked.test(asked))
        ? { path: asked, namespace: 'unused' }
        : undefined,
    );
    bundler.onLoad({ filter: /./, namespace: 'unused' }, () => ({
      contents: 'module.exports = {}',
    }));
    bundler.onResolve({ filter: /^undici$/ }, () => ({ path: 'undici', namespace: 'pool-only' }));
    bundler.onLoad({ filter: /./, namespace: 'pool-only' }, () => ({
      contents: POOL_ONLY,
      resolveDir: path.dirname(createRequire(import.meta.url).resolve('undici/package.json')),
    }));
    bundler.onResolve({ filter: /^node:http$/ }, ({ kind }) =>
      kind === 'import-statement' ? { path: 'node:http', namespace: 'without-facade' } : undefined,
    );
    bundler.onLoad({ filter: /./, namespace: 'without-facade' }, () => ({
      contents: WITHOUT_FACADE,
    }));
  },
};
