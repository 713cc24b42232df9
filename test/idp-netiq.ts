/**
 * NetIQ Access Manager on loopback: a portal with cards, pieces of pages without a head, log-in by name and by token.
 */
import { page, redirect, responsePage, serve, type Reply, type Seen } from './fake-idp.ts'
import type { SimulatedIdp } from './provider.case.ts'

export interface NetiqOptions {
  /** A token is asked for after the password. */
  readonly token?: boolean
  /** The portal shows its cards and begins nothing. */
  readonly cardsOnly?: boolean
  /** After the sign-in comes the portal, not the way back. */
  readonly portalAfter?: boolean
}

export interface SimulatedNetiq extends SimulatedIdp {
  readonly url: string
  readonly problems: string[]
  readonly tokens: string[]
  /** Contracts that were begun. */
  readonly contracts: string[]
}

const entry = '/nidp/saml2/idpsend?PID=STSP1'
const content = '/nidp/jsp/content.jsp?sid=0&option=credential&id=AWS'
const login = '/nidp/app/login?id=contract_name&sid=0&option=credential'

/** Functions that say things when a person makes a mistake. */
const helpers = `<script>
function submitForm() {
  if (0 == document.getElementById('Ecom_User_ID').value.length) { safeSetGlobalMessage("Please enter values for the user name and password."); return; }
  var url = updateQueryString("uiDestination", "contentDiv", document.getElementById('IDPLogin').action);
  var posting = $.post(url, $("#IDPLogin").serialize());
  posting.done(function(data) { setGlobalMessage(""); $('#theNidpContent').html(data); });
  posting.fail(function() { setGlobalMessage("Login failed, please try again."); });
}
$(document).ready(function(){ $("#loginButton2").click(function() { submitForm(); }); });
</script>`

const head = `<script>
function getToContent(strUrl, strTargetDivId) {
  strUrl = updateQueryString("uiDestination", "contentDiv", strUrl);
  $.get(strUrl, function(data) { $(strTargetDivId).html(data); }).fail(function(x) { setGlobalMessage("The requested resource was not found by the Web Server. (HTTP 404)"); });
}
</script>`

const fields = (password: string): string =>
  `<input type="hidden" name="option" value="credential"><input type="text" id="Ecom_User_ID" name="Ecom_User_ID" value="" placeholder="Username">${password}
  <span class="nam-signin-but action-but" name="loginButton2" id="loginButton2" tabindex="3">Sign in</span>`

