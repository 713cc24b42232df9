/**
 * Idaptive on loopback: the link of the app, challenges with their mechanisms, an app that wants more.
 */
import { page, redirect, responsePage, serve, type Reply, type Seen } from './fake-idp.ts'
import { jsonReply } from './idp-okta.ts'
import type { SimulatedIdp } from './provider.case.ts'

export interface IdaptiveMechanism {
  readonly Name: string
  readonly AnswerType: string
  readonly PromptSelectMech: string
  readonly UiPrompt?: string
}

export interface IdaptiveOptions {
  /** After the password. */
  readonly second?: readonly IdaptiveMechanism[]
  /** What the app asks for once the session is there. */
  readonly elevation?: readonly IdaptiveMechanism[]
  /** Questions before an answer on the device. */
  readonly pending?: number
  readonly denied?: boolean
  readonly start?: object
}

export interface SimulatedIdaptive extends SimulatedIdp {
  readonly url: string
  readonly problems: string[]
  /** Mechanism, action and answer of second factors. */
  readonly factors: string[]
}

const password: IdaptiveMechanism = { Name: 'UP', AnswerType: 'Text', PromptSelectMech: 'Password' }

export async function startIdaptive(options: IdaptiveOptions = {}): Promise<SimulatedIdaptive> {
  const problems: string[] = []
  const factors: string[] = []
  const sessions = new Set<string>()
  const raised = new Set<string>()
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let posts = 0
  let count = 0
  let pending = options.pending ?? 0
  let left: (readonly IdaptiveMechanism[])[] = []

  const broken = (what: string): Reply => {
    problems.push(what)
    return jsonReply({ success: false, Message: what }, 400)
  }
  const ok = (Result: object): Reply => jsonReply({ success: true, Result, Message: null })
  const no = (Message: string): Reply => jsonReply({ success: false, Result: null, Message })
  const challenges = (): object[] =>
    left.map(mechanisms => ({
      Mechanisms: mechanisms.map(each => ({ ...each, MechanismId: `id-${each.Name}`, PromptMechChosen: 'Enter it' })),
    }))
  const begin = (...list: (readonly IdaptiveMechanism[])[]): Reply => {
    left = list
    return ok({
      SessionId: 'session-1',
      TenantId: 'ABC1234',
      Challenges: challenges(),
      Summary: 'NewPackage',
      ...options.start,
    })
  }
  function passed(): Reply {
    left = left.slice(1)
    if (left.length > 0) return ok({ Summary: 'StartNextChallenge' })
    count += 1
    sessions.add(`s${count}`)
    const reply = ok({ Summary: 'LoginSuccess' })
    return { ...reply, headers: { ...reply.headers, 'set-cookie': `.ASPXAUTH=s${count}; path=/; HttpOnly` } }
  }

  function advance(sent: Readonly<Record<string, string>>): Reply {
    const mechanism = left[0]?.find(({ Name }) => sent['MechanismId'] === `id-${Name}`)
    if (!mechanism || sent['SessionId'] !== 'session-1' || sent['TenantId'] !== 'ABC1234') return broken('advance')
    const { Action: action = '', Answer: answer = '' } = sent
    if (mechanism.Name === 'UP') {
      posts += 1
      if (mode === 'locked') return no('Your account is locked.')
      return answer === 'correct horse' ? passed() : no('Authentication (login or challenge) has failed.')
    }
    factors.push([mechanism.Name, action, answer].filter(Boolean).join(' '))
    if (action === 'StartOOB') return ok({ Summary: 'OobPending' })
    if (action === 'Poll') {
      pending -= 1
      if (pending >= 0) return ok({ Summary: 'OobPending' })
    } else if (!/^(?:123456|push|phone)$/.test(answer)) return no('Authentication (login or challenge) has failed.')
    return options.denied ? no('Authentication (login or challenge) has failed.') : passed()
  }

  function answer(seen: Seen, origin: string): Reply {
    const { method, path, headers, body } = seen
    const url = new URL(path, origin)
    if (mode === 'strange') return { body: page('Dashboard', '<p>Nothing to see</p>') }
    const session = /\.ASPXAUTH=(\w+)/.exec(headers.cookie ?? '')?.[1] ?? ''
    const challenge = headers['x-cfy-challengeid']
    const app = (): Reply => {
      if (!sessions.has(session)) return redirect('/login?app=1')
      if (options.elevation && !raised.has('all')) return redirect('/login?elevate=e-1&challengeId=c-1')
      return { body: responsePage() }
    }
    switch (`${method} ${url.pathname}`) {
      case 'GET /run':
        return url.search === '?appkey=key-1' ? app() : broken('appkey')
      case 'GET /login':
        return { body: page('Sign In', '<div id="login"></div>') }
      case 'POST /Security/StartAuthentication': {
        const sent = JSON.parse(body) as Record<string, string>
        if (sent['User'] !== 'jane' || sent['Version'] !== '1.0') return broken('start')
        return begin([password], ...(options.second ? [options.second] : []))
      }
      case 'POST /Security/StartChallenge':
        if (body !== '{"Version":"1.0","elevate":"e-1","ChallengeStateId":"c-1"}') return broken('elevation')
        return begin(options.elevation ?? [])
      case 'POST /Security/AdvanceAuthentication':
        return advance(JSON.parse(body) as Record<string, string>)
      case 'POST /uprest/handleAppClick':
        if (url.search !== '?appkey=key-1') return broken('handleAppClick')
        if (challenge !== undefined) {
          if (challenge !== 'c-1' || body !== '{"ChallengeStateId":"c-1"}') return broken('challenge')
          raised.add('all')
        }
        return app()
      default:
        return broken(`unexpected ${method} ${path}`)
    }
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}/run?appkey=key-1`,
    problems,
    factors,
    posts: () => posts,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
  }
}
