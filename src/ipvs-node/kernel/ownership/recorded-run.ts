// Runs operations with the ownership record around them: what is to be made is written down first, what is gone or was
// never made is struck out afterwards. Invariant: an operation that can not be written down is refused, not done.
import type { AddressOp } from '../addresses/address-watch.ts';
import { serverKeyOf, type Op, type OpResult, type ServerOp } from '../../model/kernel.ts';
import { bindingKey } from '../../model/owned.ts';
import type { Entry } from './journal.ts';
import { UnrecordedError, type Ownership } from './ownership.ts';

/** What an operation does to the record. */
export interface Effect {
  readonly entry: Entry;
  /** It makes the thing (or takes it over), else it removes it. */
  readonly makes: boolean;
}
type EffectOf<T> = (op: T) => Effect | undefined;
type Work<T> = (ops: readonly T[]) => Promise<readonly OpResult[]>;

/** The kernel no longer has it. */
const GONE = new Set(['ESRCH', 'ENOENT', 'EADDRNOTAVAIL']);

export function ipvsEntry(op: ServerOp): Effect | undefined {
  if (op.op !== 'vs.add' && op.op !== 'vs.set' && op.op !== 'vs.del') return undefined;
  const entry: Entry = { kind: 'virtualServer', key: serverKeyOf(op) };
  return { entry, makes: op.op !== 'vs.del' };
}

export function addressEntry(op: AddressOp): Effect {
  const entry: Entry = { kind: 'address', address: op.address, interface: op.interface };
  return { entry, makes: op.op === 'vip.add' };
}

export async function runRecorded<T extends Op>(
  ownership: Ownership,
  ops: readonly T[],
  effectOf: EffectOf<T>,
  work: Work<T>,
): Promise<readonly OpResult[]> {
  const fresh: Entry[] = [];
  let removes = false;
  for (const op of ops) {
    const effect = effectOf(op);
    if (effect === undefined) continue;
    if (!effect.makes) removes = true;
    else if (!ownership.has(effect.entry)) fresh.push(effect.entry);
  }
  try {
    ownership.claim(fresh);
  } catch (error) {
    if (!(error instanceof UnrecordedError)) throw error;
    return withoutFresh(ownership, ops, new Set(fresh.map(entryId)), effectOf, work, error);
  }
  const results = await work(ops);
  if (removes || !results.every(({ ok }) => ok)) {
    const freshIds = new Set(fresh.map(entryId));
    ownership.release(releasedEntries(ops.map(effectOf), freshIds, results));
  }
  return results;
}

/** In order, so that of several operations on one thing the last decides. */
function releasedEntries(
  effects: readonly (Effect | undefined)[],
  fresh: ReadonlySet<string>,
  results: readonly OpResult[],
): readonly Entry[] {
  const released = new Map<string, Entry>();
  /** Written down just now, and not made yet. */
  const pending = new Set(fresh);
  for (const [i, effect] of effects.entries()) {
    const result = results[i];
    if (effect === undefined || result === undefined) continue;
    const id = entryId(effect.entry);
    if (effect.makes) {
      if (result.ok) {
        released.delete(id);
        pending.delete(id);
      }
      // refused: EEXIST among them, which says that it is somebody else's, unless we made it a moment before
      else if (pending.has(id) && result.errno !== 'unknown') released.set(id, effect.entry);
    } else if (result.ok || GONE.has(result.errno)) released.set(id, effect.entry);
  }
  return [...released.values()];
}

/** The record can't be written: what needs a new line in it is refused, the rest is done. */
async function withoutFresh<T extends Op>(
  ownership: Ownership,
  ops: readonly T[],
  fresh: ReadonlySet<string>,
  effectOf: EffectOf<T>,
  work: Work<T>,
  error: UnrecordedError,
): Promise<readonly OpResult[]> {
  const refusal: OpResult = { ok: false, errno: error.errno, message: error.message };
  const isRefused = ops.map((op) => {
    const effect = effectOf(op);
    return effect?.makes === true && fresh.has(entryId(effect.entry));
  });
  const rest = ops.filter((_, i) => isRefused[i] === false);
  const done = await runRecorded(ownership, rest, effectOf, work);
  let next = 0;
  return isRefused.map((refused) => (refused ? refusal : (done[next++] ?? refusal)));
}

function entryId(entry: Entry): string {
  return entry.kind === 'virtualServer' ? entry.key : bindingKey(entry.address, entry.interface);
}
