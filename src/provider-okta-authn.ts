/**
 * Okta's classic authentication API: a state machine that ends with a session token.
 */
import { textAt } from './api-json.ts'
import { passwordFor } from './api-secret.ts'
import { formFailure } from './form-failure.ts'
import { addressAt, clean } from './form-text.ts'
import { hide, userNameOf } from './form-walk.ts'
import type { HttpRequest } from './http.ts'
import { hostOf, linkOf, post, type Okta } from './provider-okta-api.ts'
import { passFactor } from './provider-okta-factor.ts'

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

function toApp({ origin, app, walk }: Okta, answer: unknown): HttpRequest {
  const token = textAt(answer, 'sessionToken')
  const next = textAt(answer, '_links', 'next', 'href')
  // A step-up has a session already.
  if (token === '') return { url: (next && addressAt(origin, next)) || app }
  const query = new URLSearchParams({
    checkAccountSetupComplete: 'true',
    token: hide(walk, token),
    redirectUrl: app,
  })
  return { url: `${origin}/login/sessionCookieRedirect?${query.toString()}` }
}
