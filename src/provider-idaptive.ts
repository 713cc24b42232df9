/**
 * Idaptive, once Centrify, now CyberArk Identity: a log-in of challenges, each with mechanisms to choose from. Settings are
 * those of the original: `tenant_id`, `appkey`, `vanity_id`, `domain_name`, `auth_preferences`.
 */
import { askJson, at, listAt, textAt } from './api-json.ts'
import { passwordFor, passwordRefused, personFor } from './api-secret.ts'
import { failure } from './errors.ts'
import { codeOfText, formFailure } from './form-failure.ts'
import { formProvider } from './form-login.ts'
import { clean } from './form-text.ts'
import { allowHost, hide, userNameOf, type FormRecipe, type Walk } from './form-walk.ts'
import type { HttpRequest } from './http.ts'
import type { Page } from './html.ts'
import { chooseMethod, wishedMethod, type Method } from './mfa-choice.ts'
import { codeFor, hasCode } from './mfa-code.ts'
import { awaitApproval, type Poll } from './mfa-push.ts'
import type { Settings } from './options.ts'
import { entryUrl } from './provider-form.ts'

const usualDomain = 'my.idaptive.app'
const maxChallenges = 10
/** A mechanism behind RADIUS answers when the person did. */
const patience = 120_000

export const idaptive = {
  ...formProvider({ name: 'idaptive', summary: 'Idaptive, Centrify, CyberArk Identity' }, recipe),
  aliases: ['centrify'],
}

function recipe(): FormRecipe {
  let signedIn = false
  const elevated = new Set<string>()
  return {
    entry: settings => entryOf(settings).href,
    async answer(walk, page) {
      const url = new URL(page.url)
      const challengeId = url.searchParams.get('challengeId')
      const elevate = url.searchParams.get('elevate')
      if (challengeId && elevate && !elevated.has(challengeId)) {
        elevated.add(challengeId)
        // The session is there; the app wants more than it has, perhaps the password once more.
        walk.passwords.delete(url.host)
        const start = { Version: '1.0', elevate, ChallengeStateId: challengeId }
        await passChallenges(walk, page, '/Security/StartChallenge', start)
        return openApp(walk, page, challengeId)
      }
      if (page.forms.some(({ controls }) => controls.some(({ name }) => name === 'SAMLResponse'))) return undefined
      if (!/^\/(?:login|my|manage)\b/i.test(url.pathname)) return undefined
      if (signedIn) throw formFailure('no-access', `${url.host} signed you in, but does not open the app for AWS`)
      signedIn = true
      const start = { TenantId: walk.context.settings.tenantId ?? '', User: await userNameOf(walk), Version: '1.0' }
      await passChallenges(walk, page, '/Security/StartAuthentication', start)
      return openApp(walk, page)
    },
  }
}

/** An address as a browser would open it, or the parts of the original's settings. */
function entryOf({ url, tenantId, vanityId, domainName, appId }: Settings): URL {
  const name = vanityId ?? tenantId
  const base = url ?? (name === undefined ? undefined : `https://${name}.${domainName ?? usualDomain}`)
  const entry = entryUrl(base, `https://TENANT.${usualDomain}/run?appkey=KEY`)
  if (entry.searchParams.has('appkey')) return entry
  if (appId) return new URL(`/run?${new URLSearchParams({ appkey: appId }).toString()}`, entry)
  throw failure('config', 'the key of the app for AWS is missing', {
    hint: 'cloudtoken --app-id KEY (appkey in config.yaml)',
    code: 'app-missing',
  })
}

function openApp({ entry }: Walk, page: Page, challenge?: string): HttpRequest {
  const appkey = entry.searchParams.get('appkey') ?? ''
  return {
    url: `${new URL(page.url).origin}/uprest/handleAppClick?${new URLSearchParams({ appkey }).toString()}`,
    method: 'POST',
    headers: {
      ...native,
      'content-type': 'application/json',
      ...(challenge !== undefined && { 'x-cfy-challengeid': challenge }),
    },
    body: JSON.stringify(challenge === undefined ? {} : { ChallengeStateId: challenge }),
  }
}

const native = { 'x-idap-native-client': 'true', 'x-centrify-native-client': 'true' }

interface Login {
  readonly walk: Walk
  readonly page: Page
  readonly url: URL
  readonly session: Readonly<Record<string, string>>
}

/** To the end of the log-in; its session is in the cookies then. */
async function passChallenges(walk: Walk, page: Page, path: string, body: unknown): Promise<void> {
  const { origin, host } = new URL(page.url)
  const begun = await askJson(walk.context, { url: `${origin}${path}`, headers: native, body })
  let result = resultOf(host, begun.body, walk)
  if (textAt(result, 'PodFqdn') !== '') {
    const pod = clean(textAt(result, 'PodFqdn'), 100)
    throw failure('config', `the tenant is at another address: ${pod}`, {
      hint: `cloudtoken --url https://${pod}/run?appkey=KEY`,
      code: 'host-moved',
    })
  }
  if (textAt(result, 'IdpRedirectUrl') !== '') {
    throw formFailure('mfa-unsupported', `${host} hands this account over to another identity provider`)
  }
  const session = {
    TenantId: textAt(result, 'TenantId') || (walk.context.settings.tenantId ?? ''),
    SessionId: hide(walk, textAt(result, 'SessionId')),
  }
  const login: Login = { walk, page, url: new URL('/Security/AdvanceAuthentication', origin), session }
  let challenges = listAt(result, 'Challenges')
  for (let count = 0; count < maxChallenges; count += 1) {
    const [challenge, ...rest] = challenges
    if (challenge === undefined) break
    result = await answerChallenge(login, challenge)
    const summary = textAt(result, 'Summary')
    if (summary === 'LoginSuccess') return
    challenges = summary === 'NewPackage' ? listAt(result, 'Challenges') : rest
  }
  throw formFailure('idp-error', `${host} did not come to an end of the sign-in`)
}

