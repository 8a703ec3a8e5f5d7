// `vipvs check host`: whether this machine can be a director, as PASS, WARN and FAIL lines.
import { checkHost, isSuitable, type HostCheck } from '../ipvs-node/host/host-check.ts';
import { gatherHostFacts } from '../ipvs-node/host/host-facts.ts';
import { OperationalError } from '../runtime/errors.ts';
import { choiceFlag } from '../runtime/flags.ts';
import { defineCommand, EXIT_FAILED, EXIT_OK } from './command.ts';
import { jsonText } from './data-text.ts';
import { bindInterfaceFlag } from './flag-catalogue.ts';

export const checkHostCommand = defineCommand({
  summary: 'check whether this machine can be a director',
  details: 'Changes nothing. Exit code 1 when a line says FAIL.',
  flags: {
    bindInterface: bindInterfaceFlag,
    output: choiceFlag(
      { flags: '-o, --output <format>', description: 'output format', defaultText: 'text' },
      ['text', 'json'],
    ),
  },
  run: async (io, flags) => {
    let checks: readonly HostCheck[];
    try {
      checks = checkHost(await gatherHostFacts(flags.bindInterface));
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      io.stderr(`vipvs: ${error.message}\n`);
      return EXIT_FAILED;
    }
    const suitable = isSuitable(checks);
    io.stdout(
      flags.output === 'json' ? jsonText({ suitable, checks }) : checks.map(checkLine).join(''),
    );
    return suitable ? EXIT_OK : EXIT_FAILED;
  },
});

function checkLine(check: HostCheck): string {
  return `${check.level} ${check.id}: ${check.message}\n`;
}
