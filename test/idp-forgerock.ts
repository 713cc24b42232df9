/**
 * ForgeRock on loopback: the SAML service, the log-in page that is a script, steps of callbacks that have to come back as
 * they went, each with its token once.
 */
import { page, redirect, responsePage, serve, type Reply, type Seen } from './fake-idp.ts'
import { jsonReply } from './idp-okta.ts'
import type { SimulatedIdp } from './provider.case.ts'

export interface Callback {
  readonly type: string
  readonly output?: readonly { readonly name: string; readonly value: unknown }[]
  readonly input?: readonly { readonly name: string; readonly value: unknown }[]
}

/** One step behind the password: what is asked, and what the answers (values of the first inputs) lead to. */
export interface Stage {
  readonly callbacks: readonly Callback[]
  readonly header?: string
  judge(values: readonly unknown[], turn: number): 'passed' | 'again' | 'restart' | Reply
}

export interface ForgeRockOptions {
  /** User name and password on one page, or one after the other. */
  readonly first?: 'together' | 'apart'
  readonly stages?: readonly Stage[]
  /** After a wrong password the same page, as a journey may have it. */
  readonly again?: boolean
  readonly refusal?: string
  /** The page of the platform, on a path of its own. */
  readonly platform?: boolean
  /** The server sets no cookie: the script of its page does, under a name of the server's. */
  readonly byScript?: string
  readonly service?: string
  readonly closed?: boolean
}

export interface SimulatedForgeRock extends SimulatedIdp {
  readonly url: string
  readonly problems: string[]
  /** Values that came behind the password. */
  readonly values: (readonly unknown[])[]
}

const base = '/am'
const entry = `${base}/idpssoinit?metaAlias=/alpha/saml-idp&spEntityID=urn:amazon:webservices`
const api = `${base}/json/realms/root/realms/alpha/authenticate`

const texts = (values: Readonly<Record<string, unknown>>): { name: string; value: unknown }[] =>
  Object.entries(values).map(([name, value]) => ({ name, value }))

export const name = (prompt = 'User Name'): Callback => ({
  type: 'NameCallback',
  output: texts({ prompt }),
  input: texts({ IDToken: '' }),
})
export const secret = (prompt = 'Password'): Callback => ({ ...name(prompt), type: 'PasswordCallback' })
export const say = (message: string, messageType = '0'): Callback => ({
  type: 'TextOutputCallback',
  output: texts({ message, messageType }),
})
export const choice = (prompt: string, ...choices: readonly string[]): Callback => ({
  type: 'ChoiceCallback',
  output: texts({ prompt, choices, defaultChoice: 0 }),
  input: texts({ IDToken: 0 }),
})
export const buttons = (options: readonly string[], given = 0, defaultOption = 0): Callback => ({
  type: 'ConfirmationCallback',
  output: texts({ prompt: '', messageType: 0, options, optionType: -1, defaultOption }),
  input: texts({ IDToken: given }),
})
export const hidden = (id: string, value: string): Callback => ({
  type: 'HiddenValueCallback',
  output: texts({ value, id }),
  input: texts({ IDToken: id }),
})
export const wait = (message = 'Waiting for response...', waitTime = '8000'): Callback => ({
  type: 'PollingWaitCallback',
  output: texts({ waitTime, message }),
})

export const unauthorized = (message: string): Reply => jsonReply({ code: 401, reason: 'Unauthorized', message }, 401)

