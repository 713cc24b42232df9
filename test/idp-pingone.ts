/**
 * PingOne on loopback: the service that begins a flow, the page that is a script, the flow API with its media types, the
 * way back with a response.
 */
import { page, redirect, responsePage, serve, type Reply, type Seen } from './fake-idp.ts'
import { jsonReply } from './idp-okta.ts'
import type { SimulatedIdp } from './provider.case.ts'

export interface PingOneDevice {
  readonly id: string
  readonly type: string
  readonly nickname?: string
  readonly phone?: string
}

export interface PingOneOptions {
  /** `lookup`: the user name alone first, then the password. */
  readonly signOn?: 'together' | 'lookup'
  /** The first one is used at once, unless it has to be chosen. */
  readonly devices?: readonly PingOneDevice[]
  readonly choose?: boolean
  /** No other device may be taken. */
  readonly fixed?: boolean
  /** `status` of each question after a push; the last one stays. */
  readonly push?: readonly string[]
  /** In the place of what follows a right password. */
  readonly after?: Readonly<Record<string, unknown>>
  /** In the place of the answer to a password. */
  readonly refusal?: Reply
  /** Other identity providers, by name. */
  readonly sources?: readonly string[]
  /** Where they lead: to a response, or back to the sign-on page. */
  readonly elsewhere?: 'back'
  /** The app stays closed. */
  readonly closed?: boolean
}

export interface SimulatedPingOne extends SimulatedIdp {
  readonly url: string
  readonly problems: string[]
  /** Actions with what they said, passwords left out. */
  readonly actions: string[]
}

const environment = '/082dba86-d36e-413e-85b4-ee499a5cea55'

