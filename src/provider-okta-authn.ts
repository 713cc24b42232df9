/**
 * Okta's classic authentication API: a state machine that ends with a session token.
 */
import { askJson, at, listAt, textAt, type JsonAnswer } from './api-json.ts'
import { passwordFor, passwordRefused } from './api-secret.ts'
import { formFailure } from './form-failure.ts'
import { clean } from './form-text.ts'
import { hide, userNameOf, type Walk } from './form-walk.ts'
import type { HttpRequest } from './http.ts'
import type { Page } from './html.ts'
import { passFactor } from './provider-okta-factor.ts'

export interface Okta {
  readonly walk: Walk
  readonly page: Page
  readonly origin: string
  readonly engine: 'classic' | 'idx'
  /** Address of the app for AWS. */
  readonly app: string
  /** By which Okta knows this installation. */
  readonly device: string
}

const maxStates = 20

/** With the token of a step-up, or with user name and password. The request leads to the app. */
export async function signInByAuthn(okta: Okta, stateToken: string | undefined): Promise<HttpRequest> {
  const url = `${okta.origin}/api/v1/authn`
  let answer = await post(okta, url, stateToken === undefined ? await credentials(okta, url) : { stateToken })
  for (let count = 0; count < maxStates; count += 1) {
    const next = await step(okta, answer)
    if ('request' in next) return next.request
    answer = next.answer
  }
  throw formFailure('too-many-pages', `${hostOf(okta)} did not come to an end of the sign-in`)
}

async function step(
  okta: Okta,
  answer: unknown,
): Promise<{ readonly answer: unknown } | { readonly request: HttpRequest }> {
  const host = hostOf(okta)
  const stateToken = textAt(answer, 'stateToken')
  const status = textAt(answer, 'status')
  switch (status) {
    case 'SUCCESS':
      return { request: toApp(okta, answer) }
    case 'UNAUTHENTICATED': {
      const url = linkOf(okta, answer, 'next')
      return { answer: await post(okta, url, { stateToken, ...(await credentials(okta, url)) }) }
    }
    case 'PASSWORD_WARN':
      okta.walk.context.ask.tell(`${host} says that your password expires soon`)
      return { answer: await post(okta, linkOf(okta, answer, 'skip'), { stateToken }) }
    case 'MFA_REQUIRED':
    case 'MFA_CHALLENGE':
      return passFactor(okta, answer)
    case 'PASSWORD_EXPIRED':
      throw formFailure('password-expired', `${host} says that the password has expired`)
    case 'LOCKED_OUT':
      throw formFailure('account-locked', `${host} says that the account is locked`)
    case 'MFA_ENROLL':
    case 'MFA_ENROLL_ACTIVATE':
      throw formFailure(
        'mfa-unsupported',
        `${host} wants you to set up a second factor first`,
        `do so in a browser: ${okta.origin}`,
      )
    default:
      throw formFailure('mfa-unsupported', `${host} wants something that needs a browser: ${clean(status, 60) || '?'}`)
  }
}

async function credentials(okta: Okta, url: string): Promise<{ username: string; password: string }> {
  const username = await userNameOf(okta.walk)
  return { username, password: await passwordFor(okta.walk, okta.page, new URL(url)) }
}

/** The answer, whatever its state; fails with what the API says. */
export async function post(okta: Okta, url: string, body: unknown): Promise<unknown> {
  const answer = await send(okta, url, body)
  if (answer.status < 400) return answer.body
  throw refused(okta, answer)
}

export async function send({ walk, device }: Okta, url: string, body: unknown): Promise<JsonAnswer> {
  const answer = await askJson(walk.context, {
    url,
    body,
    headers: { 'x-device-fingerprint': device },
    sensitive: true,
  })
  for (const name of ['stateToken', 'sessionToken']) if (textAt(answer.body, name)) hide(walk, textAt(answer.body, name))
  return answer
}

/** `errorCode` of https://developer.okta.com/docs/reference/error-codes */
export function refused(okta: Okta, { status, body }: JsonAnswer): Error {
  const host = hostOf(okta)
  const summary = clean(textAt(body, 'errorSummary'), 200)
  const said = summary && `: ${summary}`
  switch (textAt(body, 'errorCode')) {
    case 'E0000004':
      return passwordRefused(host, summary)
    case 'E0000068':
    case 'E0000082':
      return formFailure('mfa-refused', `${host} refused the second factor${said}`)
    case 'E0000069':
    case 'E0000119':
      return formFailure('account-locked', `${host} says that the account is locked${said}`)
    case 'E0000064':
      return formFailure('password-expired', `${host} says that the password has expired${said}`)
    case 'E0000006':
      return formFailure('no-access', `${host} denied access${said}`)
    default:
  }
  if (okta.engine === 'idx') {
    return formFailure(
      'mfa-unsupported',
      `${host} runs the Okta Identity Engine, and its policy does not let the classic API sign in (status ${status})${said}`,
      'cloudtoken --client-id ID, of the OIDC app that your Okta administrator made; or --saml-response FILE',
    )
  }
  if (status === 429) return formFailure('idp-error', `${host} is asked too often; wait a minute${said}`)
  return formFailure('idp-error', `${host} refused the sign-in (status ${status})${said}`)
}

function toApp({ origin, app, walk }: Okta, answer: unknown): HttpRequest {
  const token = textAt(answer, 'sessionToken')
  const next = textAt(answer, '_links', 'next', 'href')
  // A step-up has a session already.
  if (token === '') return { url: URL.canParse(next) && new URL(next).origin === origin ? next : app }
  const query = new URLSearchParams({
    checkAccountSetupComplete: 'true',
    token: hide(walk, token),
    redirectUrl: app,
  })
  return { url: `${origin}/login/sessionCookieRedirect?${query.toString()}` }
}

/** `_links.NAME.href`, which leads nowhere else. */
export function linkOf(okta: Okta, answer: unknown, name: string): string {
  const link = at(answer, '_links', name)
  const href = textAt(link, 'href') || textAt(listAt(answer, '_links', name)[0], 'href')
  if (URL.canParse(href) && new URL(href).origin === okta.origin) return href
  throw formFailure('idp-error', `the answer of ${hostOf(okta)} leads nowhere (${name})`)
}

export function hostOf({ origin }: Okta): string {
  return new URL(origin).host
}
