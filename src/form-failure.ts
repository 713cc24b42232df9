/**
 * What went wrong, told apart as far as pages allow. Structure first; words only to make a known failure finer.
 */
import { failure, type Failure, type FailureKind } from './errors.ts'
import type { Page } from './html.ts'
import { clean, inserted } from './form-text.ts'

/** Stable names for programs. */
export type FormCode =
  | 'password-refused'
  | 'username-refused'
  | 'account-locked'
  | 'account-disabled'
  | 'password-expired'
  | 'action-required'
  | 'mfa-refused'
  | 'mfa-timeout'
  | 'mfa-unsupported'
  | 'captcha'
  | 'consent-refused'
  | 'no-access'
  | 'sp-unknown'
  | 'state-lost'
  | 'idp-error'
  | 'idp-session-ended'
  | 'page-unknown'
  | 'saml-missing'
  | 'too-many-pages'
  | 'foreign-host'
  | 'client-certificate'
  | 'insecure'

export type ErrorTexts = readonly (readonly [pattern: RegExp, code: FormCode])[]

const otherWay = 'sign in with your own browser: cloudtoken --browser'

const kinds: Readonly<Record<FormCode, readonly [FailureKind, string?]>> = {
  'password-refused': ['refused', 'cloudtoken --password-prompt'],
  'username-refused': ['refused', 'cloudtoken --username NAME'],
  'account-locked': ['refused', 'wait, or ask your help desk to unlock the account'],
  'account-disabled': ['refused', 'ask your help desk about the account'],
  'password-expired': ['refused', 'change the password in a browser, then: cloudtoken --password-prompt'],
  'action-required': ['person', 'do so in a browser, or here: cloudtoken --browser'],
  'mfa-refused': ['refused', 'cloudtoken'],
  'mfa-timeout': ['refused', 'try again: cloudtoken'],
  'mfa-unsupported': ['person', otherWay],
  captcha: ['person', otherWay],
  'consent-refused': ['refused', 'cloudtoken --consent accept'],
  'no-access': ['refused', 'ask your help desk for access to AWS'],
  'sp-unknown': ['config', 'check --url and the entity id of AWS in it (urn:amazon:webservices)'],
  'state-lost': ['network', 'try again: cloudtoken'],
  'idp-error': ['network'],
  'idp-session-ended': ['person', 'cloudtoken'],
  'page-unknown': ['network', otherWay],
  'saml-missing': ['network', 'check --url: it must be the sign-in address for AWS'],
  'too-many-pages': ['network', 'check --url: it must be the sign-in address for AWS'],
  'foreign-host': ['refused', 'sign in on a terminal and confirm the host, or correct --url'],
  'client-certificate': ['config', 'cloudtoken --client-cert FILE --client-key FILE'],
  insecure: ['config', 'use an address that begins with https://'],
}

export function formFailure(code: FormCode, message: string, hint?: string): Failure {
  const [kind, usual] = kinds[code]
  return failure(kind, message, { code, hint: hint ?? usual })
}

const known: ErrorTexts = [
  // nginx and IIS, which leave it to the page to say so.
  [
    /no required SSL certificate was sent|403\.7\b|(?:The|an) SSL certificate error|client certificate (?:is )?(?:required|needed|missing)/i,
    'client-certificate',
  ],
  [/state information (?:was )?lost|\bNOSTATE\b|stale request|\bno state\b/i, 'state-lost'],
  [
    /metadata not found|unable to locate metadata|METADATANOTFOUND|unable to respond|unsupported request/i,
    'sp-unknown',
  ],
  [
    /\blocked\b|lock(?:ed)?[- ]?out|too many (?:failed |unsuccessful )?(?:log-?in |sign-?in )?(?:attempts|tries)|gesperrt|verrouill|bloquead|bloccat|låst/i,
    'account-locked',
  ],
  [
    /password (?:has |is )?expired|expired password|(?:must|need to) (?:change|reset) your password|(?:passwor[td]|kennwort)\b.{0,20}\babgelaufen|mot de passe.{0,20}expiré/i,
    'password-expired',
  ],
  [
    /\b(?:account|user)\b.{0,30}\b(?:disabled|deactivated|suspended|inactive|expired)\b|deaktiviert|désactivé/i,
    'account-disabled',
  ],
  [
    /access (?:is |was )?denied|not (?:authori[sz]ed|permitted|allowed|assigned)|no (?:access|permission)|forbidden|do(?:es)? not have access|zugriff verweigert|accès refusé/i,
    'no-access',
  ],
]

/** What a failing text speaks of; `undefined` where it says nothing known. */
export function codeOfText(text: string, texts: ErrorTexts = []): FormCode | undefined {
  return [...texts, ...known].find(([pattern]) => pattern.test(text))?.[1]
}

/** The page's own words for what went wrong: its error elements, else its title and first lines. */
export function errorText(page: Page): string {
  const own = page.errors.map(text => clean(text)).filter(Boolean)
  // What a help desk asks for.
  const id = /\b(?:Activity|Correlation|Request) ID:?\s*[\da-f-]{20,}/i.exec(page.text)?.[0] ?? ''
  if (own.length > 0)
    return clean([...new Set([...own, ...(own.some(text => text.includes(id)) ? [] : [id])])].join('; '))
  return clean(
    [page.title, page.text.startsWith(page.title) ? page.text.slice(page.title.length) : page.text]
      .filter(Boolean)
      .join(': '),
  )
}

/** What the page says now that it did not say when it was answered. */
export function newText(before: Page | undefined, page: Page): string {
  const fresh = page.errors.filter(text => !before?.errors.includes(text))
  if (fresh.length > 0) return clean([...new Set(fresh.map(text => clean(text)))].join('; '))
  return before ? clean(inserted(before.text, page.text), 200) : ''
}

/** After a password: what the page that asks for it again, or says no instead, means. */
export function refusal(before: Page | undefined, page: Page, texts: ErrorTexts | undefined): Failure {
  const text = newText(before, page)
  const code = codeOfText(text, texts)
  const host = hostOf(page)
  const said = text && `: ${text}`
  if (code === 'account-locked') return formFailure(code, `${host} says that the account is locked${said}`)
  if (code === 'account-disabled') return formFailure(code, `${host} says that the account is disabled${said}`)
  if (code === 'password-expired') return formFailure(code, `${host} says that the password has expired${said}`)
  if (code === 'no-access') return formFailure(code, `${host} denied access${said}`)
  return formFailure('password-refused', `${host} refused the user name or the password${said}`)
}

/** An error page: a page that says no and offers nothing to go on with. */
export function errorPage(page: Page, texts: ErrorTexts | undefined): Failure {
  const text = errorText(page)
  const code = codeOfText(`${page.title} ${page.errors.join(' ')} ${page.text.slice(0, 3000)}`, texts) ?? 'idp-error'
  const host = hostOf(page)
  const status = page.status >= 400 ? ` (status ${page.status})` : ''
  return formFailure(code, `${host} answered with an error page${status}: ${text || 'without a text'}`)
}

export function hostOf(page: Page): string {
  return new URL(page.url).host
}
