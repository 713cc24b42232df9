/**
 * OneLogin's API on loopback: a token, an assertion, a second factor.
 */
import { Buffer } from 'node:buffer'
import { samlResponse, serve, type Reply, type Seen } from './fake-idp.ts'
import { jsonReply } from './idp-okta.ts'

export interface OneLoginOptions {
  readonly devices?: readonly string[]
  /** Questions after a push before it is answered. */
  readonly pending?: number
  readonly data?: unknown
  readonly assertion?: Reply
  readonly denied?: boolean
}

export interface SimulatedOneLogin {
  readonly url: string
  readonly problems: string[]
  /** Paths and, of verifications, what they asked for. */
  readonly calls: string[]
  /** How often a password arrived. */
  posts(): number
  stop(): Promise<void>
}

export async function startOneLogin(options: OneLoginOptions = {}): Promise<SimulatedOneLogin> {
  const calls: string[] = []
  const problems: string[] = []
  let pending = options.pending ?? 0
  let begun = false
  const broken = (what: string): Reply => {
    problems.push(what)
    return jsonReply({ message: what }, 400)
  }
  const done = (): Reply => jsonReply({ message: 'Success', data: options.data ?? samlResponse() })

  function verify(body: Readonly<Record<string, unknown>>): Reply {
    const { device_id: id, otp_token: code, do_not_notify: quiet } = body
    calls.push(`verify ${String(id)} ${String(code ?? '-')} ${String(quiet)}`)
    if (body['state_token'] !== 'state-1' || body['app_id'] !== '4242') return broken('state')
    const type = options.devices?.[Number(id) - 1] ?? ''
    if (!begun && (type === 'OneLogin Protect' || type === 'OneLogin SMS')) {
      begun = true
      return code === undefined && quiet === false ? jsonReply({ message: 'Success' }) : broken('begin')
    }
    if (quiet !== true) return broken('notified twice')
    if (type === 'OneLogin Protect') {
      pending -= 1
      if (pending >= 0) return jsonReply({ message: 'Authentication pending on OL Protect' })
      return options.denied ? jsonReply({ message: 'Authentication denied' }, 401) : done()
    }
    return code === '123456' ? done() : jsonReply({ message: 'Failed authentication with this factor' }, 401)
  }

  function answer({ method, path, headers, body }: Seen): Reply {
    if (method !== 'POST' || headers['content-type'] !== 'application/json') return broken(`${method} ${path}`)
    const sent = JSON.parse(body) as Record<string, unknown>
    if (path === '/auth/oauth2/v2/token') {
      calls.push('token')
      const basic = `Basic ${Buffer.from('client:client-secret').toString('base64')}`
      if (sent['grant_type'] !== 'client_credentials') return broken('grant')
      if (headers.authorization !== basic) return jsonReply({ status: { message: 'Authentication Failure' } }, 401)
      return jsonReply({ access_token: 'api-token-1' })
    }
    if (headers.authorization !== 'bearer: api-token-1') return broken('bearer')
    if (path === '/api/2/saml_assertion/verify_factor') return verify(sent)
    if (path !== '/api/2/saml_assertion') return broken(path)
    calls.push('assertion')
    if (options.assertion) return options.assertion
    if (sent['app_id'] !== '4242' || sent['subdomain'] !== '127') return broken('app')
    if (sent['username_or_email'] !== 'jane' || sent['password'] !== 'correct horse') {
      return jsonReply({ message: 'Authentication Failed: Invalid user credentials', statusCode: 401 }, 401)
    }
    if (!options.devices) return done()
    return jsonReply({
      message: 'MFA is required for this user',
      state_token: 'state-1',
      devices: options.devices.map((device_type, index) => ({ device_id: index + 1, device_type })),
      callback_url: 'https://elsewhere.example/api/2/saml_assertion/verify_factor',
    })
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: server.origin,
    problems,
    calls,
    posts: () => calls.filter(call => call === 'assertion').length,
  }
}
