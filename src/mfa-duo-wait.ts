/**
 * What the generations of Duo share: JSON answers, factors, waiting, outcomes.
 */
import { failure } from './errors.ts'
import { codeOfText, formFailure } from './form-failure.ts'
import { clean, isPrivateWay } from './form-text.ts'
import type { HttpRequest } from './http.ts'
import { fieldsOf, readFields } from './json.ts'
import { chooseMethod, type Method } from './mfa-choice.ts'
import { codeFor } from './mfa-code.ts'
import { isDuo } from './mfa-duo.ts'
import { awaitApproval, type Notice, type Poll } from './mfa-push.ts'
import type { ProviderContext } from './provider.ts'

export interface DuoFactor {
  readonly kind: 'push' | 'call' | 'code'
  /** As Duo names device and factor. */
  readonly device: string
  readonly factor: string
  /** For the person. */
  readonly deviceName: string
}

/** `push`, `call`, `phone`, `passcode` and the device's name are what `--mfa-method` may say. */
export async function chooseFactor(
  context: ProviderContext,
  host: string,
  factors: readonly DuoFactor[],
): Promise<DuoFactor> {
  if (context.mode === 'refresh') throw formFailure('idp-session-ended', `Duo (${host}) wants a second factor`)
  if (factors.length === 0) throw needsBrowser(host, 'a passkey or security key, and nothing else')
  const kinds = {
    push: ['push', 'Push'],
    call: ['call', 'phone', 'Phone call'],
    code: ['passcode', 'code', 'Passcode'],
  }
  const methods = factors.map((value): Method<DuoFactor> => {
    const names = kinds[value.kind]
    const label = `Duo ${names.at(-1)}${value.deviceName && `: ${value.deviceName}`}`
    return {
      value,
      label,
      names: [...names, value.factor, value.device, value.deviceName],
      code: value.kind === 'code',
    }
  })
  return chooseMethod(context, host, methods)
}

export function needsBrowser(host: string, name: string): Error {
  return formFailure('mfa-unsupported', `Duo (${host}) wants ${clean(name, 80)}, which needs a browser`)
}

/** A passcode of Duo goes to Duo, or to this machine. */
export async function duoCode(context: ProviderContext, url: string, sent: string[]): Promise<string> {
  const { host, hostname } = new URL(url)
  if (!isDuo(hostname) && !/^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname)) {
    throw formFailure('foreign-host', `${host} asks for a Duo passcode, but is no server of Duo`)
  }
  const code = await codeFor(context, { host, label: 'Duo passcode', sent })
  sent.push(code)
  return code
}

/** `response` of an answer whose `stat` is `OK`. */
export async function askDuo(context: ProviderContext, request: HttpRequest): Promise<Record<string, unknown>> {
  const { host } = new URL(request.url)
  if (!isPrivateWay(new URL(request.url))) throw formFailure('insecure', `Duo (${host}) is not reached over https`)
  const { status, text } = await context.http.request(request)
  if (status === 405) throw needsBrowser(host, 'another prompt than the one it showed')
  const answer = readFields(text)
  if (answer['stat'] === 'OK') return fieldsOf(answer['response'])
  const said = [answer['message'], answer['message_detail'], answer['message_enum']].filter(
    part => typeof part === 'string' || typeof part === 'number',
  )
  const message = `Duo (${host}) refused the request (status ${status})${said.length > 0 ? `: ${clean(said.join(' '), 200)}` : ''}`
  const code = codeOfText(message)
  throw formFailure(code === 'account-locked' || code === 'account-disabled' ? code : 'idp-error', message)
}

/** Waits for the person; answers with the last status. `poll` asks Duo once. */
export async function awaitDuo(
  context: ProviderContext,
  host: string,
  { kind, deviceName }: DuoFactor,
  poll: () => Promise<Record<string, unknown>>,
  number?: string,
): Promise<Record<string, unknown>> {
  const device = deviceName || 'your device'
  const messages = { push: `approve the push on ${device}`, call: `answer the call to ${device}`, code: '' }
  const first = { message: messages[kind], number }
  const wait = { host: `Duo (${host})`, what: `the ${kind}`, first, intervalMs: 1000, atOnce: true }
  return awaitApproval(context, wait, async (): Promise<Poll<Record<string, unknown>>> => {
    const status = await poll()
    return outcome(host, status) ? { done: status } : numberOf(status)
  })
}

/** The word for the outcome stands in `result`, as text or in an object, and in `status_code`. */
function outcome(host: string, status: Readonly<Record<string, unknown>>): boolean {
  const inner = fieldsOf(status['result'])
  const all = [status['result'], inner['result'], inner['status_code'], inner['status_enum'], status['status_code']]
  const said = all.filter(word => typeof word === 'string').map(word => word.toUpperCase())
  const text = [status['status'], inner['status'], status['reason'], inner['reason']].find(
    word => typeof word === 'string',
  )
  if (said.some(word => /^(?:TIMEOUT|TIMED_OUT|EXPIRED)$/.test(word)) || /timed out/i.test(text ?? '')) {
    throw formFailure('mfa-timeout', `Duo (${host}): nobody answered in time`)
  }
  if (said.some(word => /^(?:FAILURE|DENY|DENIED|FRAUD|ERROR|LOCKED_OUT)$/.test(word))) {
    throw formFailure(
      'mfa-refused',
      `Duo (${host}) refused the second factor${text === undefined ? '' : `: ${clean(text, 200)}`}`,
    )
  }
  return said.some(word => /^(?:SUCCESS|ALLOW)$/.test(word))
}

/** Verified push: a number to be typed on the phone. */
function numberOf(status: Readonly<Record<string, unknown>>): Notice {
  const place = { ...fieldsOf(status['risk_based_factor_selection_data']), ...status }
  const code = place['step_up_code']
  return { number: typeof code === 'string' || typeof code === 'number' ? String(code) : undefined }
}

/** A text out of a JSON answer; fails where Duo leaves it out. */
export function textOf(answer: Readonly<Record<string, unknown>>, name: string): string {
  const value = answer[name]
  if (typeof value === 'string' && value !== '') return value
  throw failure('network', `the answer of Duo has no ${name}`, { code: 'idp-error' })
}

export function formPost(url: string, fields: Readonly<Record<string, string>>, sensitive = false): HttpRequest {
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    accept: 'application/json',
    origin: new URL(url).origin,
  }
  return { url, method: 'POST', headers, body: new URLSearchParams(fields).toString(), ...(sensitive && { sensitive }) }
}
