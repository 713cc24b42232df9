/**
 * Google Workspace. Its pages answer no program, so the person's own browser shows them: in a window where a person is
 * there, without one where the session in its profile still lives. No password and no code comes this way.
 */
import { browserLogin, forgetBrowser } from './browser-login.ts'
import { failure, isFailure } from './errors.ts'
import { isLoopback } from './http.ts'
import type { Settings } from './options.ts'
import type { Provider } from './provider.ts'
import { entryUrl } from './provider-form.ts'

const example = 'https://accounts.google.com/o/saml2/initsso?idpid=ID&spid=ID&forceauthn=false'
const otherWay =
  'where Google turns the browser away, sign in as usual and hand over the response: cloudtoken --saml-response FILE'

export const google: Provider = {
  name: 'google',
  summary: 'Google Workspace, always in your own browser',
  inBrowser: true,
  entry: settings => entryOf(settings).href,
  async authenticate(context) {
    try {
      return await browserLogin(context, entryOf(context.settings))
    } catch (error) {
      if (!isFailure(error) || (error.code !== 'browser-closed' && error.code !== 'browser-timeout')) throw error
      const { kind, message, code, hint } = error
      throw failure(kind, message, { code, hint: `${hint}; ${otherWay}`, cause: error })
    }
  },
  async forget({ store }) {
    forgetBrowser(store)
  },
}

/** The address behind the tile of the app, which names the company and the app. */
function entryOf({ url }: Settings): URL {
  const entry = entryUrl(url, example)
  const known = entry.hostname === 'accounts.google.com' || isLoopback(entry.hostname)
  const whole = ['idpid', 'spid'].every(name => entry.searchParams.get(name))
  if (known && whole && entry.pathname === '/o/saml2/initsso') return entry
  throw failure('config', `${entry.origin}${entry.pathname} is not the address of an app of Google Workspace`, {
    hint: `copy the link of the app for AWS among your Google apps: cloudtoken --url '${example}'`,
    code: 'app-missing',
  })
}
