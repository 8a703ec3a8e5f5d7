// What an answer of the API server carries, but for lists (list-body.ts): unpacked, parsed. Failures of the connection leave as they are.
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { ApiError } from './errors.ts';

const unpack = promisify(gunzip);

/**
 * kube-apiserver compresses answers from 128 KiB on (apiserver, handlers/responsewriters): a list is a fourteenth then, and
 * decrypting what is left out costs more than unpacking it.
 */
export async function bytesOf({ body, headers }: Dispatcher.ResponseData): Promise<Buffer> {
  const bytes = Buffer.from(await body.arrayBuffer());
  return headers['content-encoding'] === 'gzip' ? unpack(bytes) : bytes;
}

export function parseAnswer(asked: string, text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch (cause) {
    throw new ApiError(`${asked}: the answer is not JSON`, {
      code: 'bad-answer',
      status: 0,
      cause,
    });
  }
}
