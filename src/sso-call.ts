/**
 * One call to a service of IAM Identity Center: JSON both ways, again where it says that there were too many.
 */
import { at, textAt } from './api-json.ts'
import { failure } from './errors.ts'
import type { HttpRequest, HttpResponse } from './http.ts'
import { readJson } from './json.ts'
import type { ProviderContext } from './provider.ts'

export type Caller = Pick<ProviderContext, 'http' | 'clock' | 'signal' | 'log'>

export interface SsoRequest {
  readonly url: string
  /** Sent as JSON by POST; a GET without one. */
  readonly body?: object
  /** Of the sign-in, for the services of the portal. */
  readonly accessToken?: string
}

export interface SsoAnswer {
  readonly body: unknown
  /** Without `Exception` at the end, such as `AuthorizationPending`; `undefined` where the call worked. */
  readonly refused?: string
  /** What the service says about that. */
  readonly reason: string
}

const maxTries = 6

/** Rejects with kind `network` where there is no answer, or none that can be read; a refusal is for the caller. */
export async function askSso(caller: Caller, request: SsoRequest): Promise<SsoAnswer> {
  for (let attempt = 1; ; attempt += 1) {
    const response = await caller.http.request(outgoing(request))
    const answer = read(response, request.url)
    const busy = response.status === 429 || answer.refused === 'TooManyRequests'
    // A code is good once: whether it was taken before the service broke, nobody knows.
    const again = busy || (response.status >= 500 && request.body === undefined)
    if (!again || attempt === maxTries) return answer
    const pause = (0.5 + caller.clock.random()) * 200 * 2 ** attempt
    caller.log.debug(`${new URL(request.url).host}: ${answer.refused}, again in ${Math.round(pause)} ms`)
    await caller.clock.sleep(pause, caller.signal)
    caller.signal.throwIfAborted()
  }
}

/** What is left when none of the known reasons fits. */
export function unexpectedRefusal(url: string, { refused, reason }: SsoAnswer): Error {
  const said = reason === '' ? '' : `: ${reason}`
  return failure('network', `${new URL(url).host} answers ${refused}${said}`, { code: 'sso-refused' })
}

function outgoing({ url, body, accessToken }: SsoRequest): HttpRequest {
  const headers = {
    accept: 'application/json',
    ...(body !== undefined && { 'content-type': 'application/json' }),
    ...(accessToken !== undefined && { 'x-amz-sso_bearer_token': accessToken }),
  }
  return { url, headers, sensitive: true, ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }) }
}

function read({ status, headers, text }: HttpResponse, url: string): SsoAnswer {
  const body = text.trim() === '' ? {} : readJson(text)
  if (status === 200 && typeof body === 'object' && body !== null) return { body, reason: '' }
  // `UnauthorizedException:http://internal.amazon.com/coral/…`, or `com.amazonaws.x#UnauthorizedException`.
  const named = (headers.get('x-amzn-errortype') ?? textAt(body, '__type')).replace(/:.*$/, '').replace(/^.*#/, '')
  const refused = named === '' ? camel(textAt(body, 'error')) : named
  if (refused === '') {
    const { host, pathname } = new URL(url)
    const message = `${host} answered with status ${status} and not as IAM Identity Center does (${pathname})`
    throw failure('network', message, {
      hint: 'check the network, a proxy may answer in its place',
      code: 'sso-answer',
    })
  }
  const said = ['error_description', 'message', 'Message']
    .map(key => at(body, key))
    .find(one => typeof one === 'string')
  return { body, refused: refused.replace(/Exception$/, ''), reason: typeof said === 'string' ? said : '' }
}

/** `authorization_pending` of RFC 8628 is `AuthorizationPending` of AWS. */
function camel(word: string): string {
  return word.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())
}
