// Tables as kubectl prints them: upper-case heads, columns parted by three spaces, no frames. Pure.
import { printable } from '../net/address.ts';

const GAP = '   ';

/** `rows` have as many cells as `head`; an empty cell is shown as `<none>`. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [
    head,
    ...rows.map((row) => row.map((cell) => (cell === '' ? '<none>' : printable(cell)))),
  ];
  const widths = head.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines
    .map(
      (line) =>
        line
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join(GAP)
          .trimEnd() + '\n',
    )
    .join('');
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** An age as kubectl shows it: `42s`, `5m`, `3h`, `12d`. */
export function formatAge(ageMs: number): string {
  if (ageMs < 2 * MINUTE_MS) return `${Math.max(0, Math.floor(ageMs / 1000))}s`;
  if (ageMs < 2 * HOUR_MS) return `${Math.floor(ageMs / MINUTE_MS)}m`;
  if (ageMs < 2 * DAY_MS) return `${Math.floor(ageMs / HOUR_MS)}h`;
  return `${Math.floor(ageMs / DAY_MS)}d`;
}

/** Age of an RFC 3339 time; `<unknown>` without one. */
export function formatSince(time: string | undefined, nowMs: number): string {
  const ms = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(ms) ? '<unknown>' : formatAge(nowMs - ms);
}