async function answerChallenge(login: Login, challenge: unknown): Promise<unknown> {
  const { walk, page, url } = login
  const { host } = url
  const mechanism = await choose(walk, host, listAt(challenge, 'Mechanisms'))
  const id = textAt(mechanism, 'MechanismId')
  const label = labelOf(mechanism)
  const give = (answer: string): Promise<unknown> => advance(login, id, { Action: 'Answer', Answer: answer })
  if (isPassword(mechanism)) return give(await passwordFor(walk, page, url))
  personFor(walk, host)
  await allowHost(walk, url)
  const type = textAt(mechanism, 'AnswerType')
  const typed = async (): Promise<unknown> => {
    const code = hide(
      walk,
      await codeFor(walk.context, { host, label, hidden: textAt(mechanism, 'Name') === 'SQ', sent: walk.secrets }),
    )
    walk.last = 'code'
    return give(code)
  }
  if (textAt(mechanism, 'Name') === 'RADIUS') {
    const word = radiusWord(walk)
    if (word === undefined) return typed()
    walk.last = 'code'
    walk.context.ask.tell(`${host}: answer the second factor (${word}) on your device`)
    return give(word)
  }
  if (type === 'Text') return typed()
  if (!/^Start(?:Text)?Oob$/i.test(type)) throw formFailure('mfa-unsupported', `${host}: ${label} needs a browser`)
  walk.last = 'code'
  await advance(login, id, { Action: 'StartOOB' })
  if (/text/i.test(type)) return typed()
  const wait = { host, what: 'the sign-in', first: { message: `answer on your device: ${label}` } }
  return awaitApproval(walk.context, wait, async (): Promise<Poll<unknown>> => {
    const result = await advance(login, id, { Action: 'Poll' })
    return textAt(result, 'Summary') === 'OobPending' ? {} : { done: result }
  })
}

/** What Duo behind RADIUS is told; `undefined`: a passcode is typed. */
function radiusWord({ context }: Walk): string | undefined {
  const wish = wishedMethod(context)?.toLowerCase() ?? (hasCode(context) ? 'passcode' : 'push')
  if (wish === 'phone' || wish === 'call') return 'phone'
  return wish === 'passcode' || wish === 'code' ? undefined : 'push'
}

async function advance(
  { walk, url, session }: Login,
  MechanismId: string,
  action: Readonly<Record<string, string>>,
): Promise<unknown> {
  const body = { ...session, MechanismId, ...action }
  const answer = await askJson(walk.context, {
    url: url.href,
    headers: native,
    body,
    sensitive: true,
    timeoutMs: patience,
  })
  return resultOf(url.host, answer.body, walk)
}

/** After a first factor alone the password was wrong; after more, Idaptive does not say which of them. */
function resultOf(host: string, body: unknown, walk: Walk): unknown {
  if (at(body, 'success') === true) return at(body, 'Result')
  const said = clean(textAt(body, 'Message'), 200)
  const code = codeOfText(said)
  if (code !== undefined && code !== 'state-lost') throw formFailure(code, `${host} refused the sign-in: ${said}`)
  if (walk.last === 'password') throw passwordRefused(host, said)
  if (walk.last === 'code') {
    throw formFailure(
      'mfa-refused',
      `${host} refused the second factor, or the password before it${said && `: ${said}`}`,
    )
  }
  throw formFailure('idp-error', `${host} refused the sign-in${said && `: ${said}`}`)
}

/** As preferred; else the password; else as wished, remembered or chosen. */
async function choose(walk: Walk, host: string, mechanisms: readonly unknown[]): Promise<unknown> {
  const { settings } = walk.context
  const preferred = settings.authPreferences.flatMap(
    name =>
      mechanisms.find(each => textAt(each, 'UiPrompt') === name) ??
      mechanisms.find(each => textAt(each, 'PromptSelectMech') === name) ??
      [],
  )
  const found = preferred[0] ?? mechanisms.find(isPassword)
  if (found !== undefined) return found
  if (mechanisms.length === 0) throw formFailure('idp-error', `${host} offers no way to sign in`)
  personFor(walk, host)
  const methods = mechanisms.map((value): Method<unknown> => {
    const names = [textAt(value, 'Name'), textAt(value, 'UiPrompt'), kinds.get(textAt(value, 'Name')) ?? '']
    return { value, label: labelOf(value), names: names.filter(Boolean), code: textAt(value, 'AnswerType') === 'Text' }
  })
  return chooseMethod(walk.context, host, methods)
}

const kinds = new Map<string, string>([
  ['OTP', 'push'],
  ['PF', 'call'],
  ['OATH', 'passcode'],
  ['SMS', 'sms'],
  ['EMAIL', 'email'],
])

function isPassword(mechanism: unknown): boolean {
  return textAt(mechanism, 'Name') === 'UP'
}

function labelOf(mechanism: unknown): string {
  const names = ['UiPrompt', 'PromptSelectMech', 'PromptMechChosen', 'Name']
  return clean(names.map(name => textAt(mechanism, name)).find(Boolean) ?? '', 80) || 'second factor'
}
