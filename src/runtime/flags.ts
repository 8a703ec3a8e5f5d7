// Flags and environment variables as one typed table per command. Precedence: flag, then environment, then default.
// Invariant: a value that is not allowed never gets past here, and its message says what, where and what is allowed.

/** Somebody wrote a command line, an environment variable or a file name that can't be used. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Flag<T> {
  /** commander's syntax: `-o, --output <format>`. */
  readonly flags: string;
  readonly description: string;
  /** Name of the environment variable; only flags of long-running programs have one. */
  readonly env?: string;
  /** Shown in the help text. */
  readonly defaultText?: string;
  /** For shell completion; `files` completes paths. */
  readonly complete?: readonly string[] | 'files';
  readonly repeatable: boolean;
  readonly takesValue: boolean;
  /** From the texts given (empty: not given). `where` names the flag or the variable. Throws UsageError. */
  readonly read: (texts: readonly string[], where: string) => T;
}

export type Flags = Readonly<Record<string, Flag<unknown>>>;
export type FlagValues<F extends Flags> = {
  readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

export interface FlagText {
  readonly flags: string;
  readonly description: string;
  readonly env?: string;
  readonly complete?: readonly string[] | 'files';
}

function lastOf(texts: readonly string[]): string | undefined {
  return texts[texts.length - 1];
}

/** A flag that may be left out. `parse` answers undefined for a text that is not allowed. */
export function optionalFlag<T>(
  text: FlagText,
  allowed: string,
  parse: (text: string) => T | undefined,
): Flag<T | undefined> {
  return {
    ...text,
    repeatable: false,
    takesValue: true,
    read: (texts, where) => {
      const last = lastOf(texts);
      return last === undefined ? undefined : parsed(last, where, allowed, parse);
    },
  };
}

/** A flag with a default. */
export function valueFlag<T>(
  text: FlagText & { readonly defaultText: string },
  allowed: string,
  parse: (text: string) => T | undefined,
): Flag<T> {
  return {
    ...text,
    repeatable: false,
    takesValue: true,
    read: (texts, where) => parsed(lastOf(texts) ?? text.defaultText, where, allowed, parse),
  };
}

/** A flag that must be given. */
export function requiredFlag<T>(
  text: FlagText,
  allowed: string,
  parse: (text: string) => T | undefined,
): Flag<T> {
  return {
    ...text,
    repeatable: false,
    takesValue: true,
    read: (texts, where) => {
      const last = lastOf(texts);
      if (last === undefined) throw new UsageError(`${where} is missing: ${allowed}`);
      return parsed(last, where, allowed, parse);
    },
  };
}

function parsed<T>(
  text: string,
  where: string,
  allowed: string,
  parse: (text: string) => T | undefined,
): T {
  const value = parse(text);
  if (value === undefined) {
    throw new UsageError(`${where}: ${JSON.stringify(text)} is not allowed: ${allowed}`);
  }
  return value;
}

export function switchFlag(text: FlagText): Flag<boolean> {
  return {
    ...text,
    repeatable: false,
    takesValue: false,
    read: (texts, where) => {
      const last = lastOf(texts);
      return last !== undefined && parsed(last, where, 'true or false', parseBoolean);
    },
  };
}

/** A flag that may be given several times; `least` is how many there must be. */
export function listFlag(text: FlagText, least: 0 | 1, allowed: string): Flag<readonly string[]> {
  return {
    ...text,
    repeatable: true,
    takesValue: true,
    read: (texts, where) => {
      if (texts.length < least) throw new UsageError(`${where} is missing: ${allowed}`);
      // as of a shell variable that is not set: it would be read as the working directory
      if (texts.includes('')) throw new UsageError(`${where}: "" is not allowed: ${allowed}`);
      return texts;
    },
  };
}

export function choiceFlag<const C extends readonly string[]>(
  text: FlagText & { readonly defaultText: C[number] },
  choices: C,
): Flag<C[number]> {
  return valueFlag({ ...text, complete: choices }, `one of ${choices.join(', ')}`, (value) =>
    choices.find((choice) => choice === value),
  );
}

function parseBoolean(text: string): boolean | undefined {
  return text === 'true' ? true : text === 'false' ? false : undefined;
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `1h30m` -> milliseconds; undefined where the text is no duration. */
export function parseDurationMs(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ms|s|m|h)/g)) {
    totalMs += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0);
  }
  return totalMs;
}

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}
export const LISTEN_ALLOWED = 'HOST:PORT such as 127.0.0.1:9472, [::1]:9472 or :9472, or off';

