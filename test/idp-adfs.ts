/**
 * AD FS on loopback: the log-in page of each generation, the pages of its adapters, a context that changes with every
 * answer, and no patience with a field too many or too few.
 */
import { page, redirect, responsePage, serve, type Reply, type Seen } from './fake-idp.ts'
import type { SimulatedIdp } from './provider.case.ts'

/** One page of a second factor: what it shows, and what it makes of the fields that come back. */
export interface Adapter {
  /** Value of `AuthMethod`. */
  readonly name: string
  /** HTML inside the form; `{error}` is where its error element stands. */
  show(turn: number): string
  /** `passed`: the response; `again`: the page once more; else the text of an error. */
  judge(
    fields: URLSearchParams,
    turn: number,
  ): 'passed' | 'again' | { readonly error: string } | { readonly html: string }
}

export interface AdfsOptions {
  readonly generation?: '2.0' | '3.0' | '2016' | '2019'
  /** The form of the user name that the server takes. */
  readonly user?: string
  /** In order; each is passed once. */
  readonly adapters?: readonly Adapter[]
  /** After the password, a page with these methods; the chosen adapter follows. */
  readonly choice?: readonly string[]
  /** Where a session begins: a redirect, then the page. */
  readonly late?: boolean
  readonly refusal?: string
  /** In base64. */
  readonly response?: string
  /** What stands in the place of the log-in page. */
  readonly entry?: Reply
  /** What follows the password. */
  readonly after?: Reply
}

export interface SimulatedAdfs extends SimulatedIdp {
  readonly url: string
  /** Fields of each post, as they came. */
  readonly sent: URLSearchParams[]
  /** What did not fit, in words. */
  readonly problems: string[]
}

const path = '/adfs/ls/IdpInitiatedSignOn.aspx'
const query = '?loginToRp=urn:amazon:webservices'

