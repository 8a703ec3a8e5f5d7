// Interface names as bindInterface takes them. Pure.

/** IFNAMSIZ - 1, linux/if.h */
const NAME_MAX = 15;

/** What is wrong with the name, as the end of a sentence; undefined for a good one. dev_valid_name(), net/core/dev.c */
export function interfaceProblem(name: string): string | undefined {
  if (name.length > NAME_MAX) return `${name} is longer than ${NAME_MAX} characters`;
  return /^[^\s/:]+$/.test(name) ? undefined : `${JSON.stringify(name)} is not the name of one`;
}

/** The one interface that a regular expression names; undefined where it may match several. */
export function literalInterface(expression: string): string | undefined {
  const name = /^\^?([A-Za-z0-9_-]+)\$?$/.exec(expression)?.[1];
  return name === undefined || interfaceProblem(name) !== undefined ? undefined : name;
}
