/**
 * Akamai Enterprise Application Access: its portal is a script over an API, which hands out the page of an app as a text.
 */
import { Buffer } from 'node:buffer'
import { askJson, textAt, type JsonAnswer } from './api-json.ts'
import { passwordFor, apiRefusal } from './api-secret.ts'
import { failure, isFailure } from './errors.ts'
import { formFailure } from './form-failure.ts'
import { formProvider } from './form-login.ts'
import { clean } from './form-text.ts'
import { userNameOf, type FormRecipe } from './form-walk.ts'
import type { HttpResponse } from './http.ts'
import type { Page } from './html.ts'
import type { Settings } from './options.ts'
import { passAkamaiFactor } from './provider-akamai-factor.ts'
import { isGood, saidBy, wordsOf, type Portal } from './provider-akamai-api.ts'
import { entryUrl } from './provider-form.ts'

function recipe(): FormRecipe {
  let opened = false
  return {
    entry: settings => entryOf(settings).href,
    async answer(walk, page) {
      const xsrf = xsrfOf(page)
      if (xsrf === undefined || opened) return undefined
      opened = true
      const { origin, host } = new URL(page.url)
      return openApp({ walk, page, origin, host, headers: { xsrf } })
    },
  }
}

export const akamai = formProvider({ name: 'akamai', summary: 'Akamai Enterprise Application Access (EAA)' }, recipe)

/** The app is known by its host name: `?app=` as in the address, or `--app-id`. */
function entryOf({ url, appId }: Settings): URL {
  const entry = entryUrl(url, 'https://login.example.com/?app=signin.aws.amazon.com')
  if (entry.searchParams.get('app')) return entry
  if (!appId) {
    throw failure('config', 'the app for AWS is missing', {
      hint: 'cloudtoken --app-id HOST, the host name that your administrator gave to the app for AWS',
      code: 'app-missing',
    })
  }
  entry.searchParams.set('app', appId)
  return entry
}

function xsrfOf({ forms, loose }: Page): string | undefined {
  const controls = [...forms.flatMap(form => form.controls), ...loose]
  return controls.find(({ id }) => id === 'xsrf')?.value || undefined
}

/** The page that a browser would be given for the app: the session first, the password only where there is none. */
async function openApp(portal: Portal): Promise<HttpResponse> {
  const { page, host, walk } = portal
  let answer = await navigate(portal).catch((error: unknown) => {
    // Without a session it may lead to the portal instead.
    if (isFailure(error) && error.code === 'idp-error') return undefined
    throw error
  })
  if (!answer || (bodyOf(answer) === '' && factorOf(answer) === '')) {
    await logIn(portal)
    answer = await navigate(portal)
  }
  if (factorOf(answer) === 'register')
    throw formFailure('action-required', `${host} wants a second factor set up first`)
  if (factorOf(answer) !== '') {
    await passAkamaiFactor(portal)
    answer = await navigate(portal)
  }
  const text = bodyOf(answer)
  if (text === '') {
    const app = clean(walk.entry.searchParams.get('app') ?? '', 80)
    throw formFailure('no-access', `${host} signed you in, but does not open the app ${app}${saidBy(answer)}`)
  }
  const headers = new Headers({ 'content-type': 'text/html; charset=utf-8' })
  return { url: page.url, status: 200, headers, bytes: Buffer.from(text, 'utf8'), text }
}

function navigate({ walk, origin, headers }: Portal): Promise<JsonAnswer> {
  const body = { hostname: walk.entry.searchParams.get('app') }
  return askJson(walk.context, { url: `${origin}/api/v2/apps/navigate`, headers, body })
}

function bodyOf({ body }: JsonAnswer): string {
  return textAt(body, 'navigate', 'body')
}

/** `verify` or `register`; empty where none is wanted. */
function factorOf({ body }: JsonAnswer): string {
  return textAt(body, 'mfa', 'status')
}

async function logIn({ walk, page, origin, host, headers }: Portal): Promise<void> {
  const url = new URL('/api/v1/login', origin)
  const body = { username: await userNameOf(walk), password: await passwordFor(walk, page, url) }
  const answer = await askJson(walk.context, { url: url.href, headers, body, sensitive: true })
  if (!isGood(answer)) throw refused(host, answer)
}

function refused(host: string, answer: JsonAnswer): Error {
  const status = Number(textAt(answer.body, 'status')) || answer.status
  // Whatever it says otherwise is about the password.
  return apiRefusal(host, status >= 500 || status === 429 ? status : 401, wordsOf(answer))
}
