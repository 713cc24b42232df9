/**
 * Auth0: its classic log-in page is a script that sends the password as JSON and gets a form back; its newer pages are
 * forms of their own.
 */
import { Buffer } from 'node:buffer'
import { at, listAt, textAt } from './api-json.ts'
import { passwordFor, apiRefusal } from './api-secret.ts'
import { formFailure, type FormCode } from './form-failure.ts'
import { formProvider } from './form-login.ts'
import { readMemory, remember } from './form-memory.ts'
import { clean } from './form-text.ts'
import { hide, userNameOf, type Walk } from './form-walk.ts'
import { isLoopback, type HttpResponse } from './http.ts'
import { readLiteral } from './html-literal.ts'
import type { Page } from './html.ts'
import { readJson } from './json.ts'
import { entryUrl } from './provider-form.ts'

export const auth0 = formProvider(
  { name: 'auth0', summary: 'Auth0' },
  {
    entry: ({ url }) => entryUrl(url, 'https://TENANT.auth0.com/samlp/CLIENT_ID').href,
    async answer(walk, page) {
      const packed = /\bwindow\.atob\(\s*(["'])([A-Za-z0-9+/=]+)\1\s*\)/.exec(page.source)?.[2]
      const session = packed === undefined ? undefined : readJson(Buffer.from(packed, 'base64').toString('utf8'))
      return textAt(session, 'state') === '' ? undefined : await logIn(walk, page, session)
    },
  },
)

async function logIn(walk: Walk, page: Page, session: unknown): Promise<HttpResponse> {
  const { origin, hostname } = new URL(page.url)
  const client_id = decodeURIComponent(/\/samlp\/([^/]+)/.exec(walk.entry.pathname)?.[1] ?? '')
  const connection = await connectionOf(walk, page, client_id)
  const url = new URL('/usernamepassword/login', origin)
  const body = {
    client_id,
    connection,
    username: await userNameOf(walk),
    password: await passwordFor(walk, page, url),
    protocol: 'samlp',
    redirect_uri: 'https://signin.aws.amazon.com/saml',
    response_type: 'code',
    scope: 'openid profile email',
    sso: true,
    state: hide(walk, textAt(session, 'state')),
    tenant: hostname.split('.')[0],
    _csrf: textAt(session, '_csrf'),
    _intstate: 'deprecated',
    popup_options: {},
  }
  const response = await walk.context.http.request({
    url: url.href,
    method: 'POST',
    headers: {
      accept: 'text/html, application/json',
      'content-type': 'application/json',
      origin,
      referer: page.url,
      'auth0-client': Buffer.from(JSON.stringify({ name: 'cloudtoken', version: '1' })).toString('base64'),
    },
    body: JSON.stringify(body),
    sensitive: true,
  })
  if (response.status < 400) return response
  throw refused(url.host, response)
}

/** The one there is, `--auth-source`, the one chosen before, or the person's choice. */
async function connectionOf({ context, entry }: Walk, page: Page, clientId: string): Promise<string> {
  const { host } = new URL(page.url)
  const base = isLoopback(entry.hostname) ? entry.origin : `https://${entry.host.replace(/^[^.]+/, 'cdn')}`
  const { text } = await context.http.request({ url: `${base}/client/${encodeURIComponent(clientId)}.js` })
  const start = /\bAuth0\.setClient\(\s*(?=\{)/.exec(text)
  const client = start ? readLiteral(text, start.index + start[0].length) : undefined
  const names = listAt(client, 'strategies')
    .flatMap(strategy => listAt(strategy, 'connections'))
    .map(connection => textAt(connection, 'name'))
    .filter(Boolean)
  const [only, ...others] = names
  if (only === undefined) throw formFailure('idp-error', `${host} does not say which connections there are`)
  if (others.length === 0) return only
  const key = `${host} source`
  const wish = context.settings.authSource
  const found = names.find(name => name.toLowerCase() === wish?.toLowerCase())
  const before = readMemory(context.store).choices[key]
  if (found !== undefined) return found
  if (wish === undefined && before !== undefined && names.includes(before)) return before
  if (wish !== undefined) context.log.warn(`${host} offers no connection “${clean(wish, 60)}”`)
  const choices = names.map(name => ({ value: name, label: clean(name, 100) }))
  const chosen = await context.ask.choose(`Choose the sign-in source (${host})`, choices)
  remember(context.store, memory => ({ choices: { ...memory.choices, [key]: chosen } }))
  return chosen
}

const codes = new Map<string, FormCode>([
  ['too_many_attempts', 'account-locked'],
  ['blocked_user', 'account-disabled'],
  ['password_leaked', 'password-expired'],
  ['password_change_required', 'password-expired'],
  ['unauthorized', 'no-access'],
])

function refused(host: string, { status, text }: HttpResponse): Error {
  const body = readJson(text)
  const description = at(body, 'description')
  const said = clean(typeof description === 'string' ? description : textAt(body, 'message'), 200)
  const name = textAt(body, 'code') || textAt(body, 'name')
  const code = codes.get(name)
  if (code !== undefined) return formFailure(code, `${host} refused the sign-in${said && `: ${said}`}`)
  return apiRefusal(host, name === 'invalid_user_password' ? 401 : status, said)
}
