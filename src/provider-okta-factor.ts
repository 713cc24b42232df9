/**
 * The second factors of Okta's classic API: which there are, and how each is answered.
 */
import { at, listAt, textAt } from './api-json.ts'
import { personFor, typeCodes } from './api-secret.ts'
import { formFailure } from './form-failure.ts'
import { clean } from './form-text.ts'
import { onward } from './form-walk.ts'
import type { HttpRequest } from './http.ts'
import { chooseUsable, type Method } from './mfa-choice.ts'
import { awaitApproval, type Poll } from './mfa-push.ts'
import { hostOf, linkOf, post, refused, send, type Okta } from './provider-okta-api.ts'

interface Factor {
  readonly entry: unknown
  /** How it is passed; `sent`: a first request makes Okta send the code. */
  readonly way: 'push' | 'sent' | 'code' | 'answer' | 'redirect' | 'browser'
  readonly label: string
}

const pollMs = 2000

/** Answers with the state after the factor, or with the request that leads to Duo. */
export async function passFactor(
  okta: Okta,
  answer: unknown,
): Promise<{ readonly answer: unknown } | { readonly request: HttpRequest }> {
  personFor(okta.walk, hostOf(okta))
  const stateToken = textAt(answer, 'stateToken')
  const factor = await choose(okta, answer)
  const remember = at(answer, '_embedded', 'policy', 'allowRememberDevice') === true
  const url = verifyUrl(okta, factor, remember)
  if (factor.way === 'redirect') {
    // Back from there the session is a cookie; no token comes.
    const next = await post(okta, url, { stateToken })
    const href = textAt(next, '_links', 'next', 'href')
    if (!/^https?:/.test(href)) throw formFailure('idp-error', `${hostOf(okta)} does not say where ${factor.label} is`)
    return { request: onward(okta.page, { url: href }) }
  }
  if (factor.way === 'push') return { answer: await push(okta, factor, url, stateToken) }
  let target = url
  if (factor.way === 'sent') {
    const begun = await post(okta, url, { stateToken })
    target = withRemember(linkOf(okta, begun, 'next'), remember)
    okta.walk.context.ask.tell(`${hostOf(okta)}: ${factor.label} is on its way`)
  }
  const question = textAt(factor.entry, 'profile', 'questionText')
  const label = factor.way === 'answer' ? question || factor.label : factor.label
  return {
    answer: await typeCodes(okta.walk, new URL(target), { label, hidden: factor.way === 'answer' }, async code => {
      const given = factor.way === 'answer' ? { answer: code } : { passCode: code }
      const result = await send(okta, target, { stateToken, ...given })
      if (result.status < 400) return { done: result.body }
      const failed = refused(okta, result)
      if (!/^E00000(?:68|82|87)$/.test(textAt(result.body, 'errorCode'))) throw failed
      return { refused: clean(textAt(result.body, 'errorSummary'), 200) }
    }),
  }
}

async function push(okta: Okta, factor: Factor, url: string, stateToken: string): Promise<unknown> {
  const host = hostOf(okta)
  const first = { message: `approve the push: ${factor.label}` }
  let target = url
  return awaitApproval(
    okta.walk.context,
    { host, what: 'the push', first, intervalMs: pollMs, atOnce: true },
    async (): Promise<Poll<unknown>> => {
      const answer = await post(okta, target, { stateToken })
      if (textAt(answer, 'status') !== 'MFA_CHALLENGE') return { done: answer }
      const result = textAt(answer, 'factorResult')
      if (result === 'REJECTED') throw formFailure('mfa-refused', `${host}: the push was denied on the device`)
      if (result === 'TIMEOUT') throw formFailure('mfa-timeout', `${host}: nobody answered the push in time`)
      if (result !== 'WAITING') throw formFailure('mfa-refused', `${host}: the push failed (${clean(result, 40)})`)
      target = linkOf(okta, answer, 'next')
      return { number: textAt(answer, '_embedded', 'factor', '_embedded', 'challenge', 'correctAnswer') }
    },
  )
}

async function choose(okta: Okta, answer: unknown): Promise<Factor> {
  const single = at(answer, '_embedded', 'factor')
  const entries = listAt(answer, '_embedded', 'factors')
  const factors = (entries.length > 0 ? entries : single === undefined ? [] : [single]).map(factorOf)
  const methods = factors.map((value): Method<Factor> => {
    const { entry, label, way } = value
    const names = [['factorType'], ['id'], ['provider'], ['profile', 'name']].map(path => textAt(entry, ...path))
    const kind = { push: 'push', sent: '', code: 'passcode', answer: 'question', redirect: 'duo', browser: '' }[way]
    return { value, label, names: [...names, kind].filter(Boolean), code: way === 'code' }
  })
  return chooseUsable(okta.walk.context, hostOf(okta), methods, ({ way }) => way !== 'browser')
}

function factorOf(entry: unknown): Factor {
  const type = textAt(entry, 'factorType')
  const provider = textAt(entry, 'provider')
  const device = ['name', 'phoneNumber', 'email', 'authenticatorName', 'credentialId']
    .map(name => clean(textAt(entry, 'profile', name), 60))
    .find(Boolean)
  const make = (way: Factor['way'], label: string): Factor => ({
    entry,
    way,
    label: `${label}${device && type !== 'question' ? `: ${device}` : ''}${way === 'browser' ? ' (needs a browser)' : ''}`,
  })
  switch (type) {
    case 'push':
      return make('push', 'Okta Verify push')
    case 'sms':
      return make('sent', 'code by SMS')
    case 'call':
      return make('sent', 'code by phone call')
    case 'email':
      return make('sent', 'code by e-mail')
    case 'token:software:totp':
      return make('code', provider === 'GOOGLE' ? 'Google Authenticator code' : 'Okta Verify code')
    case 'token:hardware':
    case 'token':
    case 'token:hotp':
      return make('code', `${tokens.get(provider) ?? clean(provider, 40)} code`)
    case 'question':
      return make('answer', 'security question')
    case 'claims_provider':
      return make('redirect', clean(textAt(entry, 'vendorName'), 40) || 'another identity provider')
    case 'web':
      return make('browser', provider === 'DUO' ? 'Duo in its retired frame' : clean(provider, 40))
    case 'u2f':
    case 'webauthn':
      return make('browser', 'security key or passkey')
    default:
      return make('browser', `unknown factor ${clean(type, 40)}`)
  }
}

const tokens = new Map<string, string>([
  ['YUBICO', 'YubiKey'],
  ['SYMANTEC', 'Symantec VIP'],
  ['RSA', 'RSA SecurID'],
])

function verifyUrl(okta: Okta, { entry }: Factor, remember: boolean): string {
  return withRemember(linkOf(okta, entry, 'verify'), remember)
}

function withRemember(url: string, remember: boolean): string {
  return `${url}${url.includes('?') ? '&' : '?'}rememberDevice=${remember}`
}
