/**
 * What `doctor` says of one thing.
 */

import { isFailure, messageOf } from './errors.ts'

export interface Finding {
  /** What was looked at: a stable word for scripts. */
  readonly check: string
  /** `problem`: clients will not get credentials, or somebody else's. `warning`: it may come to that. */
  readonly verdict: 'ok' | 'warning' | 'problem'
  /** One sentence without a full stop; no secret. */
  readonly message: string
  /** What to type. */
  readonly hint?: string
}

export type Env = Readonly<Record<string, string | undefined>>

/** Of a failure, its words and its hint. */
export function problem(check: string, error: unknown): Finding {
  const hint = isFailure(error) ? error.hint : undefined
  return { check, verdict: 'problem', message: messageOf(error), ...(hint !== undefined && { hint }) }
}

export function ok(check: string, message: string): Finding {
  return { check, verdict: 'ok', message }
}
