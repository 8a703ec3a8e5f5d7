// Runs the `nft` binary for the table `inet vipvs`: the only file that does. One `nft -f -` is one kernel transaction:
// all of its changes or none. Invariant: no other table is named in anything that is sent.
import {
  DELETE_TABLE_SCRIPT,
  LAYOUT_SCRIPT,
  NFT_FAMILY,
  NFT_TABLE,
  parseErrors,
  parseListing,
  PROBE_SCRIPT,
  renderChanges,
  renderOnePerLine,
  type NftError,
} from './nft-script.ts';
import type { FirewallOp, OpResult } from '../../model/kernel.ts';
import { runProcess, type ProcessOutcome } from '../run-process.ts';
import { emptyFirewall, type FirewallState } from '../../model/firewall.ts';

/** Loading 10,000 elements takes 0.3 s in the emulated guest; a kernel that compiles modules in may take seconds. */
const NFT_TIMEOUT_MS = 20_000;
/** A transaction is tried again without the changes that the kernel refused; nft's own checks name one at a time. */
const MOST_RETRIES = 20;

export type RunNft = (args: readonly string[], script: string) => Promise<ProcessOutcome>;

/** Runs nft with the script on its standard input. */
const runNft: RunNft = (args, script) =>
  runProcess('nft', args, { input: script, timeoutMs: NFT_TIMEOUT_MS });

/** Why there is no firewall part: one line for a person. */
export interface NftAbsence {
  readonly reason: string;
}

const NO_REASON: NftError = { line: undefined, errno: 'unknown', message: 'no reason given' };

export class NftFirewall {
  readonly #run: RunNft;
  /** `other`: not there or not as we lay it out; the next change makes it anew. */
  #table: 'unknown' | 'ours' | 'other' = 'unknown';
  #absence: NftAbsence | undefined;
  /** Grows where a change begins and where it ends: what was listed meanwhile is neither the state before nor after. */
  #edits = 0;

  constructor(run: RunNft = runNft) {
    this.#run = run;
  }

  /** Set when the last observe() said `absent`. */
  get absence(): NftAbsence | undefined {
    return this.#absence;
  }