export async function startPingOne(options: PingOneOptions = {}): Promise<SimulatedPingOne> {
  const { signOn = 'together', devices = [], push = ['PUSH_CONFIRMATION_REQUIRED', 'COMPLETED'] } = options
  const problems: string[] = []
  const actions: string[] = []
  const sessions = new Set<string>()
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let posts = 0
  let count = 0
  let asked = 0
  let device = devices[0]
  let status = ''
  let home = ''

  const broken = (what: string): Reply => {
    problems.push(what)
    return jsonReply({ code: 'INVALID_REQUEST', message: what }, 400)
  }
  const invalid = (target: string, message: string, innerError?: unknown): Reply =>
    jsonReply(
      {
        code: 'INVALID_DATA',
        message: 'The request could not be completed. One or more validation errors were in the request.',
        details: [{ code: 'INVALID_VALUE', target, message, ...(innerError !== undefined && { innerError }) }],
      },
      400,
    )

  /** Which actions each state takes. */
  function offered(): readonly string[] {
    switch (status) {
      case 'USERNAME_PASSWORD_REQUIRED':
        return ['usernamePassword.check', 'password.forgot']
      case 'SIGN_ON_REQUIRED':
        return ['user.lookup']
      case 'PASSWORD_REQUIRED':
        return ['password.check', 'password.forgot']
      case 'DEVICE_SELECTION_REQUIRED':
        return ['device.select']
      case 'OTP_REQUIRED':
        return options.fixed ? ['otp.check'] : ['otp.check', 'device.select']
      case 'PUSH_CONFIRMATION_REQUIRED':
      case 'ASSERTION_REQUIRED':
        return options.fixed ? [] : ['device.select']
      default:
        return []
    }
  }

  function flow(): Reply {
    const href = `${home}${environment}/flows/f${count}`
    const links = Object.fromEntries(['self', 'session.reset', ...offered()].map(name => [name, { href }]))
    const sources = options.sources?.map(name => ({
      name,
      _links: { authenticate: { href: `${home}/elsewhere?to=${name}` } },
    }))
    return jsonReply({
      _links: links,
      id: `f${count}`,
      resumeUrl: `${home}${environment}/saml20/resume?flowId=f${count}`,
      status,
      _embedded: { ...(status.includes('REQUIRED') && { devices, socialProviders: sources }) },
      ...(device && { selectedDevice: { id: device.id } }),
      ...(status === options.after?.['status'] && options.after),
    })
  }

  const stateOf = ({ type }: PingOneDevice): string =>
    type === 'MOBILE' ? 'PUSH_CONFIRMATION_REQUIRED' : type === 'FIDO2' ? 'ASSERTION_REQUIRED' : 'OTP_REQUIRED'

  function password(given: Readonly<Record<string, string>>): Reply {
    posts += 1
    if (options.refusal) return options.refusal
    if (mode === 'locked') {
      return jsonReply(
        {
          code: 'INVALID_DATA',
          message: 'The request could not be completed.',
          details: [
            { code: 'PASSWORD_LOCKED_OUT', target: 'password', message: 'Too many unsuccessful sign-on attempts.' },
          ],
        },
        400,
      )
    }
    if (given['password'] !== 'correct horse' || (signOn === 'together' && given['username'] !== 'jane')) {
      return invalid('password', 'The provided password did not match provisioned password', { failuresRemaining: 4 })
    }
    if (options.after) status = String(options.after['status'])
    else if (!device) status = 'COMPLETED'
    else status = options.choose ? 'DEVICE_SELECTION_REQUIRED' : stateOf(device)
    return flow()
  }

  function action(name: string, given: Readonly<Record<string, string>>): Reply {
    const said = Object.entries(given).filter(([key]) => key !== 'password')
    actions.push([name, ...said.map(([, value]) => JSON.stringify(value))].join(' '))
    switch (name) {
      case 'user.lookup':
        if (given['username'] !== 'jane') return invalid('username', 'No user has that name')
        status = 'PASSWORD_REQUIRED'
        return flow()
      case 'password.check':
      case 'usernamePassword.check':
        return password(given)
      case 'device.select': {
        const { id } = given['device'] as unknown as { readonly id: string }
        device = devices.find(each => each.id === id)
        if (!device) return broken('no such device')
        status = stateOf(device)
        return flow()
      }
      case 'otp.check':
        if (given['otp'] !== '123456') return invalid('otp', 'Invalid passcode')
        status = 'COMPLETED'
        return flow()
      default:
        return broken(name)
    }
  }

  function flows({ method, path, headers, body }: Seen): Reply {
    if (path !== `${environment}/flows/f${count}`) return broken(`another flow: ${path}`)
    if (!headers.cookie?.includes(`ST=flow${count}`)) return broken('the cookie of the flow is missing')
    if (headers.origin !== home) return broken('no origin')
    if (method === 'GET') {
      if (status === 'PUSH_CONFIRMATION_REQUIRED' && actions.length > 0) {
        status = push[Math.min(asked, push.length - 1)] ?? ''
        asked += 1
      }
      return flow()
    }
    const name = /^application\/vnd\.pingidentity\.([\w.]+)\+json$/.exec(headers['content-type'] ?? '')?.[1] ?? ''
    return offered().includes(name)
      ? action(name, JSON.parse(body) as Record<string, string>)
      : broken(`${name} at ${status}`)
  }

  function begin(): Reply {
    count += 1
    status = signOn === 'together' ? 'USERNAME_PASSWORD_REQUIRED' : 'SIGN_ON_REQUIRED'
    return redirect(`${environment}/signon/?flowId=f${count}`, {
      'set-cookie': `ST=flow${count}; Path=${environment}; HttpOnly`,
    })
  }

  function answer(seen: Seen, origin: string): Reply {
    home = origin
    const url = new URL(seen.path, origin)
    if (mode === 'strange') return { body: page('Dashboard', '<p>Nothing to see</p>') }
    switch (url.pathname) {
      case `${environment}/saml20/idp/startsso`: {
        if (url.searchParams.get('spEntityId') !== 'urn:amazon:webservices') return broken('spEntityId')
        const session = /SESSION=(\w+)/.exec(seen.headers.cookie ?? '')?.[1]
        return session !== undefined && sessions.has(session) ? { body: responsePage() } : begin()
      }
      case `${environment}/signon/`:
        return { body: page('Sign On', '<div id="root"></div><script src="/signon.js"></script>') }
      case `${environment}/saml20/resume`:
        if (status !== 'COMPLETED' || url.searchParams.get('flowId') !== `f${count}`) return broken('resume')
        if (options.closed) return begin()
        sessions.add(`s${count}`)
        return {
          headers: { 'set-cookie': `SESSION=s${count}; Path=${environment}; HttpOnly` },
          body: responsePage(),
        }
      case '/elsewhere':
        if (options.elsewhere) return redirect(`${environment}/signon/?flowId=f${count}`)
        return { body: responsePage() }
      default:
        return url.pathname.startsWith(`${environment}/flows/`) ? flows(seen) : broken(`unexpected ${seen.path}`)
    }
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}${environment}/saml20/idp/startsso?spEntityId=urn:amazon:webservices`,
    problems,
    actions,
    posts: () => posts,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
  }
}
