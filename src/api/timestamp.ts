// Kubernetes timestamps (RFC 3339, UTC, whole seconds) from and to milliseconds. Pure: a conversion, not the clock.

/** Rounded up to the second, so that a deadline is never early. */
export function formatTimestamp(ms: number): string {
  // eslint-disable-next-line no-restricted-globals -- converts its argument
  return new Date(Math.ceil(ms / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}

/** Undefined for a text that is no time. */
export function parseTimestamp(text: string): number | undefined {
  // eslint-disable-next-line no-restricted-globals -- converts its argument
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
