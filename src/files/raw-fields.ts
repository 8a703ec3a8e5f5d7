// Fields of data whose shape is not known yet.

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function textField(value: unknown, name: string): string | undefined {
  const field = isRecord(value) && Object.hasOwn(value, name) ? value[name] : undefined;
  return typeof field === 'string' ? field : undefined;
}

export interface RawItem {
  readonly raw: unknown;
  readonly path: readonly PropertyKey[];
}

/** `kind: List` holds whole objects; `kind: ServiceList` (what the API answers) may leave kind and version out. */
export function itemsOf(value: unknown): readonly RawItem[] {
  const kind = textField(value, 'kind');
  if (!isRecord(value) || kind?.endsWith('List') !== true || !Array.isArray(value['items'])) {
    return [{ raw: value, path: [] }];
  }
  const itemKind = kind.slice(0, -'List'.length);
  return value['items'].flatMap((item: unknown, i): readonly RawItem[] => {
    const raw =
      isRecord(item) && item['kind'] === undefined && itemKind !== ''
        ? { apiVersion: value['apiVersion'], kind: itemKind, ...item }
        : item;
    return itemsOf(raw).map((inner) => ({ raw: inner.raw, path: ['items', i, ...inner.path] }));
  });
}
