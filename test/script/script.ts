// Scenarios as text files: a title, then sections `-- name arguments --`, each with a body. A section's name picks a step;
// a step that answers a text is a question, and the body is the expected answer. UPDATE_GOLDEN=1 writes the answers in.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Section {
  readonly name: string;
  readonly arguments: string;
  readonly body: string;
}

interface Script {
  /** Everything before the first section. */
  readonly title: string;
  readonly sections: readonly Section[];
}

/** Undefined: done. A text: what is to be compared with the section's body. */
export type Step = (body: string, args: string) => string | undefined | Promise<string | undefined>;

const HEADING = /^-- (\S+)(?: (.*))? --$/;

function parseScript(text: string): Script {
  const title: string[] = [];
  const sections: { name: string; arguments: string; lines: string[] }[] = [];
  for (const line of text.replace(/\n$/, '').split('\n')) {
    const heading = HEADING.exec(line);
    const current = sections.at(-1);
    if (heading !== null) {
      sections.push({ name: heading[1] ?? '', arguments: heading[2] ?? '', lines: [] });
    } else if (current === undefined) title.push(line);
    else current.lines.push(line);
  }
  return {
    title: title.join('\n').trim(),
    sections: sections.map(({ lines, ...rest }) => ({ ...rest, body: lines.join('\n') })),
  };
}

function formatScript({ title, sections }: Script): string {
  const texts = sections.map(({ name, arguments: args, body }) => {
    const heading = `-- ${name}${args === '' ? '' : ` ${args}`} --\n`;
    return body === '' ? heading : `${heading}${body}\n`;
  });
  return `${title}\n${texts.join('')}`;
}

/** Paths of the scenarios of a folder, in name order. */
export function scriptFiles(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.txtar'))
    .sort()
    .map((name) => join(folder, name));
}

/** Runs one scenario. Throws AssertionError where an answer differs. */
export async function runScript(
  file: string,
  steps: Readonly<Record<string, Step>>,
): Promise<void> {
  const script = parseScript(readFileSync(file, 'utf8'));
  const isUpdate = process.env['UPDATE_GOLDEN'] === '1';
  const sections: Section[] = [];
  for (const [i, section] of script.sections.entries()) {
    const step = steps[section.name];
    if (step === undefined) throw new Error(`${file}: no step is called ${section.name}`);
    const answer = (await step(section.body, section.arguments))?.replace(/\n$/, '');
    if (answer !== undefined && !isUpdate) {
      assert.equal(answer, section.body, `${file}: section ${i + 1}, ${section.name}`);
    }
    sections.push(answer === undefined ? section : { ...section, body: answer });
  }
  if (isUpdate) writeFileSync(file, formatScript({ ...script, sections }));
}
