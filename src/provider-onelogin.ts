/**
 * OneLogin by its API: a client that an administrator made asks for the assertion in the name of the person. There is no
 * session: every sign-in takes the password, and the second factor where one is wanted.
 */
import { Buffer } from 'node:buffer'
import { askJson, at, listAt, textAt, type JsonAnswer } from './api-json.ts'
import { passwordFor, personFor, apiRefusal, typeCodes } from './api-secret.ts'
import { failure } from './errors.ts'
import { formFailure } from './form-failure.ts'
import { forgetMemory } from './form-memory.ts'
import { readSamlResponse } from './form-saml.ts'
import { tidy } from './form-stop.ts'
import { clean } from './form-text.ts'
import { beginWalk, hide, userNameOf, type Walk } from './form-walk.ts'
import { chooseUsable, type Method } from './mfa-choice.ts'
import { awaitApproval, type Poll } from './mfa-push.ts'
import type { Settings } from './options.ts'
import type { Provider } from './provider.ts'
import { entryUrl } from './provider-form.ts'
import type { Assertion } from './types.ts'

interface Client {
  readonly origin: string
  readonly appId: string
  readonly headers: Readonly<Record<string, string>>
}

interface Device {
  readonly id: string
  readonly way: 'push' | 'sent' | 'code' | 'browser'
  readonly label: string
}

export const onelogin: Provider = {
  name: 'onelogin',
  summary: 'OneLogin, with a client of its API',
  async authenticate(context) {
    const walk = beginWalk(context, { entry: ({ url }) => entryUrl(url, 'https://ORG.onelogin.com').href })
    try {
      return await signIn(walk)
    } catch (error) {
      throw tidy(walk, error)
    }
  },
  async forget({ store }) {
    forgetMemory(store)
  },
}

async function signIn(walk: Walk): Promise<Assertion> {
  const { settings } = walk.context
  const { origin, hostname } = walk.entry
  const appId = needed(settings, 'appId', '--app-id')
  const client: Client = { origin, appId, headers: { authorization: `bearer: ${await accessToken(walk)}` } }
  const url = new URL('/api/2/saml_assertion', origin)
  const answer = await askJson(walk.context, {
    url: url.href,
    headers: client.headers,
    body: {
      username_or_email: await userNameOf(walk),
      password: await passwordFor(walk, undefined, url),
      app_id: appId,
      subdomain: hostname.split('.')[0],
    },
    sensitive: true,
  })
  if (answer.status >= 400) throw refused(url.host, answer)
  if (textAt(answer.body, 'state_token') === '') return assertionOf(url.host, answer)
  return secondFactor(walk, client, answer)
}

function needed(settings: Settings, name: 'appId' | 'clientId' | 'clientSecret', option: string): string {
  const value = settings[name]
  if (value) return value
  throw failure('config', `OneLogin needs ${option}`, {
    hint: `cloudtoken ${option} VALUE, as your OneLogin administrator says`,
    code: 'client-missing',
  })
}

async function accessToken(walk: Walk): Promise<string> {
  const { settings } = walk.context
  const secret = hide(walk, needed(settings, 'clientSecret', '--client-secret'))
  const pair = `${needed(settings, 'clientId', '--client-id')}:${secret}`
  const basic = hide(walk, Buffer.from(pair, 'utf8').toString('base64'))
  const answer = await askJson(walk.context, {
    url: `${walk.entry.origin}/auth/oauth2/v2/token`,
    headers: { authorization: `Basic ${basic}` },
    body: { grant_type: 'client_credentials' },
    sensitive: true,
  })
  const token = textAt(answer.body, 'access_token')
  if (answer.status < 400 && token !== '') return hide(walk, token)
  throw failure(
    'config',
    `${walk.entry.host} refused the client of --client-id (status ${answer.status})${saidBy(answer)}`,
    {
      hint: 'cloudtoken --client-id ID, with its --client-secret',
      code: 'client-refused',
    },
  )
}

async function secondFactor(walk: Walk, client: Client, answer: JsonAnswer): Promise<Assertion> {
  // Some tenants are routed elsewhere by the `callback_url` of the answer, to a host that knows nothing of them.
  const url = new URL('/api/2/saml_assertion/verify_factor', client.origin)
  const { host } = url
  personFor(walk, host)
  const stateToken = hide(walk, textAt(answer.body, 'state_token'))
  const device = await choose(walk, host, answer)
  const verify = async (more: Readonly<Record<string, unknown>>): Promise<JsonAnswer> =>
    askJson(walk.context, {
      url: url.href,
      headers: client.headers,
      body: { app_id: client.appId, device_id: device.id, state_token: stateToken, ...more },
      sensitive: true,
    })
  if (device.way === 'push' || device.way === 'sent') {
    const begun = await verify({ do_not_notify: false })
    if (begun.status >= 400) throw refused(host, begun)
  }
  if (device.way !== 'push') {
    return typeCodes(walk, url, { label: device.label }, async code => {
      const result = await verify({ otp_token: code, do_not_notify: true })
      if (result.status < 400) return { done: assertionOf(host, result) }
      if (result.status !== 401 && result.status !== 400) throw refused(host, result)
      return { refused: wordsOf(result) }
    })
  }
  const wait = { host, what: 'the push', first: { message: `approve the push: ${device.label}` }, intervalMs: 1000 }
  return awaitApproval(walk.context, wait, async (): Promise<Poll<Assertion>> => {
    const result = await verify({ do_not_notify: true })
    if (/authentication pending/i.test(textAt(result.body, 'message'))) return {}
    if (result.status >= 400) throw formFailure('mfa-refused', `${host} refused the second factor${saidBy(result)}`)
    return { done: assertionOf(host, result) }
  })
}

const ways = new Map<string, Device['way']>([
  ['OneLogin Protect', 'push'],
  ['OneLogin SMS', 'sent'],
  ['OneLogin Email', 'sent'],
  ['Google Authenticator', 'code'],
  ['Yubico YubiKey', 'code'],
])

async function choose(walk: Walk, host: string, { body }: JsonAnswer): Promise<Device> {
  const devices = listAt(body, 'devices').map((device): Device => {
    const type = clean(textAt(device, 'device_type'), 60)
    const way = ways.get(type) ?? 'browser'
    return { id: textAt(device, 'device_id'), way, label: way === 'browser' ? `${type} (needs a browser)` : type }
  })
  const methods = devices.map((value): Method<Device> => {
    const kind = { push: 'push', sent: 'sms', code: 'passcode', browser: '' }[value.way]
    return { value, label: value.label, names: [value.id, kind].filter(Boolean), code: value.way === 'code' }
  })
  return chooseUsable(walk.context, host, methods, ({ way }) => way !== 'browser')
}

/** A list in `data` is no assertion. */
function assertionOf(host: string, { body }: JsonAnswer): Assertion {
  const data = at(body, 'data')
  const read = typeof data === 'string' ? readSamlResponse(data) : undefined
  if (read) return { kind: 'saml', response: read.base64 }
  const said = clean(textAt(body, 'message'), 200)
  throw formFailure('saml-missing', `${host} sent no SAMLResponse${said && ` (${said})`}`, 'check --app-id')
}

function refused(host: string, answer: JsonAnswer): Error {
  return apiRefusal(host, answer.status, wordsOf(answer))
}

function wordsOf({ body }: JsonAnswer): string {
  return clean(textAt(body, 'message') || textAt(body, 'status', 'message'), 200)
}

/** The same behind a colon. */
function saidBy(answer: JsonAnswer): string {
  const said = wordsOf(answer)
  return said && `: ${said}`
}
