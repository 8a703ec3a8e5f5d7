// Directories of manifests also hold compose files, values of charts, playbooks and templates: what is meant as a manifest,
// and what is not. Pure.
import { isKnownKind, misspeltHead } from '../api/kinds.ts';
import { isRecord, textField } from './raw-fields.ts';

/** Go templates and Jinja. */
const TEMPLATE_SIGN = /\{\{|\{%/;
export const TEMPLATE = 'a template (Helm, Jinja); check what it renders';

/** Zero bytes, and what is no UTF-8: a binary file has every pair of characters somewhere. */
const NO_TEXT = /[\0\uFFFD]/;

export function looksLikeTemplate(text: string): boolean {
  return TEMPLATE_SIGN.test(text) && !NO_TEXT.test(text);
}

/** Why the document is none for us to judge; undefined where somebody meant a manifest, however wrong it is. */
export function reasonToSkip(value: unknown): string | undefined {
  if (!isRecord(value)) return 'no apiVersion and kind';
  const kind = textField(value, 'kind');
  const apiVersion = textField(value, 'apiVersion');
  if (Object.hasOwn(value, 'kind') && Object.hasOwn(value, 'apiVersion')) return undefined;
  const [hasMetadata, hasSpec] = [isRecord(value['metadata']), isRecord(value['spec'])];
  const hasHalf = kind !== undefined || apiVersion !== undefined;
  const isMeant =
    (kind !== undefined && isKnownKind(kind)) ||
    (hasHalf ? hasMetadata || hasSpec : hasMetadata && hasSpec) ||
    misspeltHead(value).length > 0;
  if (isMeant) return undefined;
  if (kind !== undefined) return 'no apiVersion';
  return apiVersion !== undefined ? 'no kind' : 'no apiVersion and kind';
}
