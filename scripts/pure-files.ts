// Which files are pure: no clock, no chance, no I/O. ESLint forbids them the globals, dependency-cruiser the imports, and
// the test runner demands every branch of them covered; all three read these globs. A folder is pure as a whole; a pure
// file in a room of shells is named.
export const PURE_FILES = [
  'src/net/**/*.ts',
  'src/api/**/*.ts',
  'src/migration/**/*.ts',
  'src/assigner/{decide,holders}/**/*.ts',
  'src/assigner/{carry-out,engine,project,simulate}.ts',
  'src/assigner/write/{overtaken,own-versions,patches}.ts',
  'src/ipvs-node/{model,desired,plan}/**/*.ts',
  'src/ipvs-node/kernel/ownership/{drain-lines,journal}.ts',
  'src/ipvs-node/mastership/lease-step.ts',
  'src/ipvs-node/reconcile/{agenda,dirty-scope,drift,first-announcements,foreign,mirror,outcome}.ts',
  'src/ipvs-node/report/director-status.ts',
  'src/drivers/**/desired.ts',
  'src/drivers/**/plan.ts',
] as const;
