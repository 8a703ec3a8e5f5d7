// One line of a watch, parsed. A watch that says something we cannot read has failed: nothing in it is skipped.
import { ApiError } from './errors.ts';
import { isObject, textAt } from './json.ts';
import type { LineSplitter } from './lines.ts';

const EVENT_TYPES = ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'] as const;

export interface WatchEvent {
  readonly type: (typeof EVENT_TYPES)[number];
  readonly object: unknown;
}

/** Throws ApiError `bad-answer`. */
export function parseEvent(line: string, path: string): WatchEvent {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch (cause) {
    throw badEvent(path, 'a line that is not JSON', cause);
  }
  const type = EVENT_TYPES.find((one) => one === textAt(event, 'type'));
  if (type === undefined || !isObject(event)) throw badEvent(path, 'an event of no known type');
  return { type, object: event['object'] };
}

/** The lines that a chunk ends. Throws ApiError `bad-answer`. */
export function linesOf(splitter: LineSplitter, chunk: Buffer, path: string): string[] {
  try {
    return splitter.push(chunk);
  } catch (cause) {
    throw badEvent(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

export function badEvent(path: string, what: string, cause?: unknown): ApiError {
  return new ApiError(`WATCH ${path}: ${what}`, { code: 'bad-answer', status: 0, cause });
}

export function notAList(path: string): ApiError {
  return new ApiError(`GET ${path}: the answer is not a list`, { code: 'bad-answer', status: 0 });
}
