/**
 * F5 APM on loopback: a session for every stranger, its policy at `/my.policy`, a webtop, resources by their unencoded path.
 */
import { page, redirect, responsePage, serve, type Reply, type Seen } from './fake-idp.ts'
import type { SimulatedIdp } from './provider.case.ts'

export interface F5Options {
  /** After the sign-in comes the webtop, not what was asked for. */
  readonly webtop?: boolean
  /** Methods of the second factor; none: it is not wanted. */
  readonly factor?: readonly string[]
  /** Words of the page after a push that was not approved. */
  readonly push?: string
  /** How often a new session is sent away first. */
  readonly bounces?: number
  /** A wrong password ends the session. */
  readonly strict?: boolean
  /** Captions by id, of more than one app. */
  readonly apps?: Readonly<Record<string, string>>
  /** Page in the place of the app. */
  readonly closed?: boolean
}

export interface SimulatedF5 extends SimulatedIdp {
  readonly url: string
  readonly problems: string[]
  readonly factors: string[]
}

interface Session {
  step: 'new' | 'password' | 'factor' | 'in'
  landing: string
}

const webtop = '/vdesk/webtop.eui?webtop=/Common/wt&webtop_type=webtop_full'
const resource = '/saml/idp/res?id=/Common/aws'
/** What its pages say to scripts is no error. */
const script = `<script language="javascript"><!--
function SessionExpired_CustomizedScreenGet() { return '<br><h3>Session Expired/Timeout</h3><a href="[SESSION_RESTART_URL]">Start a new session</a>'; }
if(self != top) { top.location = self.location; }
var sessionLogonCustomizations = ["","","push=>Safenet Push;token=>Safenet Passcode",""];
//--></script>`
const shell = (rows: string, said: string): string =>
  page(
    'apm.example',
    `${script}<noscript><div id="noscript_warning_newsession">To open a new session, please <A href="/">click here.</A></div></noscript>
    <form id="auth_form" name="e1" method="post" onsubmit="javascript: return masterSubmit(this);" autocomplete="off">
    <table id="credentials_table"><tr><td colspan=2 id="credentials_table_header">Secure Logon</td></tr>
    <tr><td colspan=2 id="credentials_table_postheader">${said && `<font color=red>${said}</font>`}</td></tr>${rows}
    <tr><td><input type=submit class="credentials_input_submit" value="Logon"></td></tr></table>
    <input type=hidden name="vhost" value="standard"></form>`,
  )
const logon = (said = ''): string =>
  shell(
    `<tr><td><label for='input_1'>Username</label><input type='text' name='username' id='input_1'></td></tr>
    <tr><td><label for='input_2'>Password</label><input type='password' name='password' id='input_2'></td></tr>`,
    said,
  )
const factorForm = (methods: readonly string[], said = ''): string =>
  shell(
    `<tr><td><input type="hidden" name="mfa_retry" id="mfa_retry" value="" /><label for='input_1'>Username</label>
    <input type='text' name='username' value='jane' id='input_1' disabled/></td></tr>
    <tr><td><label for='input_3'>Method</label><select name='mfamethod' id='input_3'>${methods.map(name => `<option value="${name}" >${name}</option>`).join('')}</select></td></tr>
    <tr><td><label for='input_4'>One-Time Passcode</label><input type='text' name='mfatoken' value='' id='input_4'></td></tr>`,
    said,
  )
const ended = (what: string): string =>
  page('apm.example', `${script}<h2>${what}</h2><p>To open a new session, please <a href="/">click here</a>.</p>`)

