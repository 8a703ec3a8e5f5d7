// A reflector's sink for tests, and the projection of the fake server's objects.
import assert from 'node:assert/strict';
import { textAt } from '../../src/kube/json.ts';
import type { ReflectorSink } from '../../src/kube/reflector.ts';

/** Writes every call down as a line. */
export class LineSink implements ReflectorSink<string> {
  readonly lines: string[] = [];
  readonly held = new Map<string, string>();
  onSync(objects: ReadonlyMap<string, string>): void {
    this.lines.push(`sync ${[...objects.keys()].join(' ')}`.trim());
    for (const [key, value] of objects) this.held.set(key, value);
  }
  onUpsert(key: string, value: string): void {
    this.lines.push(`set ${key}=${value}`);
    this.held.set(key, value);
  }
  onDelete(key: string): void {
    this.lines.push(`del ${key}`);
    this.held.delete(key);
  }
}

/** The `value` of a fake object. */
export function project(raw: unknown): string | undefined {
  const value = textAt(raw, 'value');
  assert.equal(textAt(raw, 'apiVersion'), 'v1');
  if (value === 'unreadable') throw new Error('unreadable');
  return value === 'not ours' ? undefined : value;
}
