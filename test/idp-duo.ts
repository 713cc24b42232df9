/**
 * Duo on loopback: the Universal prompt, the single-page prompt and the classic frame, each strict about every field.
 */
import { page, redirect, serve, type Reply, type Seen } from './fake-idp.ts'

export interface DuoOptions {
  readonly kind: 'universal' | 'app' | 'frame'
  /** Answers to the questions for the status, in order; the last one is repeated. */
  readonly statuses?: readonly Readonly<Record<string, unknown>>[]
  /** In the place of the first prompt. */
  readonly refuse?: Reply
  /** Factors of the single-page prompt. */
  readonly factors?: readonly unknown[]
  /** Where `url` of the last step is written as a path. */
  readonly relative?: boolean
  /** Body of the first page of the classic frame. */
  readonly frame?: string
  /** Devices of the Universal prompt, as options and blocks. */
  readonly devices?: string
}

export interface SimulatedDuo {
  readonly origin: string
  readonly problems: string[]
  /** Fields of each prompt. */
  readonly prompts: Record<string, string>[]
  /** Paths asked for. */
  readonly paths: string[]
  stop(): Promise<void>
}

export const rightPasscode = '123456'
export const phones = `<select name="device"><option value="phone1">iPhone (XXX-XXX-1111)</option><option value="phone2">Desk (XXX-XXX-2222)</option><option value="phone3">Old (XXX-XXX-3333)</option><option value="WAKEY" name="webauthn">Security Key</option></select>
${[1, 2, 3].map(n => `<fieldset data-device-index="phone${n}">${(n === 2 ? ['Phone Call', 'Passcode'] : ['Duo Push', 'Phone Call', 'Passcode']).map(name => `<input type="hidden" name="factor" value="${name}">`).join('')}</fieldset>`).join('')}`

const facts =
  'java_version flash_version screen_resolution_width screen_resolution_height color_depth ch_ua_error client_hints is_cef_browser is_ipad_os is_ie_compatibility_mode is_user_verifying_platform_authenticator_available user_verifying_platform_authenticator_available_error acting_ie_version react_support react_support_error_message'.split(
    ' ',
  )

const json = (body: unknown, status = 200): Reply => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})
const ok = (response: unknown): Reply => json({ stat: 'OK', response })

