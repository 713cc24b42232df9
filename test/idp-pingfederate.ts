/**
 * PingFederate on loopback with PingID behind it: pages that only scripts send, tokens that are checked, fields that have
 * to stay empty. Whatever does not fit is a problem, and an error page.
 */
import { page, redirect, responsePage, serve, type Reply, type Seen } from './fake-idp.ts'
import { jsonReply } from './idp-okta.ts'
import type { SimulatedIdp } from './provider.case.ts'

interface Device {
  readonly id: string
  readonly name: string
  /** `mobile-phone` is pushed to, all others show a code. */
  readonly kind: string
}

export interface PingIdOptions {
  /** The first one is used where nothing is chosen. */
  readonly devices?: readonly Device[]
  /** The list of devices comes first, as links or as buttons. */
  readonly list?: 'anchors' | 'buttons'
  readonly probe?: boolean
  /** One for each question after a push; the last one stays. */
  readonly statuses?: readonly string[]
  readonly number?: string
  /** An older page: nothing is asked, the form waits by itself. */
  readonly form1Only?: boolean
  /** What follows when nobody answered. */
  readonly late?: 'code' | 'error' | 'push'
  /** The error page of a push that was answered with no. */
  readonly denied?: string
  /** PingID is on another host, as it is. */
  readonly away?: boolean
  /** A cookie that counts in the place of the token on the page. */
  readonly csrf?: boolean
}

export interface PingFederateOptions {
  readonly login?: 'pf' | 'plain' | 'securid'
  readonly identifierFirst?: boolean
  readonly expiring?: boolean
  readonly pingId?: PingIdOptions
  /** In the place of the log-in page. */
  readonly entry?: Reply
  /** After a right password, in the place of all that follows. */
  readonly after?: Reply
  readonly systems?: readonly string[]
  /** Where they lead: to a response, or back to the log-in page. */
  readonly elsewhere?: 'back'
}

export interface SimulatedPingFederate extends SimulatedIdp {
  readonly url: string
  readonly problems: string[]
  /** Methods and paths without queries, in order. */
  readonly steps: string[]
  readonly codes: string[]
}

export const phone: Device = { id: '3270134077889335000', name: 'iPhone X', kind: 'mobile-phone' }
export const desktop: Device = { id: '3964291169487703000', name: 'Desktop Mac', kind: 'desktop' }

const start = '/idp/startSSO.ping'
const resume = `/idp/r4nd/resumeSAML20${start}`

