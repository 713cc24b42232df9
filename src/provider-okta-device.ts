/**
 * The Okta Identity Engine: a code that the person confirms in a browser (RFC 8628), then a token for the app of AWS
 * (RFC 8693).
 */
import { askJson, textAt, type JsonAnswer } from './api-json.ts'
import { personFor } from './api-secret.ts'
import { failure } from './errors.ts'
import { formFailure } from './form-failure.ts'
import { clean } from './form-text.ts'
import { hide, type Walk } from './form-walk.ts'
import type { HttpRequest } from './http.ts'
import { awaitApproval, type Poll } from './mfa-push.ts'

export interface OktaDevice {
  readonly origin: string
  readonly clientId: string
  /** Of the app for AWS. */
  readonly appId: string
}

/** The request whose answer is the page with the response for AWS. */
export async function signInByDevice(walk: Walk, okta: OktaDevice): Promise<HttpRequest> {
  const { host } = new URL(okta.origin)
  personFor(walk, host)
  const tokens = await deviceTokens(walk, okta, host)
  const body = new URLSearchParams({
    client_id: okta.clientId,
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    actor_token: hide(walk, textAt(tokens, 'access_token')),
    actor_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    subject_token: hide(walk, textAt(tokens, 'id_token')),
    subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    requested_token_type: 'urn:okta:oauth:token-type:web_sso_token',
    audience: `urn:okta:apps:${okta.appId}`,
  })
  const exchanged = await askJson(walk.context, { url: `${okta.origin}/oauth2/v1/token`, body, sensitive: true })
  const token = textAt(exchanged.body, 'access_token')
  if (exchanged.status >= 400 || token === '') throw exchangeRefused(host, exchanged)
  return {
    url: `${okta.origin}/login/token/sso`,
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ token: hide(walk, token) }).toString(),
    sensitive: true,
  }
}

async function deviceTokens(walk: Walk, { origin, clientId }: OktaDevice, host: string): Promise<unknown> {
  const { context } = walk
  const begun = await askJson(context, {
    url: `${origin}/oauth2/v1/device/authorize`,
    body: new URLSearchParams({ client_id: clientId, scope: 'openid okta.apps.sso' }),
  })
  const deviceCode = textAt(begun.body, 'device_code')
  if (begun.status >= 400 || deviceCode === '') {
    throw failure('config', `${host} gave no device code (status ${begun.status})${saidBy(begun)}`, {
      code: 'client-refused',
      hint: 'cloudtoken --client-id ID, of a native OIDC app with the device authorization grant',
    })
  }
  hide(walk, deviceCode)
  const seconds = (name: string, otherwise: number): number => Number(textAt(begun.body, name)) || otherwise
  const page = textAt(begun.body, 'verification_uri_complete') || textAt(begun.body, 'verification_uri')
  const code = clean(textAt(begun.body, 'user_code'), 20)
  const first = { message: `open ${clean(page, 200)} in a browser and confirm the code ${code}` }
  const body = new URLSearchParams({
    client_id: clientId,
    device_code: deviceCode,
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
  })
  let slower = 0
  const wait = {
    host,
    what: 'the sign-in in the browser',
    first,
    intervalMs: seconds('interval', 5) * 1000,
    limitMs: seconds('expires_in', 600) * 1000,
  }
  return awaitApproval(context, wait, async (): Promise<Poll<unknown>> => {
    if (slower > 0) await context.clock.sleep(slower * 1000, context.signal)
    context.signal.throwIfAborted()
    const answer = await askJson(context, { url: `${origin}/oauth2/v1/token`, body })
    const error = textAt(answer.body, 'error')
    // RFC 8628, section 3.5: five seconds more from now on.
    if (error === 'slow_down') slower += 5
    if (error === 'slow_down' || error === 'authorization_pending') return {}
    if (error === 'expired_token') throw formFailure('mfa-timeout', `${host}: the code was not confirmed in time`)
    if (error === 'access_denied') throw formFailure('mfa-refused', `${host}: the sign-in was denied in the browser`)
    if (answer.status < 400 && textAt(answer.body, 'id_token') !== '') return { done: answer.body }
    throw formFailure('idp-error', `${host} gave no tokens (status ${answer.status})${saidBy(answer)}`)
  })
}

function exchangeRefused(host: string, answer: JsonAnswer): Error {
  const message = `${host} does not let this client into the app for AWS${saidBy(answer)}`
  if (textAt(answer.body, 'error') !== 'invalid_grant') return formFailure('no-access', message)
  return formFailure(
    'no-access',
    message,
    'the app of --client-id and the app for AWS need the same authentication policy; ask your Okta administrator',
  )
}

function saidBy({ body }: JsonAnswer): string {
  const said = clean(textAt(body, 'error_description') || textAt(body, 'error') || textAt(body, 'errorSummary'), 200)
  return said && `: ${said}`
}