export async function startForgeRock(options: ForgeRockOptions = {}): Promise<SimulatedForgeRock> {
  const { first = 'together', stages = [] } = options
  const problems: string[] = []
  const values: (readonly unknown[])[] = []
  const sessions = new Set<string>()
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let posts = 0
  let count = 0
  let turn = 0
  /** What has been asked: user name, password, stages. */
  let at = 0
  /** The log-in page was told where to go on to. */
  let waiting = false
  let shown: { readonly authId: string; readonly callbacks: readonly Callback[] } | undefined

  const credentials: readonly (readonly Callback[])[] =
    first === 'together' ? [[name(), secret()]] : [[name()], [secret()]]

  const broken = (what: string): Reply => {
    problems.push(what)
    return jsonReply({ code: 400, reason: 'Bad Request', message: what }, 400)
  }

  function step(more: readonly Callback[] = []): Reply {
    const stage = stages[at - credentials.length]
    const callbacks = [...(credentials[at] ?? stage?.callbacks ?? []), ...more].map((callback, index) => ({
      ...callback,
      ...(callback.input && { input: callback.input.map(({ value }) => ({ name: `IDToken${index + 1}`, value })) }),
      _id: index,
    }))
    count += 1
    shown = { authId: `eyJ.${count}.x`, callbacks }
    return jsonReply({ ...shown, stage: 'DataStore1', header: stage?.header ?? 'Sign in' })
  }

  function finish(): Reply {
    const token = `AQIC5w.${count}*AAJTSQ..*`
    sessions.add(token)
    shown = undefined
    const reply = jsonReply({
      tokenId: options.byScript === undefined && count % 2 ? '' : token,
      successUrl: '/am/console',
      realm: '/alpha',
    })
    return options.byScript === undefined
      ? { ...reply, headers: { ...reply.headers, 'set-cookie': `iPlanetDirectoryPro=${token}; Path=/; HttpOnly` } }
      : reply
  }

  function onward(): Reply {
    at += 1
    turn = 0
    return at < credentials.length + stages.length ? step() : finish()
  }

  function judge(given: readonly unknown[]): Reply {
    if (at < credentials.length) {
      const last = at === credentials.length - 1
      if (at === 0 && given[0] !== 'jane' && !last) return unauthorized('Login failure')
      if (!last) return onward()
      posts += 1
      if (mode === 'locked') return unauthorized('User Locked Out.')
      const right = given.at(-1) === 'correct horse' && (first === 'apart' || given[0] === 'jane')
      if (right) return onward()
      return options.again ? step([say('Invalid password', '2')]) : unauthorized(options.refusal ?? 'Login failure')
    }
    values.push(given)
    turn += 1
    const verdict = stages[at - credentials.length]?.judge(given, turn)
    if (verdict === 'passed') return onward()
    if (verdict === 'restart') {
      at = 0
      return step()
    }
    return verdict === 'again' ? step([say('Not right, try again', '2')]) : (verdict ?? broken('no such stage'))
  }

  function authenticate({ headers, body, path }: Seen, origin: string): Reply {
    if (headers['accept-api-version'] !== 'resource=2.0, protocol=1.0') return broken('version')
    if (headers.origin !== origin) return broken('origin')
    const query = new URL(path, origin).searchParams
    const service = query.get('authIndexType') === 'service' ? query.get('authIndexValue') : null
    if (query.get('goto') !== `${origin}${entry}&ReqID=r1`) return broken('goto')
    if (service !== (options.service ?? null)) return broken(`service ${service}`)
    const sent = JSON.parse(body) as { readonly authId?: string; readonly callbacks?: readonly Callback[] }
    if (sent.authId === undefined) {
      at = 0
      turn = 0
      return step()
    }
    if (!shown || sent.authId !== shown.authId) return broken('an old step')
    const [went, came] = [shown.callbacks, sent.callbacks ?? []]
    const same = (list: readonly Callback[]): string => JSON.stringify(list.map(each => [each.type, each.output]))
    if (same(went) !== same(came)) return broken('callbacks that are not those of the step')
    return judge(came.filter(({ input }) => input).map(({ input }) => input?.[0]?.value))
  }

  function answer(seen: Seen, origin: string): Reply {
    const url = new URL(seen.path, origin)
    if (mode === 'strange') return { body: page('Dashboard', '<p>Nothing to see</p>') }
    const cookie = new RegExp(`\\b${options.byScript ?? 'iPlanetDirectoryPro'}=([^;]+)`).exec(
      seen.headers.cookie ?? '',
    )?.[1]
    const goal = `${origin}${entry}&ReqID=r1`
    if (seen.path === entry || `${origin}${seen.path}` === goal) {
      if (cookie !== undefined && sessions.has(cookie) && !options.closed) {
        if (waiting && seen.path === entry) return broken('the goal of the page is lost')
        waiting = false
        return { body: responsePage() }
      }
      waiting = true
      const place = options.platform ? '/login/' : `${base}/XUI/`
      return redirect(`${place}?realm=/alpha&goto=${encodeURIComponent(goal)}`)
    }
    if (url.pathname === '/login/' || url.pathname === `${base}/XUI/`) {
      return {
        body: page('ForgeRock Access Management', '<div id="wrapper">Loading...</div><script src="main.js"></script>'),
      }
    }
    if (url.pathname === api && seen.method === 'POST') return authenticate(seen, origin)
    if (url.pathname === `${base}/json/serverinfo/*`)
      return jsonReply({ cookieName: options.byScript ?? 'iPlanetDirectoryPro' })
    return broken(`unexpected ${seen.method} ${seen.path}`)
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}${entry}`,
    problems,
    values,
    posts: () => posts,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
  }
}
