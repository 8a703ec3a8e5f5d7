// The body of a list's answer, unpacked and decoded while it comes: what is held at once is a chunk and an item, however
// long the list is (docs/decisions/0011).
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { createGunzip } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { JsonList } from './json-list.ts';
import type { JsonObject } from './json.ts';
import type { ListDecoder } from './list-decoder.ts';
import { PROTOBUF, ProtobufList, type Message } from './protobuf.ts';

export interface ListReading {
  /** Each item of the list, as soon as it is there; the answer then has none. It must not throw. */
  readonly onItem: (item: unknown) => void;
  /** The list may come in protobuf; then only these fields of it are read. */
  readonly protobuf?: Message | undefined;
}

/** Of unpacked bytes. */
const CHUNK_BYTES = 64 << 10;
/** After so many bytes others have a turn: 150 Services, 2 to 3 ms. */
const TURN_BYTES = 256 << 10;

export async function readListBody(
  asked: string,
  { body, headers }: Dispatcher.ResponseData,
  { onItem, protobuf }: ListReading,
): Promise<JsonObject> {
  const decoder: ListDecoder =
    protobuf !== undefined && headers['content-type'] === PROTOBUF
      ? new ProtobufList(asked, protobuf, onItem)
      : new JsonList(asked, onItem);
  const decode = async (chunks: AsyncIterable<unknown>): Promise<void> => {
    let bytes = 0;
    for await (const chunk of chunks) {
      if (!Buffer.isBuffer(chunk)) continue;
      decoder.push(chunk);
      bytes += chunk.length;
      if (bytes < TURN_BYTES) continue;
      bytes = 0;
      await turn();
    }
  };
  if (headers['content-encoding'] !== 'gzip') await decode(body);
  else await pipeline(body, createGunzip({ chunkSize: CHUNK_BYTES }), decode);
  return decoder.end();
}
