// Every failure of a request to the API server, mapped once: what it was, whether trying again can help and when,
// and one line a person can act on. Cancelling is not a failure: an aborted request rejects with its signal's reason.
import { arrayAt, isObject, numberAt, objectAt, textAt } from './json.ts';

export const API_ERROR_CODES = [
  'bad-request', // 400, 405, 406, 415: our own mistake
  'unauthorized', // 401
  'forbidden', // 403
  'not-found', // 404
  'already-exists', // 409 on create
  'conflict', // 409 on update, or a precondition that does not hold
  'gone', // 410: the resourceVersion or the continue token is too old
  'invalid', // 422
  'too-many-requests', // 429
  'server', // 5xx
  'timeout', // no answer in time
  'network', // no connection, or it broke
  'bad-answer', // not JSON, or not what was asked for
  'too-large', // an answer above the caller's limit
] as const;
export type ApiErrorCode = (typeof API_ERROR_CODES)[number];

export interface ApiErrorDetails {
  readonly code: ApiErrorCode;
  /** 0 when there was no answer. */
  readonly status: number;
  /** The machine reason of the Status object: `AlreadyExists`, `Expired`, ... */
  readonly reason?: string;
  /** The server asked for this pause before the next try. */
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
}

/** A request failed. `message` says what was asked, of what, and what came back. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ApiErrorCode;
  readonly status: number;
  readonly reason: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(message: string, details: ApiErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.status = details.status;
    this.reason = details.reason;
    this.retryAfterMs = details.retryAfterMs;
  }
}

export function isApiError(error: unknown, ...codes: readonly ApiErrorCode[]): error is ApiError {
  return error instanceof ApiError && (codes.length === 0 || codes.includes(error.code));
}

/** The same request may succeed later without anyone changing it. */
export function isTransient(error: unknown): boolean {
  return isApiError(error, 'too-many-requests', 'server', 'timeout', 'network', 'bad-answer');
}

/**
 * The error for an answer other than 2xx. `asked` is the request as text (`PUT /api/v1/...`); `body` the answer's
 * text, usually a meta/v1 Status; `retryAfter` the header.
 */
export function errorOfAnswer(
  asked: string,
  status: number,
  body: string,
  retryAfter: string | undefined,
): ApiError {
  return errorOfStatus(asked, status, parseOrUndefined(body) ?? body, retryAfter);
}

/** The error for a Status object, be it an answer's body or the object of an ERROR watch event. */
export function errorOfStatus(
  asked: string,
  httpStatus: number,
  body: unknown,
  retryAfter?: string,
): ApiError {
  const status = numberAt(body, 'code') ?? httpStatus;
  const reason = textAt(body, 'reason');
  const retryAfterMs = retryAfterOf(retryAfter, body);
  const text = messageOf(body);
  return new ApiError(`${asked}: ${status}${reason === undefined ? '' : ` ${reason}`}${text}`, {
    code: codeOf(status, reason),
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

/** Why a kind cannot be read, for readiness and the log: what is missing, as the one who can mend it knows it. */
export function explainReading(error: ApiError, verb: 'list' | 'watch', resource: string): string {
  if (error.code === 'forbidden') {
    return `RBAC: the verb ${verb} on ${resource} is missing (${error.message})`;
  }
  if (error.code === 'not-found') {
    return `the API server does not know ${resource}: its CRD is not installed (yet)`;
  }
  if (error.code === 'unauthorized') {
    return `the API server refuses our credentials (${error.message})`;
  }
  return `cannot ${verb} ${resource}: ${error.message}`;
}

/** plugin/pkg/auth/authorizer/rbac and apiserver responsewriters.Forbidden: `cannot create resource "ips" in API group ...` */
const RBAC = /cannot (\w+) resource "([^"]+)" in API group "([^"]*)"/;

/** Whether RBAC refused; admission plugins answer 403, too. */
export function isRbacError(error: ApiError): boolean {
  return error.code === 'forbidden' && RBAC.test(error.message);
}

/** Why a write, or a read before it, is refused: for readiness and the log, as the one who can mend it knows it. */
export function explainWriting(error: ApiError): string {
  const [, verb, resource, group] = isRbacError(error) ? (RBAC.exec(error.message) ?? []) : [];
  if (verb !== undefined && resource !== undefined) {
    const name = group === undefined || group === '' ? resource : resourceOf(resource, group);
    return `RBAC: the verb ${verb} on ${name} is missing (${error.message})`;
  }
  if (error.code === 'unauthorized') {
    return `the API server refuses our credentials (${error.message})`;
  }
  return `cannot write: ${error.message}`;
}

/** `ips/status` of a group is `ips.group/status`. */
function resourceOf(resource: string, group: string): string {
  const [plural = '', subresource] = resource.split('/');
  return `${plural}.${group}${subresource === undefined ? '' : `/${subresource}`}`;
}

function codeOf(status: number, reason: string | undefined): ApiErrorCode {
  switch (status) {
    case 401:
      return 'unauthorized';
    case 403:
      return 'forbidden';
    case 404:
      return 'not-found';
    case 409:
      return reason === 'AlreadyExists' ? 'already-exists' : 'conflict';
    case 410:
      return 'gone';
    case 422:
      return 'invalid';
    case 429:
      return 'too-many-requests';
    default:
      return status >= 500 ? 'server' : 'bad-request';
  }
}

/** Longest part of a server's text that goes into a message. */
const MESSAGE_MAX = 500;

function messageOf(body: unknown): string {
  const text = isObject(body) ? textAt(body, 'message') : typeof body === 'string' ? body : '';
  const causes = arrayAt(objectAt(body, 'details'), 'causes')
    .map((cause) => `${textAt(cause, 'field') ?? '?'}: ${textAt(cause, 'message') ?? '?'}`)
    // The API server usually repeats its causes in the message; only what is new is added
    .filter((cause) => text?.includes(cause) !== true);
  const whole = [text?.trim() ?? '', ...causes].filter((part) => part !== '').join('; ');
  if (whole === '') return '';
  return `: ${whole.length > MESSAGE_MAX ? `${whole.slice(0, MESSAGE_MAX)}…` : whole}`;
}

/** The header (seconds; the API server never sends the date form) or details.retryAfterSeconds of the Status. */
function retryAfterOf(header: string | undefined, body: unknown): number | undefined {
  if (header !== undefined && /^\d{1,6}$/.test(header)) return Number(header) * 1000;
  const seconds = numberAt(objectAt(body, 'details'), 'retryAfterSeconds');
  return seconds === undefined || seconds <= 0 ? undefined : seconds * 1000;
}

function parseOrUndefined(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
