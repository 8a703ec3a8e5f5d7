// Which files are pure: no clock, no chance, no I/O. ESLint forbids them the globals, dependency-cruiser the imports, and
// the test runner demands every branch of them covered; all three read this one list of globs.
export const PURE_FILES = [
  'src/net/**/*.ts',
  'src/api/**/*.ts',
  'src/**/plan.ts',
  'src/**/desired.ts',
  'src/**/allocate.ts',
] as const;
