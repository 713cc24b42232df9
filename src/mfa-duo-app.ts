/**
 * Duo's single-page prompt of 2025: JSON under `/prompt/AKEY`, no page in between.
 */
import type { HttpRequest } from './http.ts'
import type { Page } from './html.ts'
import { isFailure } from './errors.ts'
import { formFailure } from './form-failure.ts'
import { fieldsOf } from './json.ts'
import type { DuoPage } from './mfa-duo.ts'
import { askDuo, awaitDuo, chooseFactor, duoCode, textOf, type DuoFactor } from './mfa-duo-wait.ts'
import type { ProviderContext } from './provider.ts'

const maxTries = 3
/** What this browser can do; a passkey is not among it. */
const features = JSON.stringify({
  touch_supported: false,
  platform_authenticator_status: 'unavailable',
  webauthn_supported: false,
})

type App = Extract<DuoPage, { stage: 'app' }>

/** The address that leads back to the identity provider. */
export async function answerApp(context: ProviderContext, page: Page, app: App): Promise<HttpRequest> {
  const { host } = new URL(page.url)
  const base = new URL(`/prompt/${encodeURIComponent(app.akey)}`, page.url).href
  const headers = {
    accept: 'application/json',
    'x-requested-with': 'XMLHttpRequest',
    ...(app.trace && { 'x-duo-req-trace-group': app.trace }),
  }
  const { authkey } = app
  const get = (path: string, query: Readonly<Record<string, string>> = {}): Promise<Record<string, unknown>> =>
    askDuo(context, { url: `${base}${path}?${new URLSearchParams({ authkey, ...query }).toString()}`, headers })
  const post = (
    path: string,
    body: Readonly<Record<string, string>>,
    sensitive = false,
  ): Promise<Record<string, unknown>> =>
    askDuo(context, {
      url: `${base}${path}`,
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ authkey, ...body }),
      ...(sensitive && { sensitive }),
    })

  await get('/pre_authn/initialization', { is_ipad: 'false' })
  const evaluation = { browser_features: features, local_trust_choice: 'undecided' }
  await get('/pre_authn/evaluation', evaluation).catch((error: unknown) => {
    if (!isFailure(error) || error.code !== 'idp-error') throw error
  })
  const factor = await chooseFactor(
    context,
    host,
    factorsOf(await get('/auth/payload', { browser_features: features })),
  )
  if (factor.kind === 'code')
    await typeCode(context, page.url, code => post('/auth/factors/mobile_otp', { mobile_otp: code }, true))
  else if (factor.kind === 'push') {
    const sent = await post('/auth/factors/push/auth', { pkey: factor.device })
    const push_txid = textOf(sent, 'push_txid')
    const number = sent['step_up_code']
    let seen = 'false'
    const poll = async (): Promise<Record<string, unknown>> => {
      const status = await get('/auth/factors/push/status', { push_txid, saw_good_news: seen })
      seen = 'true'
      return status
    }
    await awaitDuo(context, host, factor, poll, number === undefined || number === null ? undefined : String(number))
  } else {
    const txid = textOf(await post('/auth/factors/phone_call', { pkey: factor.device }), 'txid')
    await awaitDuo(context, host, factor, () => get('/auth/factors/phone_call/poll', { txid }))
  }
  const url = textOf(await get('/auth/finalize_auth'), 'url')
  if (!URL.canParse(url, page.url)) throw formFailure('idp-error', `Duo (${host}) leads on to an address that is none`)
  return { url: new URL(url, page.url).href }
}

/** The answer to a passcode comes at once: refused ones are asked for again. */
async function typeCode(
  context: ProviderContext,
  url: string,
  post: (code: string) => Promise<Record<string, unknown>>,
): Promise<void> {
  const sent: string[] = []
  const { host } = new URL(url)
  for (let tries = 1; ; tries += 1) {
    const code = await duoCode(context, url, sent)
    try {
      const answer = await post(code)
      const result = typeof answer['result'] === 'string' ? answer['result'].toUpperCase() : 'SUCCESS'
      if (/^(?:SUCCESS|ALLOW)$/.test(result)) return
      throw formFailure('mfa-refused', `Duo (${host}) refused the passcode`)
    } catch (error) {
      const again = isFailure(error) && (error.code === 'mfa-refused' || error.code === 'idp-error')
      if (!again) throw error
      if (tries === maxTries) throw formFailure('mfa-refused', error.message)
      context.ask.tell(error.message)
    }
  }
}

/** Under `auth_factors_context.available_unified_auth_factors`, or at the top. */
function factorsOf(payload: Readonly<Record<string, unknown>>): DuoFactor[] {
  const nested = fieldsOf(fieldsOf(payload['auth_factors_context'])['available_unified_auth_factors'])
  const top = fieldsOf(payload['available_unified_auth_factors'])
  const lists = [nested['factors'], top['factors'], payload['factors']]
  const list: unknown[] = lists.find(each => Array.isArray(each)) ?? []
  const factors = list.flatMap((entry): DuoFactor[] => {
    const { factor_type: type, device_info, phone_info } = fieldsOf(entry)
    const info = { ...fieldsOf(phone_info), ...fieldsOf(device_info) }
    const text = (name: string): string =>
      typeof info[name] === 'string' || typeof info[name] === 'number' ? String(info[name]) : ''
    const end = text('end_of_number')
    const deviceName = [text('name'), end && `…${end}`].filter(Boolean).join(' ')
    const kind = typeof type === 'string' ? kindOf(type) : undefined
    if (!kind || (kind !== 'code' && text('pkey') === '')) return []
    return [{ kind, factor: String(type), device: text('pkey'), deviceName: kind === 'code' ? '' : deviceName }]
  })
  // One passcode, whatever it is from.
  return factors.filter(
    ({ kind }, index) => kind !== 'code' || factors.findIndex(each => each.kind === 'code') === index,
  )
}

function kindOf(type: string): DuoFactor['kind'] | undefined {
  if (/push/i.test(type)) return 'push'
  if (/phone_?call/i.test(type)) return 'call'
  return /otp|passcode|hardware_?token/i.test(type) ? 'code' : undefined
}
