/**
 * Failures a person is meant to read: what happened, why, and what to type. The kind decides the exit code.
 */

/** Exit codes; `exec` alone answers with the child's own. */
export const exitCodes = {
  unexpected: 1,
  usage: 2,
  'no-daemon': 3,
  /** The identity provider said no: wrong password, locked, second factor refused. */
  refused: 10,
  /** A person is needed and there is no terminal, or nothing may be asked now. */
  person: 11,
  /** Role not found, or the pattern fits several. */
  role: 12,
  config: 20,
  /** Network or identity provider out of order, or a page that is not understood. */
  network: 30,
  sts: 31,
  /** Link-local address, port or privilege. */
  address: 40,
  /** A plugin crashed, hung, or broke its contract. */
  plugin: 50,
  /** The person pressed Ctrl-C at a question; as a shell reports SIGINT. */
  cancelled: 130,
} as const

export type FailureKind = keyof typeof exitCodes

export interface Failure extends Error {
  readonly kind: FailureKind
  /** The command or the setting that would help. */
  readonly hint?: string
  /** A finer name for programs, such as `password-refused`; stable. */
  readonly code?: string
}

interface FailureDetail {
  hint?: string | undefined
  code?: string | undefined
  cause?: unknown
}

/** `throw failure('refused', 'the identity provider refused the password', { hint: 'cloudtoken --password-prompt' })` */
export function failure(kind: FailureKind, message: string, detail: FailureDetail = {}): Failure {
  const error = detail.cause === undefined ? new Error(message) : new Error(message, { cause: detail.cause })
  const { hint, code } = detail
  return Object.assign(error, { name: 'Failure', kind, ...(hint && { hint }), ...(code && { code }) })
}

export function isFailure(error: unknown): error is Failure {
  return error instanceof Error && 'kind' in error && typeof error.kind === 'string' && error.kind in exitCodes
}

/** The first line of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** `ENOENT` and the like, from any runtime. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** What the system said, without the names of its calls: `permission denied`. */
export function reasonOf(error: unknown): string {
  const message = messageOf(error)
  return codeOf(error) === undefined ? message : message.replace(/^[A-Z0-9]+: (.+?)(?:, \w+(?: '.*)?)?$/s, '$1')
}
