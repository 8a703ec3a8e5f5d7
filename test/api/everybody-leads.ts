// An election that each candidate wins at once and nobody loses: for one assigner alone, or for two that both believe it.
import type { Election } from '../../src/assigner/program.ts';

export const everybodyLeads: Election = {
  problem: undefined,
  acquire: () => Promise.resolve(true),
  keep: (signal) =>
    new Promise((resolve) => {
      if (signal.aborted) resolve('stopped');
      else signal.addEventListener('abort', () => resolve('stopped'), { once: true });
    }),
  release: () => Promise.resolve(),
  mayWrite: () => true,
};