  /**
   * `absent`: no nft binary, or a kernel without the family. undefined: it could not be read now, or a change ran
   * meanwhile. A table that is missing or damaged reads as empty sets, so that the plan fills them again.
   */
  async observe(): Promise<FirewallState | 'absent' | undefined> {
    const edits = this.#edits;
    const listed = await this.#run(['-j', '-n', 'list', 'table', NFT_FAMILY, NFT_TABLE], '');
    if (edits !== this.#edits) return undefined;
    this.#absence = undefined;
    if (listed.kind === 'missing') return this.#absent('the program nft is not installed');
    if (listed.kind === 'lost') return undefined;
    if (listed.code === 0) {
      const listing = parseListing(listed.stdout);
      this.#table = listing.layout;
      return listing.layout === 'ours' ? listing.firewall : emptyFirewall();
    }
    if (!parseErrors(listed.stderr).some((error) => error.errno === 'ENOENT')) return undefined;
    // nft says the same for a table that is missing and a family that is
    const probe = await this.#run(['-c', '-f', '-'], PROBE_SCRIPT);
    if (probe.kind !== 'exit' || edits !== this.#edits) return undefined;
    if (probe.code === 0) {
      this.#table = 'other';
      return emptyFirewall();
    }
    const refused = parseErrors(probe.stderr)[0];
    if (refused?.errno !== 'EOPNOTSUPP') return undefined;
    return this.#absent('the kernel has no nftables family inet');
  }

  /** All changes in one transaction; those that the kernel refuses are answered and left out. */
  async change(changes: readonly FirewallOp[]): Promise<readonly OpResult[]> {
    if (changes.length === 0) return [];
    this.#edits++;
    try {
      return await this.#change(changes);
    } finally {
      this.#edits++;
    }
  }

  async #change(changes: readonly FirewallOp[]): Promise<readonly OpResult[]> {
    if (this.#table === 'unknown') await this.observe();
    if (this.#absence !== undefined) {
      const failed = failure({ ...NO_REASON, errno: 'EOPNOTSUPP', message: this.#absence.reason });
      return changes.map(() => failed);
    }
    const layout = this.#table === 'other' ? LAYOUT_SCRIPT : '';
    const whole = await this.#transaction(layout + renderChanges(changes));
    if (whole === 'done') return changes.map(() => ({ ok: true }));
    if (layout === '' && whole.some(isMissingTable)) {
      // somebody deleted it: every change would fail, and nft takes half a minute to say so 10,000 times
      this.#table = 'unknown';
      const failed = failure({ ...NO_REASON, errno: 'ENOENT', message: 'the table is gone' });
      return changes.map(() => failed);
    }
    return this.#withoutRefused(layout, changes, whole);
  }

  async #withoutRefused(
    layout: string,
    changes: readonly FirewallOp[],
    first: readonly NftError[],
  ): Promise<readonly OpResult[]> {
    const results = new Array<OpResult | undefined>(changes.length);
    const linesBefore = layout.split('\n').length - 1;
    let left = changes.map((change, index) => ({ change, index }));
    let errors = first;
    for (let tries = 0; tries < MOST_RETRIES && left.length > 0; tries++) {
      const lines = renderOnePerLine(left.map((item) => item.change));
      const outcome = await this.#transaction(layout + lines.join(''));
      if (outcome === 'done') {
        for (const { index } of left) results[index] = { ok: true };
        left = [];
        break;
      }
      errors = outcome;
      const refused = new Map(outcome.map((error) => [(error.line ?? 0) - linesBefore - 1, error]));
      const rest = left.filter((item, line) => {
        const error = refused.get(line);
        if (error !== undefined) results[item.index] = failure(error);
        return error === undefined;
      });
      if (rest.length === left.length) break; // no change is to blame: the reason is common to all
      left = rest;
    }
    const common = failure(errors[0] ?? NO_REASON);
    return Array.from(results, (result) => result ?? common);
  }

  /** Whether the table is there, as anybody laid it out. Throws where nft fails. */
  async exists(): Promise<boolean> {
    const listed = await this.#run(['list', 'table', NFT_FAMILY, NFT_TABLE], '');
    if (listed.kind === 'missing') return false;
    if (listed.kind === 'lost') throw new Error(listed.why);
    if (listed.code === 0) return true;
    const first = parseErrors(listed.stderr)[0];
    if (first?.errno === 'ENOENT') return false;
    throw new Error(`cannot read nft table inet vipvs: ${first?.message ?? listed.stderr.trim()}`);
  }

  /** Removes the table. False: it was not there. Throws where nft fails. */
  async remove(): Promise<boolean> {
    if (!(await this.exists())) return false;
    const outcome = await this.#transaction(DELETE_TABLE_SCRIPT);
    this.#table = 'other';
    if (outcome === 'done') return true;
    throw new Error(
      `cannot delete nft table inet vipvs: ${outcome[0]?.message ?? 'no reason given'}`,
    );
  }

  #absent(reason: string): 'absent' {
    this.#absence = { reason };
    return 'absent';
  }

  async #transaction(script: string): Promise<'done' | readonly NftError[]> {
    const outcome = await this.#run(['-f', '-'], script);
    switch (outcome.kind) {
      case 'missing':
        return [
          { line: undefined, errno: 'EOPNOTSUPP', message: 'the program nft is not installed' },
        ];
      case 'lost':
        this.#table = 'unknown';
        return [{ line: undefined, errno: 'unknown', message: outcome.why }];
      case 'exit':
        if (outcome.code !== 0) return parseErrors(outcome.stderr);
        this.#table = 'ours';
        return 'done';
    }
  }
}

/** The kernel's own ENOENT is about an element; nft's, from before the transaction, about the table or a set. */
function isMissingTable(error: NftError): boolean {
  return error.errno === 'ENOENT' && !error.message.includes('process rule');
}

function failure(error: NftError): OpResult {
  return { ok: false, errno: error.errno, message: `nft: ${error.message}` };
}
