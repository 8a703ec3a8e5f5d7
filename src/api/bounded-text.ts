// Texts that fit where they go, however much there is to say. Pure.

const encoder = new TextEncoder();
const MORE = '…';
const MORE_BYTES = encoder.encode(MORE).length;

/** The text, or as much of it as fits with an ellipsis; never half a character, which an API server would change. */
export function cutText(text: string, maxBytes: number): string {
  // a UTF-16 unit has at most three bytes
  if (text.length * 3 <= maxBytes || encoder.encode(text).length <= maxBytes) return text;
  const { read } = encoder.encodeInto(text, new Uint8Array(maxBytes - MORE_BYTES));
  return text.slice(0, read) + MORE;
}

/** `a, b and 3 more` */
export function listed(items: readonly string[], max: number): string {
  const more = items.length - max;
  if (more <= 0) return items.join(', ');
  return `${items.slice(0, max).join(', ')} and ${more} more`;
}