export async function startDuo(options: DuoOptions): Promise<SimulatedDuo> {
  const problems: string[] = []
  const prompts: Record<string, string>[] = []
  const paths: string[] = []
  const statuses = options.statuses ?? [{ status_code: 'pushed' }, { status_code: 'allow', result: 'SUCCESS' }]
  let asked = 0
  let sid = 'sid-1'
  let back = ''
  let state = ''
  let initialised = false
  let wanted = ''

  const broken = (what: string): Reply => {
    problems.push(what)
    return json({ stat: 'FAIL', message: what }, 400)
  }
  const next = (): Readonly<Record<string, unknown>> => statuses[Math.min(asked++, statuses.length - 1)] ?? {}
  const leave = (): string => `${back}?code=duo-code&state=${state}`

  function universal({ method, path, fields }: Seen, url: URL): Reply {
    const at = `${method} ${url.pathname}`
    if (at === 'GET /oauth/v1/authorize') {
      back = url.searchParams.get('redirect_uri') ?? ''
      state = url.searchParams.get('state') ?? ''
      return redirect('/frame/frameless/v4/auth?sid=sid-1&tx=tx-1')
    }
    if (at === 'GET /frame/frameless/v4/auth') {
      const inputs = [['tx', 'tx-1'], ['parent', 'None'], ['_xsrf', 'x-1'], ...facts.map(name => [name, ''])]
      return {
        body: page(
          'Duo',
          `<form method="post" id="plugin_form">${inputs.map(([name, value]) => `<input type="hidden" name="${name}" value="${value}">`).join('')}</form>`,
        ),
      }
    }
    if (at === 'POST /frame/frameless/v4/auth') {
      if (
        path !== '/frame/frameless/v4/auth?sid=sid-1&tx=tx-1' ||
        fields.get('tx') !== 'tx-1' ||
        fields.get('_xsrf') !== 'x-1' ||
        !facts.every(name => fields.has(name))
      )
        return broken('plugin form')
      return redirect('/frame/v4/auth/prompt?sid=sid-1')
    }
    if (at === 'GET /frame/v4/auth/prompt') {
      const hidden = {
        sid: 'sid-1',
        url: '/frame/v4/prompt',
        _xsrf: 'x-2',
        ukey: 'u',
        itype: 'i',
        preferred_factor: '',
        preferred_device: '',
      }
      const inputs = Object.entries(hidden).map(
        ([name, value]) => `<input type="hidden" name="${name}" value="${value}">`,
      )
      return {
        body: page(
          'Duo',
          `<form method="post" id="login-form" action="/frame/v4/prompt">${inputs.join('')}${options.devices ?? phones}</form>`,
        ),
      }
    }
    if (at === 'POST /frame/v4/prompt') {
      if (
        fields.getAll('device').length !== 1 ||
        fields.getAll('factor').length !== 1 ||
        fields.get('_xsrf') !== 'x-2' ||
        fields.get('postAuthDestination') !== 'OIDC_EXIT'
      )
        return broken('prompt')
      prompts.push(Object.fromEntries(fields))
      if (options.refuse) return options.refuse
      return ok({ txid: `t-${prompts.length}` })
    }
    if (at === 'POST /frame/v4/status') {
      if (fields.get('sid') !== 'sid-1' || fields.get('txid') !== `t-${prompts.length}`) return broken('status')
      const code = prompts.at(-1)?.['passcode']
      if (code === undefined) return ok(next())
      return ok(
        code === rightPasscode
          ? { result: 'SUCCESS', status_code: 'allow' }
          : { result: 'FAILURE', status_code: 'deny', status: 'Incorrect passcode.' },
      )
    }
    if (at === 'POST /frame/v4/oidc/exit') {
      const { factor } = prompts.at(-1) ?? {}
      if (
        fields.get('txid') !== `t-${prompts.length}` ||
        fields.get('factor') !== factor ||
        fields.get('dampen_choice') !== 'false' ||
        fields.get('_xsrf') !== 'x-2'
      )
        return broken('exit')
      return redirect(leave())
    }
    return broken(`unexpected ${at}`)
  }

  function app({ method, body, headers }: Seen, url: URL): Reply {
    const at = `${method} ${url.pathname.replace('/prompt/AKEY', '')}`
    if (at === 'GET /oauth/v1/authorize') {
      back = url.searchParams.get('redirect_uri') ?? ''
      state = url.searchParams.get('state') ?? ''
      return redirect('/frame/frameless/pwl?sid=1')
    }
    if (at === 'GET /frame/frameless/pwl') {
      return {
        body: page('Duo', '<div id="app" data-authkey="AUTH1" data-akey="AKEY" data-req-trace-group="g1"></div>'),
      }
    }
    if (at === 'GET /leave') return redirect(leave())
    if (headers['x-duo-req-trace-group'] !== 'g1' || headers['x-requested-with'] !== 'XMLHttpRequest')
      return broken('headers')
    const given = body === '' ? {} : (JSON.parse(body) as Record<string, string>)
    if ((url.searchParams.get('authkey') ?? given['authkey']) !== 'AUTH1') return broken('authkey')
    switch (at) {
      case 'GET /pre_authn/initialization':
        initialised = true
        return ok({})
      case 'GET /pre_authn/evaluation':
        return json({ stat: 'FAIL', message: 'not today' }, 400)
      case 'GET /auth/payload':
        if (!initialised) return broken('payload before initialization')
        return ok({ auth_factors_context: { available_unified_auth_factors: { factors: options.factors } } })
      case 'POST /auth/factors/push/auth':
        prompts.push(given)
        return ok({ push_txid: 'p-1', step_up_code: '482' })
      case 'GET /auth/factors/push/status':
        if (url.searchParams.get('push_txid') !== 'p-1') return broken('push status')
        if (url.searchParams.get('saw_good_news') !== String(asked > 0)) return broken('good news')
        return ok(next())
      case 'POST /auth/factors/phone_call':
        prompts.push(given)
        return ok({ txid: 'c-1' })
      case 'GET /auth/factors/phone_call/poll':
        return url.searchParams.get('txid') === 'c-1' ? ok(next()) : broken('call status')
      case 'POST /auth/factors/mobile_otp':
        prompts.push(given)
        if (options.refuse) return options.refuse
        return given['mobile_otp'] === rightPasscode
          ? ok({ result: 'SUCCESS' })
          : json({ stat: 'FAIL', message: 'Incorrect passcode' }, 400)
      case 'GET /auth/finalize_auth':
        return ok({ url: options.relative ? '/leave' : leave() })
      default:
        return broken(`unexpected ${at}`)
    }
  }

  function classic({ method, fields }: Seen, url: URL): Reply {
    const at = `${method} ${url.pathname}`
    if (at === 'POST /frame/web/v1/auth') {
      if (
        url.searchParams.get('tx') !== 'TX|abc|1' ||
        !url.searchParams.get('parent') ||
        fields.get('parent') !== url.searchParams.get('parent')
      )
        return broken('auth')
      return {
        body:
          options.frame ??
          page(
            'Duo',
            `<form method="post" id="login-form"><input type="hidden" name="sid" value="${sid}"><input type="hidden" name="preferred_factor" value="">${phones}</form>`,
          ),
      }
    }
    if (at === 'POST /frame/prompt') {
      if (fields.get('sid') !== sid) return broken('sid')
      prompts.push(Object.fromEntries(fields))
      return ok({ txid: 't-1' })
    }
    if (at === 'POST /frame/status') {
      if (fields.get('sid') !== sid || fields.get('txid') !== 't-1') return broken('status')
      const status = next()
      if (typeof status['sid'] === 'string') sid = status['sid']
      wanted = '/frame/result/t-1'
      return ok(status)
    }
    if (at === `POST ${wanted}`) return fields.get('sid') === sid ? ok({ cookie: 'AUTH|cookie' }) : broken('result')
    return broken(`unexpected ${at}`)
  }

  const server = await serve('127.0.0.1', (seen, origin) => {
    paths.push(`${seen.method} ${seen.path}`)
    const agent = seen.headers['user-agent'] ?? ''
    if (!/^Mozilla\/5\.0 \([^)]*\)/.test(agent) || /bun|python|curl/i.test(agent)) return broken('an odd browser')
    const url = new URL(seen.path, origin)
    return { universal, app, frame: classic }[options.kind](seen, url)
  })
  return { ...server, problems, prompts, paths }
}
