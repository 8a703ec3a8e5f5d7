// `vipvs sysctls`: sets what `vipvs node` may need, for an init container that is privileged where the agent is not.
import { LinuxKernel } from '../ipvs-node/kernel/linux.ts';
import { SYSCTLS, type SysctlKey } from '../ipvs-node/model/state.ts';
import { OperationalError } from '../runtime/errors.ts';
import { defineCommand, EXIT_FAILED, EXIT_OK } from './command.ts';
import { runDirFlag } from './flag-catalogue.ts';

const DETAILS = `Raises the settings of the kernel that forwarding by NAT needs, as the agent would where it may: nothing is lowered, and
\`vipvs cleanup\` puts them back. Exit code 1 when one could not be set.`;

/** Only kernels before 5.9 need it, and they can't be known here to need it; the agent says so where it does. */
const LEFT_OUT: ReadonlySet<SysctlKey> = new Set(['net/ipv4/vs/conn_reuse_mode']);

export const sysctlsCommand = defineCommand({
  summary: 'set the kernel settings that the agent needs, for a privileged init container',
  details: DETAILS,
  flags: { runDir: runDirFlag },
  run: async (io, { runDir }) => {
    let kernel: LinuxKernel;
    try {
      kernel = await LinuxKernel.open({ runDirectory: runDir });
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      io.stderr(`vipvs: ${error.message}\n`);
      return EXIT_FAILED;
    }
    try {
      const keys = SYSCTLS.filter((key) => !LEFT_OUT.has(key));
      const results = await kernel.run(keys.map((key) => ({ op: 'sysctl.set', key, value: 1 })));
      const failures = results.flatMap((result) => (result.ok ? [] : [result.message]));
      for (const message of failures) io.stderr(`vipvs: ${message}\n`);
      return failures.length === 0 ? EXIT_OK : EXIT_FAILED;
    } finally {
      await kernel.close();
    }
  },
});
