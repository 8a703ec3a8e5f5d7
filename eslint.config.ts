// Lint rules. strictTypeChecked as it comes, plus what keeps the pure core pure and the shell honest.
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

import { PURE_FILES } from './scripts/pure-files.ts';

const noClockOrChance = [
  'Date',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'performance',
  'process',
].map((name) => ({ name, message: 'pure file: time, environment and I/O come in as arguments' }));

export default defineConfig(
  {
    ignores: [
      'node_modules',
      'dist',
      'coverage',
      'native/build',
      'test/controlplane',
      'test/lab/build',
      'deploy',
    ],
  },
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'no-restricted-syntax': [
        'error',
        {
          selector: 'ObjectExpression > SpreadElement > ObjectExpression',
          message: 'write the properties themselves',
        },
      ],
      'no-restricted-exports': ['error', { restrictDefaultExports: { direct: true } }],
      eqeqeq: 'error',
    },
  },
  {
    files: [...PURE_FILES],
    rules: {
      'no-restricted-globals': ['error', ...noClockOrChance],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'pure file' },
      ],
    },
  },
  {
    // node:test's test() returns a promise that the runner itself awaits; a suite is one long callback
    files: ['test/**'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', name: ['test', 'describe', 'it', 'suite'], package: 'node:test' },
          ],
        },
      ],
      'max-lines-per-function': 'off',
    },
  },
  { files: ['*.config.ts'], rules: { 'no-restricted-exports': 'off' } },
);
