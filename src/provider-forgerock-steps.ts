/**
 * The steps of a log-in at ForgeRock and OpenAM: each brings callbacks, which go back filled in
 * (https://docs.pingidentity.com/pingam/8/am-authentication/callbacks-supported.html).
 */
import { askJson, headersFrom, textAt, type JsonAnswer } from './api-json.ts'
import { passwordFor, passwordRefused, personFor, pushFollows, refusedAgain, typeCodes } from './api-secret.ts'
import { failure } from './errors.ts'
import { codeOfText, formFailure, type ErrorTexts } from './form-failure.ts'
import { clean } from './form-text.ts'
import { allowHost, hide, userNameOf, type Walk } from './form-walk.ts'
import type { Page } from './html.ts'
import { awaitApproval, type Notice, type Poll } from './mfa-push.ts'
import {
  callbacksOf,
  checkSupported,
  filled,
  isCode,
  numberIn,
  textsIn,
  waitIn,
  type Callback,
} from './provider-forgerock-callbacks.ts'
import { chooseIn, confirmIn } from './provider-forgerock-choice.ts'

export interface Login {
  readonly walk: Walk
  readonly page: Page
  readonly realm: string
  /** Of the API that hands out the steps. */
  readonly url: URL
}

const maxSteps = 20

export const apiHeaders: Readonly<Record<string, string>> = {
  'accept-api-version': 'resource=2.0, protocol=1.0',
  'x-requested-with': 'XMLHttpRequest',
}

/** To the end of the log-in; answers with the token of the session, empty where it is in the cookies alone. */
export async function passCallbacks(login: Login): Promise<string> {
  const { walk, url } = login
  const asked = new Set<string>()
  let step = await next(login, {})
  for (let count = 0; count < maxSteps; count += 1) {
    const token = textAt(step, 'tokenId')
    if (token !== '') return hide(walk, token)
    if (textAt(step, 'successUrl') !== '' || step === ended) return ''
    step = await answerStep(login, step, asked)
  }
  throw formFailure('too-many-pages', `${url.host} did not come to an end of its log-in`)
}

/** In the place of a step, where the server says that there is nothing left to wait for. */
const ended = {}

/** `asked` has the fields that were answered with user name and password. */
async function answerStep(login: Login, step: unknown, asked: Set<string>): Promise<unknown> {
  const { walk, url } = login
  const callbacks = callbacksOf(step)
  if (callbacks.length === 0) throw formFailure('idp-error', `${url.host} sent a step with nothing in it`)
  checkSupported(url.host, callbacks)
  const passwords = passwordsIn(callbacks)
  if (passwords.length > 1) throw formFailure('password-expired', `${url.host} wants the password changed`)
  // A button on it would end the waiting, and stays as it came.
  if (waitIn(callbacks) !== undefined) return awaitPush(login, step, callbacks)
  const said = textsIn(callbacks)
  const sent = walk.passwords.has(url.host)
  if (sent && callbacks.some(each => asked.has(fieldOf(each)))) throw refusedAgain(walk, url.host, said)
  if (said !== '') walk.context.ask.tell(`${url.host}: ${said}`)
  const values = new Map<Callback, unknown>()
  for (const each of callbacks) {
    if (each.type === 'ChoiceCallback') {
      if (sent) personFor(walk, url.host)
      values.set(each, await chooseIn(walk, url.host, each))
    } else if (each.type === 'ConfirmationCallback') {
      values.set(each, await confirmIn(walk, url.host, each, callbacks))
    } else if (!sent && each.type === 'NameCallback' && !isCode(each)) {
      values.set(each, await nameFor(login))
      asked.add(fieldOf(each))
    } else if (!sent && passwords.includes(each)) {
      values.set(each, await passwordFor(walk, login.page, url))
      asked.add(fieldOf(each))
    }
  }
  // What else is typed behind the password is a code, in whatever language it is asked for.
  const code = callbacks.find(each => each.typed && !values.has(each))
  return code ? typeIn(login, step, code, values) : next(login, filled(step, values))
}

function passwordsIn(callbacks: readonly Callback[]): readonly Callback[] {
  return callbacks.filter(each => each.type === 'PasswordCallback' && !isCode(each))
}

