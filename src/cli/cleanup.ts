// `vipvs cleanup`: takes out of the kernel what vipvs made, says each thing, and leaves everything else alone.
import { resolve } from 'node:path';
import { cleanUp, type CleanupStep } from '../ipvs-node/host/cleanup.ts';
import { OperationalError } from '../runtime/errors.ts';
import { switchFlag } from '../runtime/flags.ts';
import { defineCommand, EXIT_FAILED, EXIT_OK } from './command.ts';
import { runDirFlag } from './flag-catalogue.ts';

export const cleanupCommand = defineCommand({
  summary: 'remove from the kernel what vipvs made, and nothing else',
  details:
    'Deletes the addresses and virtual servers that vipvs made and the nft table inet vipvs, and sets sysctls back ' +
    '(where kube-proxy runs they stay: it needs them). ' +
    'Refuses while a vipvs is running here. May be run again at any time.',
  flags: {
    runDir: runDirFlag,
    dryRun: switchFlag({
      flags: '--dry-run',
      description: 'say what would be done, and do nothing',
    }),
  },
  run: async (io, flags) => {
    try {
      const steps = await cleanUp({
        runDirectory: resolve(io.cwd, flags.runDir),
        dryRun: flags.dryRun,
      });
      for (const step of steps) {
        (step.failure === undefined ? io.stdout : io.stderr)(stepLine(step, flags.dryRun));
      }
      if (steps.length === 0) io.stdout('nothing of vipvs is left in the kernel\n');
      return steps.some((step) => step.failure !== undefined) ? EXIT_FAILED : EXIT_OK;
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      io.stderr(`vipvs: ${error.message}\n`);
      return EXIT_FAILED;
    }
  },
});

const DONE = { delete: 'deleted', restore: 'restored', leave: 'left' } as const;

function stepLine(step: CleanupStep, dryRun: boolean): string {
  if (step.failure !== undefined) {
    return `vipvs: cannot ${step.action} ${step.what}: ${step.failure}\n`;
  }
  return dryRun ? `would ${step.action} ${step.what}\n` : `${DONE[step.action]} ${step.what}\n`;
}
