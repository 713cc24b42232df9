/**
 * The API behind Akamai's portal: every request carries the token of the portal's page, every answer a status of its own.
 */
import { textAt, type JsonAnswer } from './api-json.ts'
import { clean } from './form-text.ts'
import type { Walk } from './form-walk.ts'
import type { Page } from './html.ts'

export interface Portal {
  readonly walk: Walk
  /** The page with the token. */
  readonly page: Page
  readonly origin: string
  readonly host: string
  readonly headers: Readonly<Record<string, string>>
}

/** The status in the body decides; HTTP says 200 to refusals, too. */
export function isGood({ status, body }: JsonAnswer): boolean {
  return (textAt(body, 'status') || String(status)) === '200'
}

export function wordsOf({ body }: JsonAnswer): string {
  return clean(textAt(body, 'msg'), 200)
}

/** The same behind a colon. */
export function saidBy(answer: JsonAnswer): string {
  const said = wordsOf(answer)
  return said && `: ${said}`
}
