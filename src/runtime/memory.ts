// Gives memory back to the system after a lot of work. V8 keeps the pages of a heap that was once large; a load
// balancer reads 20,000 manifests once and then does next to nothing for weeks.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * For processes that live long: a young generation that stays at V8's first size, 1 MB (parsing 20,000 manifests then peaks
 * at 140 MB instead of 280, in the same time), an old one that is collected when it has grown by a third and not to its
 * double, and a young one that is collected by the thread that fills it: the others were woken each time for what takes it
 * half a millisecond (docs/limits.md). To be called before the work begins.
 */
export function preferLittleMemory(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--heap-growing-percent=30');
  setFlagsFromString('--no-parallel-scavenge');
}

/** Collects all garbage and frees empty pages: 0.1 s for a heap of 100 MB, so only when there is nothing to do. */
export function releaseMemory(): void {
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('gc');
  if (typeof collect !== 'function') return;
  // last-resort: compacts, and frees pooled pages as well
  Reflect.apply(collect, undefined, [{ type: 'major', execution: 'sync', flavor: 'last-resort' }]);
}
