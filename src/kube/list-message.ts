// The table of fields (api/fields.ts) as what the protobuf reader wants: the fields of a list's objects by number.
import type { FieldRow, Fields, Reader } from '../api/fields.ts';
import { isRead } from '../api/keep-fields.ts';
import { messageOf, type Field, type FieldType, type Message } from './protobuf.ts';

const LIST_META = messageOf({
  2: { name: 'resourceVersion', type: 'text' },
  3: { name: 'continue', type: 'text' },
});

/** Lists of a built-in kind, as far as these readers read their objects. */
export function listMessage(fields: Fields, readers: readonly Reader[]): Message {
  const items = messageOfFields(fields, readers);
  return messageOf({
    1: { name: 'metadata', type: { message: LIST_META } },
    2: { name: 'items', type: { message: items }, isList: true },
  });
}

function messageOfFields(fields: Fields, readers: readonly Reader[]): Message {
  const wanted = Object.entries(fields)
    .filter(([, row]) => readers.some((reader) => isRead(row, reader)))
    .map(([name, row]): [number, Field] => {
      const isList = 'isList' in row && row.isList;
      return [row.number, { name, type: typeOf(row, readers), isList }];
    });
  return messageOf(Object.fromEntries(wanted));
}

function typeOf(row: FieldRow, readers: readonly Reader[]): FieldType {
  if ('type' in row) return row.type;
  if ('fields' in row) return { message: messageOfFields(row.fields, readers) };
  const wanted = readers.map((reader) => row.keys[reader]).filter((each) => each !== undefined);
  const [only] = wanted;
  // asked for every entry of every object
  if (only !== undefined && wanted.length === 1) return { map: only };
  return { map: (key) => wanted.some((isWanted) => isWanted(key)) };
}
