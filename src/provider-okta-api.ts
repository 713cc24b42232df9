/**
 * One request of Okta's classic authentication API, and what its refusals mean.
 */
import { askJson, at, listAt, textAt, type JsonAnswer } from './api-json.ts'
import { passwordRefused } from './api-secret.ts'
import { formFailure } from './form-failure.ts'
import { addressAt, clean } from './form-text.ts'
import { hide, type Walk } from './form-walk.ts'
import type { Page } from './html.ts'

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
  for (const name of ['stateToken', 'sessionToken'])
    if (textAt(answer.body, name)) hide(walk, textAt(answer.body, name))
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
      'cloudtoken --client-id ID, of the OIDC app that your Okta administrator made; or --browser',
    )
  }
  if (status === 429) return formFailure('idp-error', `${host} is asked too often; wait a minute${said}`)
  return formFailure('idp-error', `${host} refused the sign-in (status ${status})${said}`)
}

/** `_links.NAME.href`, which leads nowhere else. */
export function linkOf(okta: Okta, answer: unknown, name: string): string {
  const link = at(answer, '_links', name)
  const href = textAt(link, 'href') || textAt(listAt(answer, '_links', name)[0], 'href')
  const address = href && addressAt(okta.origin, href)
  if (address) return address
  throw formFailure('idp-error', `the answer of ${hostOf(okta)} leads nowhere (${name})`)
}

export function hostOf({ origin }: Okta): string {
  return new URL(origin).host
}
