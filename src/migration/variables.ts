// Text that something else should have replaced before: variables of flux, kustomize, Helm and others, placeholders, and
// values that SOPS has encrypted. The import renders nothing; it says what stands in the way. Pure.
import { isObject } from './json.ts';

const VARIABLES: readonly RegExp[] = [
  /\$\{[^}]*\}?/, // flux envsubst, shell
  /\$\([^)]*\)?/, // kustomize vars
  /\{\{|\}\}/, // Helm, Jinja, Argo
  /\[\[.*\]\]|<%.*%>|#\{.*\}/, // other templates
  /<[^<>]+>/, // <lb-ip>, argocd-vault-plugin
  /\$[A-Za-z_]\w*/,
  /@@?\w+@@?|%\w+%|__\w+__/,
  /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/, // LB_IP, put there for a kustomize replacement
];
const ENCRYPTED = /^ENC\[/;

/** What to add to a message about the text: empty for an ordinary one. */
export function variableHint(text: string): string {
  if (ENCRYPTED.test(text.trim())) return '; it is encrypted (SOPS): decrypt it first';
  if (!VARIABLES.some((pattern) => pattern.test(text.trim()))) return '';
  return '; it looks like a variable that nothing has replaced (flux envsubst, kustomize, Helm): render it first';
}

/** `{{ x }}` without quotes is a map with a map for its key in YAML: the text that the user wrote. */
export function templateText(value: unknown): string | undefined {
  if (!isObject(value)) return undefined;
  const [key, ...others] = Object.keys(value);
  if (key === undefined || others.length > 0 || !/^\{.*\}$/s.test(key)) return undefined;
  return `{${key}}`;
}
