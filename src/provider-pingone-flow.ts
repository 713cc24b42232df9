/**
 * PingOne's flow API: `GET` says what is wanted, `POST` with the media type of an action answers it
 * (https://developer.pingidentity.com/pingone-api/auth/flows.html).
 */
import { askJson, at, headersFrom, listAt, textAt, type JsonAnswer } from './api-json.ts'
import { passwordRefused } from './api-secret.ts'
import { codeOfText, formFailure, type FormCode } from './form-failure.ts'
import { clean } from './form-text.ts'
import type { Walk } from './form-walk.ts'
import type { Page } from './html.ts'

export interface Flow {
  readonly walk: Walk
  /** The sign-on page that a browser would show. */
  readonly page: Page
  readonly url: URL
}

/** `undefined` where the page belongs to no flow, or only to the end of one. */
export function beginFlow(walk: Walk, page: Page): Flow | undefined {
  const { pathname, searchParams } = new URL(page.url)
  const id = searchParams.get('flowId')
  if (!id || pathname.endsWith('/resume')) return undefined
  return { walk, page, url: new URL(`${baseOf(walk, page)}/flows/${encodeURIComponent(id)}`) }
}

/** Beside the service that began it; the page itself is on another host, often `apps.pingone.com`. */
function baseOf({ entry }: Walk, { url }: Page): string {
  const service = /^(.*)\/(?:saml20|as)\//.exec(entry.pathname)
  if (service) return `${entry.origin}${service[1]}`
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host.replace(/^apps\./, 'auth.')}${pathname.replace(/\/(?:signon\b.*)?$/, '')}`
}

/** True when the flow takes that action now. */
export function offers(answer: unknown, action: string): boolean {
  return at(answer, '_links', action) !== undefined
}

export async function readFlow(flow: Flow): Promise<unknown> {
  const answer = await askJson(flow.walk.context, { url: flow.url.href, headers: headersFrom(flow.page, flow.url) })
  if (answer.status < 400) return answer.body
  throw refusedBy(flow, answer)
}

/** What follows the action; rejects with what was refused. */
export async function act(flow: Flow, action: string, body: unknown): Promise<unknown> {
  const answer = await tryAction(flow, action, body)
  if (answer.status < 400) return answer.body
  throw refusedBy(flow, answer)
}

export function tryAction(flow: Flow, action: string, body: unknown): Promise<JsonAnswer> {
  const headers = { ...headersFrom(flow.page, flow.url), 'content-type': `application/vnd.pingidentity.${action}+json` }
  return askJson(flow.walk.context, { url: flow.url.href, headers, body, sensitive: true })
}

/** The words of an error: those of its details, which are finer, else its own. */
function wordsOf(body: unknown): string {
  const details = listAt(body, 'details').map(detail => textAt(detail, 'message'))
  return clean(details.filter(Boolean).join('; ') || textAt(body, 'message'), 200)
}

/** The same for a person, with the tries that are left. */
export function saidBy(body: unknown): string {
  const left = listAt(body, 'details').map(detail => textAt(detail, 'innerError', 'failuresRemaining'))
  const tries = left.find(Boolean)
  return `${wordsOf(body)}${tries === undefined ? '' : ` (${clean(tries, 10)} more tries before the account is locked)`}`
}

const codes: ReadonlyMap<string, FormCode> = new Map<string, FormCode>([
  ['PASSWORD_LOCKED_OUT', 'account-locked'],
  ['ACCOUNT_LOCKED', 'account-locked'],
  ['ACCOUNT_DISABLED', 'account-disabled'],
  ['USER_DISABLED', 'account-disabled'],
  ['PASSWORD_EXPIRED', 'password-expired'],
  ['MUST_CHANGE_PASSWORD', 'password-expired'],
  ['PUSH_CONFIRMATION_TIMED_OUT', 'mfa-timeout'],
])

/** The finest code that an error has, and what it is about. */
function codeOf(body: unknown): { readonly code: FormCode | undefined; readonly target: string } {
  const details = listAt(body, 'details')
  const names = [...details.map(detail => textAt(detail, 'code')), textAt(body, 'code')]
  const code = names.map(name => codes.get(name)).find(found => found !== undefined)
  return { code, target: details.map(detail => textAt(detail, 'target')).find(Boolean) ?? '' }
}

export function refusedBy({ walk, url }: Flow, { status, body }: JsonAnswer): Error {
  const { host } = url
  const said = saidBy(body)
  const { code, target } = codeOf(body)
  const message = `${host} refused the sign-in${said && `: ${said}`}`
  if (code !== undefined) return formFailure(code, message)
  if (target === 'username' && walk.last === undefined) return formFailure('username-refused', message)
  const known = codeOfText(wordsOf(body))
  if (known !== undefined && known !== 'state-lost') return formFailure(known, message)
  if (walk.last === 'password' && /^(?:password|username)?$/.test(target) && status === 400) {
    return passwordRefused(host, said)
  }
  return formFailure('idp-error', `${host} refused the sign-in (status ${status})${said && `: ${said}`}`)
}

const chores: ReadonlyMap<string, string> = new Map([
  ['VERIFICATION_CODE_REQUIRED', 'wants the e-mail address of the account confirmed'],
  ['PROFILE_DATA_REQUIRED', 'wants the profile of the account completed'],
  ['AGREEMENT_CONSENT_REQUIRED', 'wants an agreement accepted'],
  ['CONSENT_REQUIRED', 'wants a consent given'],
  ['ACCOUNT_LINKING_REQUIRED', 'wants accounts linked'],
  ['MFA_SETUP_REQUIRED', 'wants a second factor set up'],
])

/** A state that ends the sign-in here. */
export function stoppedBy({ walk, url }: Flow, answer: unknown): Error {
  const { host } = url
  const status = textAt(answer, 'status')
  const chore = chores.get(status)
  if (chore !== undefined) return formFailure('action-required', `${host} ${chore} before it lets you in`)
  const code = codes.get(status) ?? codeOf(at(answer, 'error')).code
  const said = saidBy(at(answer, 'error'))
  if (code === 'mfa-timeout') return formFailure(code, `${host}: nobody answered the push in time`)
  if (code === 'password-expired') return formFailure(code, `${host} wants the password changed`)
  if (code !== undefined) return formFailure(code, `${host} refused the sign-in${said && `: ${said}`}`)
  if (status === 'FAILED') {
    const known = codeOfText(said)
    const kind = known && known !== 'state-lost' ? known : walk.last === 'code' ? 'mfa-refused' : 'idp-error'
    return formFailure(kind, `${host} ended the sign-in${said && `: ${said}`}`)
  }
  return formFailure('mfa-unsupported', `${host} wants something that needs a browser: ${clean(status, 60) || '?'}`)
}