function fieldOf({ type, prompt }: Callback): string {
  return `${type} ${prompt}`
}

async function nameFor({ walk, page, url }: Login): Promise<string> {
  if (walk.userNames.has(url.host)) throw formFailure('username-refused', `${url.host} did not accept the user name`)
  await allowHost(walk, url)
  walk.userNames.set(url.host, page)
  return userNameOf(walk)
}

/** A code that was refused brings the same question again, alone; beside a password it is another matter. */
function typeIn(
  login: Login,
  step: unknown,
  field: Callback,
  values: ReadonlyMap<Callback, unknown>,
): Promise<unknown> {
  let current = step
  const hidden = field.type === 'PasswordCallback'
  return typeCodes(login.walk, login.url, { label: field.prompt, hidden }, async code => {
    const answer = await next(login, filled(current, new Map([...values, [field, code] as const])))
    const again = callbacksOf(answer)
    const typed = again.filter(each => each.typed)
    if (typed.length === 0 || typed.some(each => fieldOf(each) !== fieldOf(field))) return { done: answer }
    current = answer
    return { refused: textsIn(again) }
  })
}

async function awaitPush(login: Login, step: unknown, callbacks: readonly Callback[]): Promise<unknown> {
  const { walk, url } = login
  if (walk.last === 'password') pushFollows(walk, url.host)
  personFor(walk, url.host)
  walk.last = 'code'
  const notice = (list: readonly Callback[]): Notice => ({
    message: waitIn(list)?.message || textsIn(list) || 'approve the sign-in on your device',
    number: numberIn(list),
  })
  const intervalMs = waitIn(callbacks)?.ms ?? 2000
  let current = step
  return awaitApproval(
    walk.context,
    { host: url.host, what: 'the push', first: notice(callbacks), intervalMs },
    async (): Promise<Poll<unknown>> => {
      const answer = await ask(login, current)
      // The session is there, and there is no step that could take the question.
      if (answer.status === 400) return { done: ended }
      if (answer.status !== 200) throw refusedBy(login, answer)
      const list = callbacksOf(answer.body)
      if (waitIn(list) === undefined) return { done: answer.body }
      current = answer.body
      return notice(list)
    },
  )
}

async function next(login: Login, body: unknown): Promise<unknown> {
  const answer = await ask(login, body)
  if (answer.status === 200) return answer.body
  throw refusedBy(login, answer)
}

function ask({ walk, page, url }: Login, body: unknown): Promise<JsonAnswer> {
  const headers = { ...apiHeaders, ...headersFrom(page, url) }
  return askJson(walk.context, { url: url.href, headers, body, sensitive: true })
}

const texts: ErrorTexts = [
  // It counts, and has not locked anything.
  [/will be locked out/i, 'password-refused'],
  [/session has timed out/i, 'state-lost'],
  [/password.{0,20}\breset\b|\breset\b.{0,20}password/i, 'password-expired'],
]

function refusedBy({ walk, realm, url }: Login, { status, body }: JsonAnswer): Error {
  const said = clean(textAt(body, 'message'), 200)
  const code = codeOfText(said, texts)
  const message = `${url.host} refused the sign-in${said && `: ${said}`}`
  if (walk.last === undefined && (status === 404 || /\brealm\b/i.test(said))) {
    const hint = 'check the realm in --url'
    return failure('config', `${url.host} knows no realm ${realm}${said && `: ${said}`}`, {
      hint,
      code: 'realm-unknown',
    })
  }
  if (code !== undefined && code !== 'state-lost' && code !== 'password-refused') return formFailure(code, message)
  if (walk.last === 'code') {
    const late = /time[d-]? ?out|expired/i.test(said)
    return formFailure(
      late ? 'mfa-timeout' : 'mfa-refused',
      `${url.host} refused the second factor${said && `: ${said}`}`,
    )
  }
  if (walk.last === 'password' && status === 401) return passwordRefused(url.host, said)
  return formFailure('idp-error', `${url.host} refused the sign-in (status ${status})${said && `: ${said}`}`)
}
