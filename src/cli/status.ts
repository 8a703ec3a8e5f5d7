// `vipvs status`: what the standalone process wrote into its state directory. Needs neither root nor the process.
import { resolve } from 'node:path';
import { loadState } from '../files/state.ts';
import { fileFailure } from '../files/manifests.ts';
import { choiceFlag, UsageError } from '../runtime/flags.ts';
import { isRunning } from '../runtime/process-identity.ts';
import { defineCommand, EXIT_FAILED, EXIT_OK } from './command.ts';
import { jsonText, yamlText } from './data-text.ts';
import { stateDirFlag } from './flag-catalogue.ts';
import { formatStatus, type StatusView } from './status-report.ts';

export const statusCommand = defineCommand({
  summary: 'show the Pools, addresses and Services of the standalone process',
  details: 'Reads the state directory of `vipvs standalone`; works while the process is down, too.',
  flags: {
    stateDir: stateDirFlag,
    output: choiceFlag(
      { flags: '-o, --output <format>', description: 'output format', defaultText: 'table' },
      ['table', 'wide', 'json', 'yaml'],
    ),
  },
  run: async (io, flags) => {
    const view = await readStatus(resolve(io.cwd, flags.stateDir));
    if (typeof view === 'string') {
      io.stderr(`vipvs: ${view}\n`);
      return EXIT_FAILED;
    }
    switch (flags.output) {
      case 'json':
        io.stdout(jsonText(toData(view)));
        break;
      case 'yaml':
        io.stdout(yamlText(toData(view)));
        break;
      case 'table':
      case 'wide':
        io.stdout(formatStatus(view, Date.now(), flags.output === 'wide'));
    }
    return EXIT_OK;
  },
});

/** The view, or why there is none. */
async function readStatus(directory: string): Promise<StatusView | string> {
  try {
    const { state, notices, isLost } = await loadState(directory);
    if (state !== undefined) {
      return { state, notices, isRunning: await isRunning(state.process) };
    }
    return isLost
      ? notices.join('; ')
      : `no state in ${directory}: \`vipvs standalone\` has not run with this --state-dir`;
  } catch (error) {
    throw new UsageError(`--state-dir ${directory} ${fileFailure(error)}`);
  }
}

function toData(view: StatusView): object {
  const { process, savedAt, pools, ips, services, events, problems } = view.state;
  const isRunningNow = view.isRunning ?? null;
  const { notices } = view;
  return {
    process: { ...process, isRunning: isRunningNow },
    savedAt,
    notices,
    pools,
    ips,
    services,
    events,
    problems,
  };
}