export async function startPingFederate(options: PingFederateOptions = {}): Promise<SimulatedPingFederate> {
  const { login = 'pf', pingId, systems = [] } = options
  const { devices = [phone], statuses = ['ASYNC_AUTH_WAIT', 'OK'] } = pingId ?? {}
  const problems: string[] = []
  const steps: string[] = []
  const codes: string[] = []
  const sessions = new Set<string>()
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let posts = 0
  let count = 0
  let asked = 0
  let device = devices[0] ?? phone
  let home = ''
  /** What the person was shown last, and has to answer. */
  let at = 'start'

  const broken = (what: string): Reply => {
    problems.push(what)
    return { status: 500, body: page('Error', `<div class="ping-error">${what}</div>`) }
  }
  const show = (stage: string, body: string, headers: Record<string, string> = {}): Reply => {
    at = stage
    return { body, headers }
  }

  function container(title: string, inside: string, script = ''): string {
    return page(
      title,
      `<base href="/"><div class="ping-container"><div class="ping-header">${title}</div><div class="ping-body-container">${inside}</div></div>
      <script>function getForgotPasswordUrl() { window.location.href = "/ext/pwdreset/Identify"; } ${script}</script>`,
      'onload="setFocus()"',
    )
  }

  const links = `function postOk() { document.forms[0]['pf.ok'].value = 'clicked'; document.forms[0].submit(); }
    function postCancel() { document.forms[0]['pf.cancel'].value = 'clicked'; document.forms[0].submit(); }`

  function loginPage(error = ''): Reply {
    const names = login === 'plain' ? ['USER', 'PASSWORD'] : ['pf.username', 'pf.pass']
    const label = login === 'securid' ? 'SecurID code' : 'Password'
    const others = systems.map(
      name => `<a onclick="postAlternateAuthnSystem('${name}');" class="ping-button">Use ${name}</a>`,
    )
    return show(
      'login',
      container(
        'Sign On',
        `<form method="POST" action="${resume.slice(1)}" autocomplete="off"><div class="ping-messages"><div class="ping-error">${error}</div></div>
        <div class="ping-input-label">Username</div><input id="username" type="text" name="${names[0]}" value="">
        <div class="ping-input-label">${label}</div><input id="password" type="password" name="${names[1]}" placeholder="${label}">
        <input type="hidden" name="pf.ok" value=""><input type="hidden" name="pf.cancel" value="">
        <input type="hidden" name="pf.userType"><input type="hidden" name="pf.isUserStale"><input type="hidden" name="pf.TargetResource">
        <input type="hidden" name="pf.alternateAuthnSystem" value="">
        <a onclick="postOk();" class="ping-button normal allow" title="Sign On">Sign On</a><a onclick="postCancel();">Cancel</a>${others.join('')}
        <input type="hidden" name="pf.adapterId" id="pf.adapterId" value="Form"></form><input type="hidden" name="pf.idpUrl">`,
        links,
      ),
    )
  }

  function identifierPage(): Reply {
    return show(
      'identifier',
      container(
        'Sign On',
        `<form method="POST" action="${resume.slice(1)}"><input id="identifierInput" type="text" name="subject" placeholder="Username">
        <a onclick="postForm();" class="ping-button">Next</a><input type="hidden" name="clear.previous.selected.subject" value="">
        <input type="hidden" name="cancel.identifier.selection" value="false"></form>`,
      ),
    )
  }

  function expiringPage(): Reply {
    return show(
      'expiring',
      container(
        'Password Expiring',
        `<form method="POST" action="${resume}"><div class="ping-messages">Your password will expire in <strong>3 days.</strong> Would you like to change it now?</div>
        <div style="display:none;"><input type="text" name="pf.passwordExpiring" value=""><input type="text" name="pf.username" value="jane">
        <input type="hidden" name="pf.ok" value=""><input type="text" name="ChangePassword" value=""><input type="text" name="pf.notificationCancel" value=""><input type="text" name="pf.pcvId" value=""></div>
        <a onclick="postOk();" class="ping-button normal allow">Change Password</a><a onclick="postCancel();">Change it later</a></form>`,
        `function postOk() { document.forms[0]['pf.ok'].value = 'clicked'; document.forms[0]['ChangePassword'].value = 'true'; document.forms[0].submit(); }
        function postCancel() { document.forms[0]['pf.notificationCancel'].value = 'clicked'; document.forms[0]['pf.passwordExpiring'].value = 'true'; document.forms[0]['pf.pcvId'].value = 'LDAP'; document.forms[0].submit(); }`,
      ),
    )
  }

  /** Every page of PingID has a second document in its noscript. */
  function pingPage(title: string, inside: string): string {
    return page(
      title,
      `<noscript><!DOCTYPE html><html><head><title></title></head><body><div class="window error"><div class="title-text">Important</div>
      <div class="error-text">PingID requires Javascript to be enabled.</div></div></body></html><style>.dialog { display:none; }</style></noscript>
      <div class="dialog">${inside}</div>`,
    )
  }

  const token = (): string =>
    `<input type="hidden" name="csrfToken" id="csrfToken" value="csrf-${count}" encode="false">`

  function devicePage(): Reply {
    const [open, close] = pingId?.list === 'anchors' ? ['<a href="#">', '</a>'] : ['<button>', '</button>']
    const items = devices.map(
      ({ id, name, kind }, index) =>
        `<li class="device ${kind}${index === 0 ? ' selected' : ''}" data-id="${id}">${open}${name}<div class="device-name">${name}</div>${close}</li>`,
    )
    return show(
      'devices',
      pingPage(
        'Change Authenticating Device',
        `<ul class="device-list">${items.join('')}</ul><form id="device-form" name="device-form" action="/pingid/ppm/devices" method="post">${token()}
        <input type="hidden" name="deviceId" id="deviceId" value="${devices[0]?.id}"><input type="Submit" value="Sign On" class="primary"></form>
        <form method="POST" action="/pingid/ppm/signoutredirect" id="signoutForm">${token()}</form>`,
      ),
    )
  }

  const change = '<a class="button" href="/pingid/ppm/devices">Change Device</a>'

  function pushPage(): Reply {
    const number = pingId?.number
    const view = `<form method="GET" action="/pingid/ppm/auth/response" id="reponseView">${token()}<input type="hidden" name="status" id="status" encode="false"><noscript><input type="submit" value="Resume"></noscript></form>
      <form method="GET" action="/pingid/ppm/auth/response" id="errorReponseView">${token()}</form>`
    return show(
      'push',
      pingPage(
        '',
        `<div class="window authenticating"><h1>Authentication</h1>${number === undefined ? '' : `<div class="status"><div class="numbermatching">${number}</div></div>`}
        <div class="text device">Authenticating on <div class="device-name">${device.name}</div></div>${change}</div>
        <form method="POST" action="/pingid/ppm/auth/status" id="form1">${token()}<noscript><input type="submit" value="Resume"></noscript></form>
        ${pingId?.form1Only ? '' : view}<div id="authModelSection"><input type="hidden" name="isAsync" value="true"></div>`,
      ),
    )
  }

  function codePage(error = ''): Reply {
    return show(
      'code',
      pingPage(
        'PingID',
        `<div class="window settings"><div class="error-message">${error}</div><h1>Authentication</h1><div class="success-message">Authenticating with <div class="device-name">${device.name}</div></div>
        <p>Enter the passcode displayed in PingID desktop.</p><form id="otp-form" action="/pingid/ppm/auth/otp" method="post">
        <input id="otp" name="otp" type="text" value="" maxlength="6" autocomplete="off">${token()}${change}<input type="submit" value="Sign On" class="primary" disabled></form></div>
        <form method="GET" action="" id="reponseView">${token()}</form><form method="GET" action="" id="errorReponseView">${token()}</form>`,
      ),
      pingId?.csrf ? { 'set-cookie': `.csrf=cookie-${count}; path=/pingid` } : {},
    )
  }

  const onDevice = (): Reply => (device.kind === 'mobile-phone' ? pushPage() : codePage())

  const pingError = (text: string): Reply =>
    show(
      'over',
      pingPage(
        'Error',
        `<div class="window error"><div class="error-text"><div class="text">${text}</div></div></div>`,
      ),
    )

  function backToPing(): Reply {
    return show(
      'back',
      pingPage(
        '',
        `<form method="POST" action="${home}${resume}" id="resume-form"><input type="hidden" name="ppm_response" value="eyJ.${count}.x"></form>`,
      ),
    )
  }

  /** Whether the request carries the token that counts. */
  const isFresh = (given: string | null): boolean =>
    given === (pingId?.csrf && at === 'code' ? `cookie-${count}` : `csrf-${count}`)

  function ping({ method, path, fields }: Seen, origin: string): Reply {
    const url = new URL(path, origin)
    const step = `${method} ${url.pathname.replace('/pingid/ppm', '')}`
    const given = method === 'GET' ? url.searchParams : fields
    switch (step) {
      case 'POST /auth': {
        const answered = fields.get('isWebAuthnSupportedByBrowser')
        if (at === 'to-ping' && (fields.get('ppm_request') === '' || fields.get('idp_account_id') !== 'acc-1')) {
          return broken('ppm_request')
        }
        if (at === 'to-ping' && pingId?.probe) {
          return show(
            'probe',
            pingPage(
              '',
              '<form method="post" action="/pingid/ppm/auth" id="start-form"><input type="hidden" name="isWebAuthnSupportedByBrowser"></form>',
            ),
          )
        }
        if (at === 'probe' ? answered !== 'false' : at !== 'to-ping') return broken(`auth at ${at}`)
        return pingId?.list ? devicePage() : onDevice()
      }
      case 'GET /devices':
        return at === 'push' || at === 'code' ? devicePage() : broken('no device to change')
      case 'POST /devices': {
        const chosen = devices.find(({ id }) => id === fields.get('deviceId'))
        if (at !== 'devices' || !chosen || !isFresh(fields.get('csrfToken'))) return broken('devices')
        device = chosen
        return onDevice()
      }
      case 'GET /auth/status': {
        if (at !== 'push' || !isFresh(given.get('csrfToken')) || pingId?.form1Only) return broken('status')
        const status = statuses[Math.min(asked, statuses.length - 1)]
        asked += 1
        return jsonReply({ status })
      }
      case 'POST /auth/status':
        return pingId?.form1Only && at === 'push' && isFresh(fields.get('csrfToken')) ? backToPing() : broken('form1')
      case 'GET /auth/response': {
        if (at !== 'push' || !isFresh(given.get('csrfToken')) || !given.has('status')) return broken('response')
        const status = statuses[Math.min(asked, statuses.length) - 1]
        if (pingId?.denied !== undefined) return pingError(pingId.denied)
        if (status === 'OK') return backToPing()
        if (pingId?.late === 'push') return pushPage()
        return pingId?.late === 'code' ? codePage() : pingError('Something went wrong.')
      }
      case 'POST /auth/otp':
        if (at !== 'code' || !isFresh(fields.get('csrfToken'))) return broken('an old token')
        codes.push(fields.get('otp') ?? '')
        return fields.get('otp') === '123456' ? backToPing() : codePage('Invalid passcode. Please try again.')
      default:
        return broken(`unexpected ${step}`)
    }
  }

  function passed(): Reply {
    if (options.after) return options.after
    if (!pingId) return finish()
    count += 1
    return show(
      'to-ping',
      page(
        'Submit Form',
        `<form method="post" action="${pingId.away ? home.replace('127.0.0.1', 'localhost') : ''}/pingid/ppm/auth"><input type="hidden" name="idp_account_id" value="acc-1"><input type="hidden" name="ppm_request" value="eyJ.1.x"></form>`,
        'onload="document.forms[0].submit()"',
      ),
    )
  }

  function finish(): Reply {
    count += 1
    sessions.add(`s${count}`)
    at = 'over'
    return { headers: { 'set-cookie': `PF=s${count}; path=/; HttpOnly` }, body: responsePage() }
  }

  function password(fields: URLSearchParams): Reply {
    const [user, pass] = login === 'plain' ? ['USER', 'PASSWORD'] : ['pf.username', 'pf.pass']
    for (const name of ['pf.cancel', 'pf.userType', 'pf.isUserStale', 'pf.TargetResource']) {
      if (fields.get(name) !== '') return broken(`${name} is not empty`)
    }
    if (fields.has('pf.idpUrl') || fields.get('pf.adapterId') !== 'Form') return broken('another form')
    const system = fields.get('pf.alternateAuthnSystem')
    if (system !== '') {
      if (!systems.includes(system ?? '') || fields.get(pass) !== '') return broken('system')
      return redirect(`/elsewhere/${system}`)
    }
    if (fields.get('pf.ok') !== 'clicked') return broken('nobody clicked')
    const code = login === 'securid'
    if (code) codes.push(fields.get(pass) ?? '')
    else posts += 1
    if (mode === 'locked') return loginPage('Your account is locked. Please contact your system administrator.')
    if (fields.get(user) !== 'jane' || fields.get(pass) !== (code ? '123456' : 'correct horse')) {
      return loginPage('We didn’t recognize the username or password you entered. Please try again.')
    }
    return options.expiring ? expiringPage() : passed()
  }

  function resumed({ method, fields }: Seen): Reply {
    if (method === 'GET') return options.entry ?? (options.identifierFirst ? identifierPage() : loginPage())
    switch (at) {
      case 'identifier':
        if (fields.get('subject') !== 'jane' || fields.get('clear.previous.selected.subject') !== '')
          return broken('subject')
        return fields.get('cancel.identifier.selection') === 'false' ? loginPage() : broken('cancelled')
      case 'login':
        return password(fields)
      case 'expiring':
        if (fields.get('pf.ok') !== '' || fields.get('ChangePassword') !== '')
          return broken('the password is not to be changed')
        if (fields.get('pf.notificationCancel') !== 'clicked' || fields.get('pf.pcvId') !== 'LDAP')
          return broken('expiring')
        return passed()
      case 'back':
        if (fields.get('ppm_response') !== `eyJ.${count}.x`) return broken('ppm_response')
        return show(
          'relay',
          page(
            '',
            `<form method="post" action="${resume}"><input type="hidden" name="RelayState" value="r1"></form><script src="/submit.js"></script>`,
          ),
        )
      case 'relay':
        return fields.get('RelayState') === 'r1' ? finish() : broken('RelayState')
      default:
        return broken(`a post at ${at}`)
    }
  }

  function answer(seen: Seen, origin: string): Reply {
    const url = new URL(seen.path, origin)
    home = origin
    steps.push(`${seen.method} ${url.pathname}`)
    if (mode === 'strange') return { body: page('Dashboard', '<p>Nothing to see</p>') }
    if (url.pathname === start) {
      if (url.searchParams.get('PartnerSpId') !== 'urn:amazon:webservices') return broken('PartnerSpId')
      const session = /\bPF=(\w+)/.exec(seen.headers.cookie ?? '')?.[1]
      return session !== undefined && sessions.has(session) ? { body: responsePage() } : redirect(resume)
    }
    if (url.pathname === resume) return resumed(seen)
    if (url.pathname.startsWith('/pingid/ppm/')) return ping(seen, origin)
    if (url.pathname.startsWith('/elsewhere/')) return options.elsewhere ? redirect(resume) : { body: responsePage() }
    return broken(`unexpected ${seen.method} ${seen.path}`)
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}${start}?PartnerSpId=urn:amazon:webservices`,
    problems,
    steps,
    codes,
    posts: () => posts,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
  }
}
