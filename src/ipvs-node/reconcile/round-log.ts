// What a round came to, for the log and the metrics.
import type { AgentPorts, RoundSummary } from './agent-ports.ts';
import type { Execution } from './execute.ts';

export function tellRound(
  { log, onRound }: Pick<AgentPorts, 'log' | 'onRound'>,
  kind: RoundSummary['kind'],
  durationMs: number,
  { counts, drift, failures }: Execution,
): void {
  const round = { kind, durationMs, counts, drift, failures: failures.length };
  log.info({ ...round }, 'round');
  for (const { op, errno, message, target } of failures) {
    log.warn({ op: op.op, errno, reason: message, target }, 'operation failed');
  }
  onRound?.(round);
}