export async function startNetiq(options: NetiqOptions = {}): Promise<SimulatedNetiq> {
  const problems: string[] = []
  const tokens: string[] = []
  const contracts: string[] = []
  /** What each session still lacks. */
  const sessions = new Map<string, 'password' | 'token' | 'nothing'>()
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let posts = 0
  let count = 0

  const broken = (what: string): Reply => {
    problems.push(what)
    return { status: 400, body: page('Error', what) }
  }
  const form = (origin: string, inside: string, said = ''): Reply => ({
    body: `${helpers}${said && `<script>$(document).ready(function(){ setGlobalMessage("${said}"); });</script>`}
    <form id="IDPLogin" name="IDPLogin" enctype="application/x-www-form-urlencoded" method="POST" action="${origin}/nidp/app/login?sid=0&sid=0" AUTOCOMPLETE="off">${inside}</form>`,
  })
  const password = (origin: string, said?: string): Reply =>
    form(origin, fields('<input type="password" id="Ecom_Password" name="Ecom_Password" placeholder="Password">'), said)
  const token = (origin: string, said?: string): Reply =>
    form(origin, fields('<input type="password" id="Ecom_Token" name="Ecom_Token" placeholder="PIN + Token">'), said)
  const back = (origin: string): Reply => ({
    body: `<html><body><script language="JavaScript"><!--\n window.location.href='${origin}${entry}';\n--></script></body></html>`,
  })

  function portal(origin: string): Reply {
    const names = [
      'contract_kerb',
      'contract_name',
      ...Array.from({ length: 9 }, (_, index) => `card${index}`),
      'staffpriv',
    ]
    const cards = names.map(
      name =>
        `<div id="${name}" class="menu-option-mark"><a href="${origin}/nidp/jsp/main.jsp?id=${name}&sid=0" target=""><img src="/c.png">${name === 'staffpriv' ? 'Staff and privileged' : ''}</a></div>`,
    )
    const begin = options.cardsOnly ? '' : `<script>getToContent('${content}', 'theNidpContent');</script>`
    return {
      body: `<!DOCTYPE HTML><html lang="en"><head><title>Access Manager</title>${head}</head><body>
      <div id="runningInEndUserLoginEnvironment" style="display: none"></div>${cards.join('')}
      <div id="globalMessage">Sign in to use available applications</div><div id="theNidpContent"></div>${begin}</body></html>`,
    }
  }

  function post({ fields: sent, body, path }: Seen, session: string, origin: string): Reply {
    if (path !== '/nidp/app/login?sid=0&sid=0') return broken(`post to ${path}`)
    const wants = sessions.get(session)
    if (wants === 'password') {
      posts += 1
      const wanted = new URLSearchParams({
        option: 'credential',
        Ecom_User_ID: 'jane',
        Ecom_Password: sent.get('Ecom_Password') ?? '',
      })
      if (body !== wanted.toString()) return broken(body)
      if (mode === 'locked') {
        return password(origin, 'User login has been disabled due to intruder detection.')
      }
      if (sent.get('Ecom_Password') !== 'correct horse') return password(origin, 'Login failed. Invalid Credentials.')
      sessions.set(session, options.token ? 'token' : 'nothing')
      if (options.token) return token(origin)
    } else if (wants === 'token') {
      const code = sent.get('Ecom_Token') ?? ''
      const wanted = new URLSearchParams({ option: 'credential', Ecom_User_ID: 'jane', Ecom_Token: code })
      if (body !== wanted.toString()) return broken(body)
      tokens.push(code)
      if (code !== '123456') return token(origin, 'Authentication failed: invalid token.')
      sessions.set(session, 'nothing')
    } else return broken(`nothing is wanted: ${body}`)
    return options.portalAfter ? redirect('/nidp/portal') : back(origin)
  }

  function answer(seen: Seen, origin: string): Reply {
    const { method, path, headers } = seen
    if (mode === 'strange') return { body: page('Dashboard', '<p>Nothing to see</p>') }
    const session = /\bJSESSIONID=(\w+)/.exec(headers.cookie ?? '')?.[1] ?? ''
    if (method === 'POST') return post(seen, session, origin)
    if (path === entry) {
      if (sessions.get(session) === 'nothing') return { body: responsePage() }
      count += 1
      sessions.set(`s${count}`, 'password')
      return { ...portal(origin), headers: { 'set-cookie': `JSESSIONID=s${count}; path=/nidp; HttpOnly` } }
    }
    if (!sessions.has(session)) return broken(`no session: ${path}`)
    const { pathname, searchParams } = new URL(path, origin)
    const contract = searchParams.get('id')
    switch (pathname) {
      case '/nidp/portal':
        return { body: page('Portal', '<p>Applications</p>') }
      case '/nidp/jsp/content.jsp':
        if (path !== `${content}&uiDestination=contentDiv`) return broken(path)
        return {
          body: `<div id="theContentContent"></div><script>$(document).ready(function(){ getToContent('${login}', "theContentContent"); });</script>`,
        }
      case '/nidp/jsp/main.jsp':
        contracts.push(`card ${contract}`)
        return {
          body: `<html><head>${head}</head><body><script>getToContent('/nidp/app/login?id=${contract}&sid=0&option=credential', 'theNidpContent');</script></body></html>`,
        }
      case '/nidp/app/login':
        if (searchParams.get('option') !== 'credential' || searchParams.get('sid') !== '0') return broken(path)
        contracts.push(contract ?? '')
        return password(origin)
      default:
        return broken(`unexpected ${method} ${path}`)
    }
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}${entry}`,
    problems,
    tokens,
    contracts,
    posts: () => posts,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
  }
}