export async function startF5(options: F5Options = {}): Promise<SimulatedF5> {
  const problems: string[] = []
  const factors: string[] = []
  const sessions = new Map<string, Session>()
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let posts = 0
  let count = 0
  let bounces = options.bounces ?? 0

  const factorPage = (said?: string): string => factorForm(options.factor ?? [], said)
  const broken = (what: string): Reply => {
    problems.push(what)
    return { status: 400, body: page('Error', what) }
  }
  const begin = (landing: string): string => {
    count += 1
    sessions.set(`m${count}`, { step: 'new', landing })
    return `m${count}`
  }
  const cookies = (id: string): Record<string, string[]> => ({
    'set-cookie': [`LastMRH_Session=${id};path=/`, `MRHSession=${id};path=/;HttpOnly`],
  })

  function finish(session: Session): Reply {
    session.step = 'in'
    return redirect(options.webtop ? webtop : session.landing)
  }

  function policy(session: Session, { headers, fields, body }: Seen, origin: string): Reply {
    if (headers.referer !== `${origin}/my.policy` || !headers['user-agent']?.startsWith('Mozilla/5.0 (')) {
      return broken(`referer ${headers.referer}`)
    }
    if (session.step === 'factor') {
      if (!/\bf5cid00=token\b/.test(headers.cookie ?? '')) return broken('no f5cid00')
      const [method, token] = [fields.get('mfamethod'), fields.get('mfatoken')]
      if (body !== `mfa_retry=&mfamethod=${method}&mfatoken=${token}&vhost=standard`) return broken(body)
      factors.push(`${method} ${token}`.trim())
      if (token === '999999') return { body: factorPage('The account is locked.') }
      if (method === 'token') return token === '123456' ? finish(session) : { body: factorPage('Wrong passcode.') }
      return options.push === undefined ? finish(session) : { body: factorPage(options.push) }
    }
    if (session.step !== 'password') return broken(`post in step ${session.step}`)
    posts += 1
    const wanted = new URLSearchParams({ username: 'jane', password: 'correct horse', vhost: 'standard' })
    if (mode === 'locked') return { body: logon('The account is locked.') }
    if (body !== wanted.toString()) {
      if (!/^username=jane&password=[^&]*&vhost=standard$/.test(body)) return broken(body)
      if (!options.strict) return { body: logon('The username or password is not correct. Please try again.') }
      return { body: ended('Your session could not be established. Access was denied by the access policy.') }
    }
    if (!options.factor) return finish(session)
    session.step = 'factor'
    return { body: factorPage() }
  }

  function inside(path: string): Reply {
    const apps = options.apps ?? { '/Common/aws': 'AWS' }
    const xml = { 'content-type': 'text/xml' }
    if (path === resource) {
      return { body: options.closed ? page('Webtop', '<div id="webtop"></div>') : responsePage() }
    }
    if (path === '/') return redirect(webtop)
    if (path === webtop) return { body: page('Webtop', '<div id="webtop"></div>') }
    if (path === '/vdesk/resource_list.xml?resourcetype=res') {
      const entries = Object.keys(apps).map(id => `<entry param="saml_res">${id}</entry>`)
      const lists = `<list type="network_access"><entry param="na">/Common/vpn</entry></list><list type="saml">${entries.join('')}</list>`
      return {
        headers: xml,
        body: `<?xml version="1.0"?><res type="resource_list"><opts><opt type="available_rq" uri="/vdesk/resource_info_v2.xml"/></opts><lists>${lists}</lists></res>`,
      }
    }
    const id = path.split('/vdesk/resource_info_v2.xml?saml_res=')[1]
    const caption = id === undefined ? undefined : apps[id]
    return caption === undefined
      ? broken(`unexpected ${path}`)
      : { headers: xml, body: `<resources><item><id>${id}</id><caption>${caption}</caption></item></resources>` }
  }

  function answer(seen: Seen, origin: string): Reply {
    const { method, path, headers } = seen
    if (mode === 'strange') return { body: page('Dashboard', '<p>Nothing to see</p>') }
    const id = /\bMRHSession=(\w+)/.exec(headers.cookie ?? '')?.[1] ?? ''
    const session = sessions.get(id)
    if (path.startsWith('/my.logout.php3') || path === '/vdesk/hangup.php3') {
      sessions.delete(id)
      return { headers: { 'set-cookie': 'MRHSession=deleted;path=/;Max-Age=0' }, body: ended('Your session is over.') }
    }
    if (!session) return path === '/my.policy' ? redirect('/my.logout.php3?errorcode=19') : hello(path)
    if (method === 'POST' && path === '/my.policy') return policy(session, seen, origin)
    if (method !== 'GET') return broken(`unexpected ${method} ${path}`)
    if (session.step === 'in') return inside(path)
    if (path !== '/my.policy') return redirect('/my.policy')
    if (session.step !== 'new') {
      return { body: ended('Access policy evaluation is already in progress for your current session.') }
    }
    session.step = 'password'
    return { body: logon() }
  }

  function hello(path: string): Reply {
    if (bounces > 0) {
      bounces -= 1
      return redirect('/my.logout.php3?errorcode=19')
    }
    return { status: 302, headers: { location: '/my.policy', ...cookies(begin(path)) } }
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}${resource}`,
    problems,
    factors,
    posts: () => posts,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
  }
}
