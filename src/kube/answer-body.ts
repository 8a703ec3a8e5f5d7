// What an answer of the API server carries: bounded, unpacked, parsed. Failures of the connection leave as they are.
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { ApiError } from './errors.ts';

/** RFC 1952: a header of 10 bytes, an empty block of 2, a trailer of 8. */
const GZIP_MIN_BYTES = 20;
/** Node's Z_MIN_CHUNK */
const CHUNK_MIN_BYTES = 64;
const CHUNK_MAX_BYTES = 64 << 20;

const unpack = promisify(gunzip);

/**
 * kube-apiserver compresses answers from 128 KiB on (apiserver, handlers/responsewriters): a list is a fourteenth then, and
 * decrypting what is left out costs more than unpacking it.
 */
export async function bytesOf(
  asked: string,
  { body, headers }: Dispatcher.ResponseData,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<Buffer> {
  const bytes =
    maxBytes === Number.POSITIVE_INFINITY
      ? Buffer.from(await body.arrayBuffer())
      : await boundedBytes(asked, body, maxBytes);
  if (headers['content-encoding'] !== 'gzip') return bytes;
  // RFC 1952, 2.3.1: the last four bytes are the length of what was packed. In the usual pieces of 16 KB zlib would hand
  // a list of 10 MB over in 700 calls and put it together then.
  const length = bytes.length < GZIP_MIN_BYTES ? 0 : bytes.readUInt32LE(bytes.length - 4);
  if (length > maxBytes) throw tooLarge(asked, maxBytes);
  const chunkSize = Math.min(Math.max(length + 1, CHUNK_MIN_BYTES), CHUNK_MAX_BYTES);
  return unpack(bytes, { chunkSize });
}

async function boundedBytes(
  asked: string,
  body: AsyncIterable<unknown>,
  maxBytes: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    if (!Buffer.isBuffer(chunk)) continue;
    length += chunk.length;
    if (length > maxBytes) throw tooLarge(asked, maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

function tooLarge(asked: string, maxBytes: number): ApiError {
  const text = `${asked}: the answer is larger than ${maxBytes} bytes`;
  return new ApiError(text, { code: 'too-large', status: 0 });
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
