/**
 * JumpCloud: its console signs in by an API, and leads back to the page of the app.
 */
import { askJson, listAt, textAt, type JsonAnswer } from './api-json.ts'
import { passwordFor, personFor, apiRefusal, typeCodes } from './api-secret.ts'
import { formFailure } from './form-failure.ts'
import { formProvider } from './form-login.ts'
import { clean } from './form-text.ts'
import { userNameOf, type FormRecipe, type Walk } from './form-walk.ts'
import { isLoopback, type HttpRequest } from './http.ts'
import type { Page } from './html.ts'
import { chooseUsable, type Method } from './mfa-choice.ts'
import { awaitApproval, type Poll } from './mfa-push.ts'
import { entryUrl } from './provider-form.ts'

type Kind = 'totp' | 'push' | 'browser'

/** What goes with every request. */
interface Console {
  readonly origin: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Readonly<Record<string, string>>
}

function recipe(): FormRecipe {
  let signedIn = false
  return {
    entry: ({ url }) => entryUrl(url, 'https://sso.jumpcloud.com/saml2/aws').href,
    ownHosts: ['console.jumpcloud.com', 'console.eu.jumpcloud.com'],
    async answer(walk, page) {
      if (!isLogin(walk, page)) return undefined
      const { host } = new URL(page.url)
      if (signedIn) throw formFailure('no-access', `${host} signed you in, but does not let you into the app for AWS`)
      signedIn = true
      return signIn(walk, page)
    },
  }
}

export const jumpcloud = formProvider({ name: 'jumpcloud', summary: 'JumpCloud' }, recipe)

/** The console is another host than the app: `sso.jumpcloud.com`, `console.jumpcloud.com`. */
function consoleOf({ entry }: Walk): string {
  return isLoopback(entry.hostname) ? entry.origin : `${entry.protocol}//${entry.host.replace(/^sso\./, 'console.')}`
}

function isLogin(walk: Walk, { url }: Page): boolean {
  const { origin, pathname } = new URL(url)
  return origin === consoleOf(walk) && /^\/(?:login|userconsole)\b/.test(pathname)
}

async function signIn(walk: Walk, page: Page): Promise<HttpRequest> {
  const { context, entry } = walk
  const origin = consoleOf(walk)
  const xsrf = textAt((await askJson(context, { url: `${origin}/userconsole/xsrf` })).body, 'xsrf')
  const target = new URL('/userconsole/auth', origin)
  const jumpcloud: Console = {
    origin,
    headers: { 'x-xsrftoken': xsrf },
    body: {
      Context: 'sso',
      RedirectTo: `${entry.pathname}${entry.search}`.slice(1),
      Email: await userNameOf(walk),
      Password: await passwordFor(walk, page, target),
    },
  }
  const first = await authenticate(walk, jumpcloud, '')
  const message = textAt(first.body, 'message')
  if (first.status === 200) return onward(walk, first)
  if (first.status !== 401 || message !== 'MFA required.') throw refused(target.host, first)
  personFor(walk, target.host)
  const kind = await choose(walk, target.host, first)
  if (kind === 'push') return push(walk, jumpcloud)
  return typeCodes(walk, target, { label: 'Verification code' }, async code => {
    const answer = await authenticate(walk, jumpcloud, code)
    if (answer.status === 200) return { done: onward(walk, answer) }
    if (answer.status !== 401) throw refused(target.host, answer)
    return { refused: clean(textAt(answer.body, 'message'), 200) }
  })
}

function authenticate(walk: Walk, { origin, headers, body }: Console, otp: string): Promise<JsonAnswer> {
  const url = `${origin}/userconsole/auth`
  return askJson(walk.context, { url, headers, body: { ...body, OTP: otp }, sensitive: true })
}

/** Back to the app. */
function onward({ entry }: Walk, { url, body }: JsonAnswer): HttpRequest {
  const target = textAt(body, 'redirectTo')
  if (!URL.canParse(target, url)) return { url: entry.href }
  const { origin, href } = new URL(target, url)
  if (origin === entry.origin || origin === new URL(url).origin) return { url: href }
  throw formFailure('idp-error', `${new URL(url).host} leads on to ${new URL(href).host}`)
}

async function push(walk: Walk, { origin, headers }: Console): Promise<HttpRequest> {
  const { context } = walk
  const { host } = new URL(origin)
  const base = `${origin}/userconsole/auth/push`
  const begun = await askJson(context, { url: base, headers, body: {} })
  const id = textAt(begun.body, 'id')
  if (begun.status >= 400 || id === '') throw refused(host, begun)
  const url = `${base}/${encodeURIComponent(id)}`
  const wait = { host, what: 'the push', first: { message: 'approve the push of JumpCloud Protect' }, intervalMs: 1000 }
  await awaitApproval(context, wait, async (): Promise<Poll<true>> => {
    const { body } = await askJson(context, { url, headers })
    const status = textAt(body, 'status')
    if (status === 'accepted') return { done: true }
    if (status === 'pending') return {}
    if (status === 'expired') throw formFailure('mfa-timeout', `${host}: nobody answered the push in time`)
    throw formFailure('mfa-refused', `${host}: the push was ${clean(status, 40) || 'refused'}`)
  })
  const done = await askJson(context, { url: `${url}/login`, headers, body: {} })
  if (done.status >= 400) throw refused(host, done)
  return onward(walk, done)
}

async function choose(walk: Walk, host: string, { body }: JsonAnswer): Promise<Kind> {
  const types = listAt(body, 'factors')
    .filter(factor => textAt(factor, 'status') === 'available')
    .map(factor => textAt(factor, 'type'))
  const methods = types.map((type): Method<Kind> => {
    if (type === 'totp') return { value: 'totp', label: 'code of an app', names: ['totp', 'passcode'], code: true }
    if (type === 'push') return { value: 'push', label: 'JumpCloud Protect push', names: ['push'] }
    return { value: 'browser', label: `${clean(type, 40)} (needs a browser)`, names: [type] }
  })
  return chooseUsable(walk.context, host, methods, kind => kind !== 'browser')
}

/** Every other 401 says in words what is wrong. */
function refused(host: string, { status, body }: JsonAnswer): Error {
  return apiRefusal(host, status, clean(textAt(body, 'message'), 200))
}
