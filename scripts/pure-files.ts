// Which files are pure: no clock, no chance, no I/O. ESLint forbids them the globals, dependency-cruiser the imports, and
// the test runner demands every branch of them covered; all three read these globs. A new pure file of another name
// (say, one split off from plan.ts) is added here.
export const PURE_FILES = [
  'src/net/**/*.ts',
  'src/api/**/*.ts',
  'src/assigner/**/*.ts',
  'src/ipvs-node/**/desired*.ts',
  'src/ipvs-node/**/plan*.ts',
  'src/ipvs-node/**/director-status.ts',
  'src/ipvs-node/**/drain.ts',
  'src/ipvs-node/**/format.ts',
  'src/ipvs-node/**/mirror.ts',
  'src/ipvs-node/**/observed-text.ts',
  'src/ipvs-node/**/outcome.ts',
  'src/migration/**/*.ts',
  'src/drivers/**/desired.ts',
  'src/drivers/**/plan.ts',
] as const;

/** The shells among them: what acts, and what wires. */
export const SHELL_FILES = ['src/assigner/**/act*.ts', 'src/assigner/**/main.ts'] as const;
