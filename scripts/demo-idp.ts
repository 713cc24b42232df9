/**
 * An identity provider for the demo and for tests: pages, forms, redirects and cookies in the shape of SimpleSAMLphp 1.19,
 * on loopback. Its assertions are not signed; nobody but the demo's own STS would take them.
 */
import { Buffer } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import { listen, readForm, type Loopback } from './demo-http.ts'

export interface DemoPerson {
  readonly password: string
  /** Role ARNs; the matching provider is named `demo` in the same account. */
  readonly roles: readonly string[]
  /** `SessionDuration` in seconds. */
  readonly duration?: number
}

export interface DemoIdp extends Loopback {
  /** What `--url` takes. */
  readonly url: string
  /** How often a password was posted. */
  passwords(): number
  /** Assertions handed out. */
  assertions(): number
  /** Everybody has to sign in again. */
  endSessions(): void
}

const service = 'urn:amazon:webservices'
const entry = '/simplesaml/saml2/idp/SSOService.php'
const login = '/simplesaml/module.php/core/loginuserpass.php'
const attributes = 'https://aws.amazon.com/SAML/Attributes'

interface State {
  readonly people: Readonly<Record<string, DemoPerson>>
  readonly scheme: 'http' | 'https'
  /** Cookie to user name. */
  readonly sessions: Map<string, string>
  passwords: number
  assertions: number
}

/** With `tls` over https, for whoever trusts its certificate. */
export async function startDemoIdp(
  people: Readonly<Record<string, DemoPerson>>,
  tls?: ServerOptions,
): Promise<DemoIdp> {
  const state: State = { people, scheme: tls ? 'https' : 'http', sessions: new Map(), passwords: 0, assertions: 0 }
  const take = (request: IncomingMessage, response: ServerResponse): void =>
    void answer(state, request, response).catch((error: unknown) => response.writeHead(500).end(String(error)))
  const loopback = await listen(tls ? createTlsServer(tls, take) : createServer(take))
  return {
    ...loopback,
    url: `${loopback.origin.replace(/^http/, state.scheme)}${entry}?spentityid=${service}`,
    passwords: () => state.passwords,
    assertions: () => state.assertions,
    endSessions: () => state.sessions.clear(),
  }
}

async function answer(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', `${state.scheme}://${request.headers.host}`)
  const cookie = /(?:^|; )SimpleSAML=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]
  const user = cookie === undefined ? undefined : state.sessions.get(cookie)
  if (url.pathname === entry && url.searchParams.get('spentityid') !== service) {
    return send(response, 500, page('Metadata not found', '<p>Unable to locate metadata for the service</p>'))
  }
  if (url.pathname === entry && user !== undefined) return send(response, 200, responsePage(state, url.origin, user))
  if (url.pathname === entry) {
    const authState = `_${randomUUID().replaceAll('-', '')}:${url.href}`
    const location = `${url.origin}${login}?${new URLSearchParams({ AuthState: authState })}`
    response.setHeader('Set-Cookie', `SimpleSAML=${cookie ?? randomUUID()}; path=/; HttpOnly`)
    response.writeHead(302, { location }).end()
    return
  }
  if (url.pathname !== login) return send(response, 404, page('Page not found', '<p>The given page was not found.</p>'))
  if (cookie === undefined) return send(response, 200, page('Missing cookie', '<a id="retry" href="/">Retry</a>'))
  if (request.method !== 'POST') return send(response, 200, loginPage(url.searchParams.get('AuthState') ?? ''))

  const form = await readForm(request)
  state.passwords += 1
  const name = form.get('username') ?? ''
  const person = Object.hasOwn(state.people, name) ? state.people[name] : undefined
  if (person === undefined || person.password !== form.get('password')) {
    return send(response, 200, loginPage(form.get('AuthState') ?? '', 'Incorrect username or password'))
  }
  state.sessions.set(cookie, name)
  send(response, 200, responsePage(state, url.origin, name))
}

function send(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }).end(html)
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

function page(title: string, body: string, attributes = ''): string {
  return `<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>${title}</title></head><body${attributes}>${body}</body></html>\n`
}

function loginPage(authState: string, error?: string): string {
  const complaint = error === undefined ? '' : `<div class="errorbox"><h2>Error</h2><p><b>${error}</b></p></div>`
  return page(
    'Enter your username and password',
    `${complaint}<form action="?" method="post" name="f">
      <input type="text" name="username" value=""><input type="password" name="password">
      <button id="submit_button" type="submit">Login</button>
      <input type="hidden" name="AuthState" value="${escape(authState)}">
    </form>`,
  )
}

function responsePage(state: State, issuer: string, user: string): string {
  state.assertions += 1
  const assertion = Buffer.from(assertionOf(issuer, user, state.people[user])).toString('base64')
  return page(
    'Sending message',
    `<form method="post" action="https://signin.aws.amazon.com/saml">
      <input type="submit" id="postLoginSubmitButton" value="Submit">
      <input type="hidden" name="SAMLResponse" value="${assertion}">
      <noscript><button type="submit">Submit</button></noscript>
    </form>`,
    ' onload="document.forms[0].submit()"',
  )
}

/** The XML of a response for one person, valid for five minutes from now. */
export function assertionOf(issuer: string, user: string, person: DemoPerson | undefined): string {
  const iso = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+/, '')
  const [now, later] = [iso(Date.now()), iso(Date.now() + 300_000)]
  const pairs = (person?.roles ?? []).map(role => `${role},${role.replace(/:role\/.*/, ':saml-provider/demo')}`)
  const list: readonly [string, readonly string[]][] = [
    ['Role', pairs],
    ['RoleSessionName', [`${user}@example.org`]],
    ['SessionDuration', [String(person?.duration ?? 3600)]],
  ]
  const statements = list.map(([name, values]) => {
    const texts = values.map(
      value => `<saml:AttributeValue xsi:type="xs:string">${escape(value)}</saml:AttributeValue>`,
    )
    return `<saml:Attribute Name="${attributes}/${name}">${texts.join('')}</saml:Attribute>`
  })
  const id = (): string => `_${randomUUID().replaceAll('-', '')}`
  return `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="${id()}" Version="2.0" IssueInstant="${now}" Destination="https://signin.aws.amazon.com/saml">
<saml:Issuer>${issuer}</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>
<saml:Assertion xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xs="http://www.w3.org/2001/XMLSchema" ID="${id()}" Version="2.0" IssueInstant="${now}"><saml:Issuer>${issuer}</saml:Issuer>
<saml:Subject><saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">${escape(user)}</saml:NameID><saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="${later}" Recipient="https://signin.aws.amazon.com/saml"/></saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="${now}" NotOnOrAfter="${later}"><saml:AudienceRestriction><saml:Audience>${service}</saml:Audience></saml:AudienceRestriction></saml:Conditions>
<saml:AuthnStatement AuthnInstant="${now}" SessionNotOnOrAfter="${iso(Date.now() + 28_800_000)}"><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>
<saml:AttributeStatement>${statements.join('')}</saml:AttributeStatement></saml:Assertion></samlp:Response>`
}
