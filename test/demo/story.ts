// How the demo talks: numbered steps, the commands as one would type them, and what they print.
import { run, type Outcome } from '../lab/topology.ts';

/** The lab's stdout is a serial line, a terminal to Node whatever shows it: who starts a demo in there says what it is. */
const isTerminal =
  process.env['VIPVS_LAB'] === undefined
    ? process.stdout.isTTY
    : process.argv.includes('--terminal');
const [BOLD, DIM, PLAIN] = isTerminal ? ['\u001b[1m', '\u001b[2m', '\u001b[0m'] : ['', '', ''];

let number = 0;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function step(title: string): void {
  number += 1;
  say(`\n${BOLD}${number}. ${title}${PLAIN}`);
}

export function note(text: string): void {
  say(`   ${text}`);
}

export function shown(text: string): void {
  const body = text.trimEnd();
  if (body !== '') say(body.replace(/^/gm, '     '));
}

/** A command as somebody types it there. */
export function prompt(node: string, displayed: string): void {
  say(`   ${DIM}${node}$${PLAIN} ${displayed}`);
}

/** Runs a command in a node's namespace, shows it as `node$ command` and what it printed. */
export async function show(
  node: string,
  command: readonly string[],
  displayed: string = command.join(' '),
): Promise<Outcome> {
  prompt(node, displayed);
  const outcome = await run(node, command);
  shown(outcome.stdout + outcome.stderr);
  return outcome;
}

/** Polls until `done` answers something else than undefined. Throws after `seconds`, naming what was waited for. */
export async function until<T>(
  what: string,
  seconds: number,
  done: () => Promise<T | undefined>,
): Promise<T> {
  const deadlineMs = performance.now() + seconds * 1000;
  for (;;) {
    const answer = await done();
    if (answer !== undefined) return answer;
    if (performance.now() > deadlineMs) throw new Error(`after ${seconds} s still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
const POLL_MS = 100;
