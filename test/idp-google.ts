/**
 * Google Workspace on loopback, as far as it shows itself: the address of the app, the page for the address of the person
 * with its decoys, the page for the password. It answers no one but a browser that ran its script.
 */
import { page, redirect, responsePage, serve, type Reply, type Seen } from './fake-idp.ts'

export interface SimulatedGoogle {
  readonly url: string
  readonly problems: string[]
  readonly paths: string[]
  endSessions(): void
  stop(): Promise<void>
}

const query = 'idpid=C01&spid=123&forceauthn=false'
/** Decoys: a password that no one sees, a field without a name, a box that is ticked, a form that skips the challenge. */
const decoys = `<input type="password" name="hiddenPassword" aria-hidden="true" tabindex="-1" style="display:none">
<input type="hidden" name=""><input type="checkbox" name="TrustDevice" checked style="display:none">`
const skip = '<form id="skip" method="post" action="/signin/challenge/skip"></form>'
const proof = `<script>document.getElementById('bgresponse').value = 'ran ' + (1 + 1)</script>`
const form = (action: string, inside: string): string =>
  page(
    'Sign in - Google Accounts',
    `${skip}<form id="gaia_loginform" method="post" action="${action}">${decoys}<input type="hidden" id="bgresponse" name="bgresponse" value="js_disabled">${inside}<button>Next</button></form>${proof}`,
  )

export async function startGoogle(): Promise<SimulatedGoogle> {
  const problems: string[] = []
  const paths: string[] = []
  const sessions = new Set<string>()
  let count = 0

  const rejected = (): Reply => {
    problems.push('something that ran no script')
    return redirect('/signin/rejected')
  }

  function answer({ method, path, headers, fields }: Seen): Reply {
    paths.push(`${method} ${path}`)
    const session = /\bSID=(\w+)/.exec(headers.cookie ?? '')?.[1] ?? ''
    switch (`${method} ${path}`) {
      case `GET /o/saml2/initsso?${query}`:
        return sessions.has(session) ? { body: responsePage() } : redirect('/signin/identifier')
      case 'GET /signin/identifier':
        return { body: form('/signin/password', '<input type="email" name="identifier" autocomplete="username">') }
      case 'POST /signin/password':
        if (fields.get('bgresponse') !== 'ran 2') return rejected()
        return { body: form('/signin/done', '<input type="password" name="Passwd">') }
      case 'POST /signin/done': {
        if (fields.get('bgresponse') !== 'ran 2' || fields.get('Passwd') !== 'correct horse') return rejected()
        count += 1
        sessions.add(`s${count}`)
        const cookie = `SID=s${count}; path=/; HttpOnly; Max-Age=86400`
        return redirect(`/o/saml2/initsso?${query}`, { 'set-cookie': cookie })
      }
      case 'GET /signin/rejected':
        return { body: page('Couldn’t sign you in', '<p>This browser or app may not be secure.</p>') }
      case 'GET /favicon.ico':
        return { status: 404 }
      default:
        problems.push(`unexpected ${method} ${path}`)
        return { status: 400 }
    }
  }

  const server = await serve('127.0.0.1', answer)
  return {
    ...server,
    url: `${server.origin}/o/saml2/initsso?${query}`,
    problems,
    paths,
    endSessions: () => sessions.clear(),
  }
}