export async function startAdfs(options: AdfsOptions = {}): Promise<SimulatedAdfs> {
  const { generation = '2016', user = 'jane', adapters = [] } = options
  const sessions = new Set<string>()
  const sent: URLSearchParams[] = []
  const problems: string[] = []
  let mode: 'fine' | 'locked' | 'strange' = 'fine'
  let posts = 0
  let count = 0
  /** Where a person stands between password and session: adapter, turn, context. */
  const stages = new Map<string, { step: number; turn: number; context: string; chosen: string | undefined }>()

  const broken = (what: string): Reply => {
    problems.push(what)
    return { status: 500, body: page('Error', `<div id="errorArea">${what}</div>`) }
  }

  function login(origin: string, error = '', name = ''): string {
    const action = `${origin.replace(/:(\d+)$/, ':$1')}${path}${query}&client-request-id=5`
    const errors = {
      span: `<span id="errorText">${error}</span>`,
      label: `<div id="error"><label id="errorText" for="">${error}</label></div>`,
    }
    const kmsi =
      '<div id="kmsiArea" style="display:none"><input type="checkbox" name="Kmsi" id="kmsiInput" value="true "></div>'
    const names = `<input id="userNameInput" name="UserName" type="email" value="${name}">`
    const password = '<input id="passwordInput" name="Password" type="password">'
    const button =
      '<span id="submitButton" class="submit" tabindex="4" onclick="return Login.submitLoginRequest();">Sign in</span>'
    const method = '<input id="optionForms" type="hidden" name="AuthMethod" value="FormsAuthentication">'
    switch (generation) {
      case '2.0':
        return page(
          'Sign In',
          `<form name="aspnetForm" method="post" action="${path}${query}" id="aspnetForm">
          <input type="hidden" name="__VIEWSTATE" value="${'A'.repeat(5000)}"><input type="hidden" name="__EVENTVALIDATION" value="e="><input type="hidden" name="__db" value="15">
          <span id="ctl00_ContentPlaceHolder1_ErrorTextLabel">${error}</span>
          <input name="ctl00$ContentPlaceHolder1$UsernameTextBox" type="text" value="${name}"><input name="ctl00$ContentPlaceHolder1$PasswordTextBox" type="password">
          <input type="submit" name="ctl00$ContentPlaceHolder1$SubmitButton" value="Sign In"></form>`,
        )
      case '3.0':
        return page(
          'Sign In',
          `<form method="post" id="loginForm" autocomplete="off" novalidate="novalidate" action="${path}${query}&client-request-id=5">${errors.label}${names}${password}${kmsi}${button}${method}</form>
          <form id="options" method="post" action="${path}${query}"><script>function SelectOption(o) { document.forms['options'].submit() }</script><input id="optionSelection" type="hidden" name="AuthMethod"></form>`,
        )
      case '2016':
        return page(
          'Sign In',
          `<form method="post" id="loginForm" action="${path}${query}&client-request-id=5">${errors.span}${names}${password}${kmsi}${button}${method}</form>
          <form id="options" method="post" action="${action}"><input id="optionSelection" type="hidden" name="AuthMethod"><div id="authOptionLinks" class="groupMargin">
          <a href="#" id="CertificateAuthentication" onclick="SelectOption('CertificateAuthentication'); return false;">Sign in using an X.509 certificate</a></div></form>`,
        )
      case '2019':
        return page(
          'Sign In',
          `<input id="optionForms" type="hidden" name="AuthMethod" value="FormsAuthentication">
          <form method="post" id="loginForm" class="paginatedPageForm" action="${path}${query}&client-request-id=5"><div id="usernamePage">${errors.span}${names}</div>
          <div id="passwordPage" style="display:none">${password}${kmsi}${button}</div></form>
          <form id="options" method="post" action="${action}"><input type="hidden" name="UserName" id="userNameInputOptionsHolder" value="${name}"><input id="optionSelection" type="hidden" name="AuthMethod">
          <span id="errorTextOption"></span></form>`,
        )
    }
  }

  function factor(session: string, error = '', html?: string): Reply {
    const stage = stages.get(session)
    const adapter = stage && adapterAt(stage)
    if (!stage || !adapter) return broken('no second factor is under way')
    stage.context = `c&amp;${count}-${stage.step}-${stage.turn}`
    const inside = (html ?? adapter.show(stage.turn)).replace('{error}', `<label id="errorText">${error}</label>`)
    return {
      body: page(
        'Sign In',
        `<p>Welcome CORP\\jane</p><form method="post" id="loginForm">${inside}<input id="authMethod" type="hidden" name="AuthMethod" value="${adapter.name}"><input id="context" type="hidden" name="Context" value="${stage.context}"></form>
        <form id="options" method="post" action="${path}${query}"><input id="optionSelection" type="hidden" name="AuthMethod"></form>`,
      ),
    }
  }

  const adapterAt = ({ step, chosen }: { step: number; chosen: string | undefined }): Adapter | undefined =>
    chosen === undefined ? adapters[step] : adapters.find(({ name }) => name === chosen)

  function choice(session: string): Reply {
    const stage = stages.get(session)
    if (!stage || !options.choice) return broken('no choice is under way')
    stage.context = `choice-${session}`
    const links = options.choice.map(
      name => `<div><a href="#" id="${name}" onclick="SelectOption('${name}'); return false;">Use ${name}</a></div>`,
    )
    return {
      body: page(
        'Sign In',
        `<form id="options" method="post" action="${path}${query}"><input id="context" type="hidden" name="Context" value="${stage.context}"><input id="optionSelection" type="hidden" name="AuthMethod"><div id="authOptionLinks">${links.join('')}</div></form>`,
      ),
    }
  }

  function done(session: string): Reply {
    stages.delete(session)
    sessions.add(session)
    const cookies = [`MSISAuth=${'x'.repeat(2000)}; path=/adfs; HttpOnly`, `MSISAuth1=${session}; path=/adfs; HttpOnly`]
    if (options.late) return { status: 302, headers: { location: `${path}${query}`, 'set-cookie': cookies } }
    return { headers: { 'set-cookie': cookies }, body: working() }
  }

  function working(): string {
    return responsePage(options.response, 'https://signin.aws.amazon.com:443/saml').replace(
      '<form',
      '<form name="hiddenform"',
    )
  }

  function answer({ method, path: target, headers, fields }: Seen, origin: string): Reply {
    if (mode === 'strange') return { body: page('Portal', '<p>Welcome to the intranet</p>') }
    const url = new URL(target, origin)
    if (url.pathname === '/adfs/portal/updatepassword') {
      const names = ['UserName', 'OldPassword', 'NewPassword', 'ConfirmPassword']
      const inputs = names.map(name => `<input name="${name}" type="${name === 'UserName' ? 'email' : 'password'}">`)
      return { body: page('Update Password', `<form method="post" id="updatePasswordForm">${inputs.join('')}</form>`) }
    }
    if (!url.pathname.startsWith('/adfs/ls/') || url.searchParams.get('loginToRp') !== 'urn:amazon:webservices') {
      return broken(`unexpected ${method} ${target}`)
    }
    if (method === 'GET') {
      const session = /MSISAuth1=(\w+)/.exec(headers.cookie ?? '')?.[1]
      if (session && sessions.has(session)) return { body: working() }
      if (options.entry) return options.entry
      count += 1
      return { headers: { 'set-cookie': `MSISSamlRequest=s${count}; path=/adfs; HttpOnly` }, body: login(origin) }
    }
    sent.push(fields)
    const session = /MSISSamlRequest=(\w+)/.exec(headers.cookie ?? '')?.[1] ?? ''
    if (session === '') return broken('the cookie is missing')
    const twice = [...new Set(fields.keys())].filter(name => fields.getAll(name).length > 1)
    if (twice.length > 0) return broken(`Duplicate post parameter ${twice.join()}`)
    const stage = stages.get(session)
    if (!stage) return password(session, origin, fields)
    if (fields.get('Context') !== stage.context.replaceAll('&amp;', '&')) return broken('an old Context')
    if (fields.has('Password')) return broken('the password came to a second factor')
    if (options.choice && stage.chosen === undefined) {
      stage.chosen = fields.get('AuthMethod') ?? ''
      if (!options.choice.includes(stage.chosen)) return broken(`no method ${stage.chosen}`)
      return factor(session)
    }
    const adapter = adapterAt(stage)
    if (!adapter || fields.get('AuthMethod') !== adapter.name) return broken('another AuthMethod')
    stage.turn += 1
    const verdict = adapter.judge(fields, stage.turn)
    if (verdict === 'again') return factor(session)
    if (typeof verdict === 'object')
      return 'error' in verdict ? factor(session, verdict.error) : factor(session, '', verdict.html)
    stage.step += 1
    stage.turn = 0
    return stage.chosen === undefined && adapters[stage.step] ? factor(session) : done(session)
  }

  function password(session: string, origin: string, fields: URLSearchParams): Reply {
    posts += 1
    if (fields.has('Kmsi')) return broken('Kmsi was not ticked')
    const classic = generation === '2.0'
    if (!classic && fields.get('AuthMethod') !== 'FormsAuthentication') return broken('AuthMethod is missing')
    const field = (name: string): string =>
      fields.get(classic ? `ctl00$ContentPlaceHolder1$${name}TextBox` : name) ?? ''
    if (
      classic &&
      (fields.get('__VIEWSTATE')?.length !== 5000 || !fields.has('ctl00$ContentPlaceHolder1$SubmitButton'))
    ) {
      return broken('an incomplete form')
    }
    const name = classic ? field('Username') : field('UserName')
    if (mode === 'locked') {
      return { body: login(origin, 'The referenced account is currently locked out and may not be logged on to', name) }
    }
    if (name !== user || field('Password') !== 'correct horse') {
      return {
        body: login(
          origin,
          options.refusal ?? 'Incorrect user ID or password. Type the correct user ID and password, and try again.',
          name,
        ),
      }
    }
    if (options.after) return options.after
    if (adapters.length === 0) return done(session)
    stages.set(session, { step: 0, turn: 0, context: '', chosen: undefined })
    return options.choice ? choice(session) : factor(session)
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}${path}${query}`,
    sent,
    problems,
    posts: () => posts,
    become: next => void (mode = next),
    endSessions: () => sessions.clear(),
  }
}

export const passwordExpired: Reply = redirect('/adfs/portal/updatepassword?username=jane')

/** A page with one field; `right` passes, anything else is refused with a text. */
export function codeAdapter(name: string, field: string, code: string, refusal = 'The code is not valid.'): Adapter {
  return {
    name,
    show: () => `{error}${field}<input type="submit" id="submitButton" value="Sign in">`,
    judge: fields => ([...fields.values()].includes(code) ? 'passed' : { error: refusal }),
  }
}