/** `host:port`; `:port` is every address; `off` is no listener. */
export function parseListen(text: string): ListenAddress | 'off' | undefined {
  if (text === 'off') return 'off';
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) return undefined;
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '' ? '::' : host, port };
}

/** 15 characters and no slash: dev_valid_name() of the kernel, net/core/dev.c. */
export function parseInterfaceName(text: string): string | undefined {
  return /^[^\s/:]{1,15}$/.test(text) && text !== '.' && text !== '..' ? text : undefined;
}

export function parseNonEmpty(text: string): string | undefined {
  return text === '' ? undefined : text;
}

const ENV_PREFIX = 'VIPVS_';

/** Every variable with our prefix that means something, in any command or in bin/vipvs and the build. */
export const ENVIRONMENT = [
  'VIPVS_BIND_IFACE',
  'VIPVS_LEASE_DURATION',
  'VIPVS_LIBRARY',
  'VIPVS_LISTEN',
  'VIPVS_LOG_FORMAT',
  'VIPVS_LOG_LEVEL',
  'VIPVS_MANIFESTS',
  'VIPVS_NODE_NAME',
  'VIPVS_RUN_DIR',
  'VIPVS_STATE_DIR',
] as const;
/** The lab's and its scripts': VIPVS_LAB, VIPVS_LAB_ENGINE, … */
const LAB_NAMES = /^VIPVS_LAB(_|$)/;

/** Throws UsageError for a variable with our prefix that nothing reads: it is a typo that would go unseen. */
export function checkEnvironment(env: Readonly<Record<string, string | undefined>>): void {
  const known: readonly string[] = ENVIRONMENT;
  for (const name of Object.keys(env).sort()) {
    if (!name.startsWith(ENV_PREFIX) || LAB_NAMES.test(name) || known.includes(name)) continue;
    const near = nearest(name, known);
    throw new UsageError(
      `unknown environment variable ${name}${near === undefined ? '' : ` (did you mean ${near}?)`}; known: ${known.join(', ')}`,
    );
  }
}

/** Most edits between a typo and what was meant. */
const MAX_EDITS = 3;

/** The word with the fewest edits away from `text`; undefined where none is near. */
export function nearest(text: string, words: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestEdits = MAX_EDITS + 1;
  for (const word of words) {
    const edits = editDistance(text, word);
    if (edits < bestEdits) {
      best = word;
      bestEdits = edits;
    }
  }
  return best;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The long name of a flag: `-o, --output <format>` -> `--output`. */
export function longName(flag: Pick<Flag<unknown>, 'flags'>): string {
  return /--[a-z][a-z0-9-]*/.exec(flag.flags)?.[0] ?? flag.flags;
}

/** Reads every flag of the table. `given` holds the texts of the command line by long name. Throws UsageError. */
export function readFlags<F extends Flags>(
  flags: F,
  given: ReadonlyMap<string, readonly string[]>,
  env: Readonly<Record<string, string | undefined>>,
): FlagValues<F> {
  const entries = Object.entries(flags).map(([key, flag]): [string, unknown] => {
    const name = longName(flag);
    const texts = given.get(name);
    if (texts !== undefined) return [key, flag.read(texts, name)];
    const fromEnv = flag.env === undefined ? undefined : env[flag.env];
    if (flag.env === undefined || fromEnv === undefined) return [key, flag.read([], name)];
    return [key, flag.read([fromEnv], flag.env)];
  });
  // the one cast: Object.fromEntries can't know that every key of F is there
  return Object.freeze(Object.fromEntries(entries)) as FlagValues<F>;
}
