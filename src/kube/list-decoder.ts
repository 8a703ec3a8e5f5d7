// What reads a list while it comes, and how much of it may be held.
import { ApiError } from './errors.ts';
import type { JsonObject } from './json.ts';

export interface ListDecoder {
  /** Tells the items that this chunk ends. Throws ApiError `bad-answer`, `too-large`. */
  push(chunk: Buffer): void;
  /** The list without its items. Throws where it is not all there. */
  end(): JsonObject;
  /** What came and was not told yet: an item at most, and what stands around the items. */
  readonly heldBytes: number;
}

/** etcd refuses objects over 1.5 MiB by default; their JSON can be longer than their stored form. */
export const ITEM_MAX_BYTES = 16 << 20;

export function itemTooLarge(asked: string): ApiError {
  const text = `${asked}: an item of the list is larger than ${ITEM_MAX_BYTES} bytes`;
  return new ApiError(text, { code: 'too-large', status: 0 });
}
