/**
 * ForgeRock Access Management, now PingAM, and OpenAM: the log-in page is a script over JSON callbacks; with the session
 * that they make, the SAML service shows a page like any other.
 */
import { addressOf, askJson, textAt } from './api-json.ts'
import { failure } from './errors.ts'
import { formFailure, hostOf } from './form-failure.ts'
import { formProvider } from './form-login.ts'
import { addressAt } from './form-text.ts'
import type { FormRecipe, Walk } from './form-walk.ts'
import type { HttpRequest } from './http.ts'
import type { Page } from './html.ts'
import type { Settings } from './options.ts'
import { entryUrl } from './provider-form.ts'
import { apiHeaders, passCallbacks } from './provider-forgerock-steps.ts'

/** Identifier of AWS as a service provider, in the standard partition. */
const amazon = 'urn:amazon:webservices'
const example = `https://am.example.com/am/idpssoinit?metaAlias=/REALM/saml-idp&spEntityID=${amazon}`
const usualCookie = 'iPlanetDirectoryPro'

export const forgerock = {
  ...formProvider({ name: 'forgerock', summary: 'ForgeRock Access Management (PingAM), OpenAM' }, recipe),
  aliases: ['openam'],
}

function recipe(): FormRecipe {
  let signedIn = false
  return {
    entry: settings => entryOf(settings).href,
    async answer(walk, page) {
      if (!isLogin(page)) return undefined
      if (signedIn) {
        throw formFailure('no-access', `${hostOf(page)} signed you in, but shows its log-in page again`)
      }
      signedIn = true
      return signIn(walk, page)
    },
  }
}

/** What an address of the server says of it. */
interface Place {
  /** With the path of the installation: `https://am.example.com/am`. */
  readonly base: string
  /** `/`, `/alpha`, `/alpha/beta` */
  readonly realm: string | undefined
}

/** Behind the path of the installation. */
const known = /^(.*?)\/(?:json|XUI|UI|idpssoinit|saml2|SSORedirect|SSOPOST|console)\b/

function placeOf(url: URL): Place | undefined {
  const path = known.exec(url.pathname)?.[1]
  if (path === undefined) return undefined
  const base = `${url.origin}${path}`
  const api = /\/json\/realms\/(.+?)(?:\/(?:authenticate|serverinfo)\b.*)?\/?$/.exec(url.pathname)?.[1]
  const alias = url.searchParams.get('metaAlias') ?? /\/metaAlias(\/.+)$/.exec(url.pathname)?.[1]
  // `#login/alpha` in the addresses of older versions.
  const stated = url.searchParams.get('realm') ?? /^#login\/?([^&]+)/.exec(url.hash)?.[1]
  if (api !== undefined)
    return {
      base,
      realm: realmOf(
        api
          .split('/realms/')
          .filter(name => name !== 'root')
          .join('/'),
      ),
    }
  if (alias !== undefined) return { base, realm: realmOf(alias.replace(/\/[^/]*$/, '')) }
  return { base, realm: stated === undefined ? undefined : realmOf(stated) }
}

function realmOf(text: string): string {
  return `/${text.split('/').filter(Boolean).join('/')}`
}

/** The whole address of the SAML service; or the log-in page or the API of a realm, whose name makes it. */
function entryOf({ url }: Settings): URL {
  const entry = entryUrl(url, example)
  const place = placeOf(entry)
  if (/[?&/]metaAlias\b/i.test(entry.href)) return entry
  if (place?.realm === undefined) {
    throw failure('config', `${entry.host}${entry.pathname} does not say which realm`, {
      hint: `cloudtoken --url '${example}'`,
      code: 'url-invalid',
    })
  }
  const alias = `${place.realm === '/' ? '' : place.realm}/saml-idp`
  return new URL(`${place.base}/idpssoinit?metaAlias=${alias}&spEntityID=${amazon}`)
}

/** Its own page, or the one of the platform that stands before it. */
function isLogin({ url, forms }: Page): boolean {
  const { pathname, searchParams } = new URL(url)
  if (/\/(?:XUI|UI\/Login)\b/.test(pathname)) return true
  return forms.length === 0 && searchParams.has('goto')
}

async function signIn(walk: Walk, page: Page): Promise<HttpRequest> {
  const here = new URL(page.url)
  const [shown, meant] = [placeOf(here), placeOf(walk.entry)]
  const base = shown?.base ?? meant?.base
  if (base === undefined)
    throw formFailure('idp-error', `${here.host} shows a log-in page of a server that it does not name`)
  const realm = shown?.realm ?? meant?.realm ?? '/'
  const api = `${base}/json/realms/${['root', ...realm.split('/').filter(Boolean)].map(encodeURIComponent).join('/realms/')}`
  const token = await passCallbacks({ walk, page, realm, url: new URL(`${api}/authenticate${queryOf(walk, here)}`) })
  await keepSession(walk, base, token)
  const goal = here.searchParams.get('goto')
  // Whoever signs the goal of the page is the server itself; anything else is left alone.
  const home = goal === null ? undefined : addressAt(base, goal)
  return { url: home === undefined ? walk.entry.href : addressOf(page, home) }
}

/** Which chain or journey: as set, as the page or the address says, else the realm's own. */
function queryOf({ context }: Walk, { searchParams }: URL): string {
  const { authSource, url = '' } = context.settings
  const stated = URL.canParse(url) ? new URL(url).searchParams : new URLSearchParams()
  const service = authSource ?? [searchParams, stated].map(serviceIn).find(name => name !== undefined)
  const query = new URLSearchParams()
  if (service) {
    query.set('authIndexType', 'service')
    query.set('authIndexValue', service)
  }
  const goal = searchParams.get('goto')
  if (goal !== null) query.set('goto', goal)
  return query.size === 0 ? '' : `?${query.toString()}`
}

function serviceIn(query: URLSearchParams): string | undefined {
  const index = query.get('authIndexType') === 'service' ? query.get('authIndexValue') : null
  return (query.get('service') ?? index) || undefined
}

/** Older versions leave it to the script of the page to set the cookie; only they say its value. */
async function keepSession({ context: { http } }: Walk, base: string, token: string): Promise<void> {
  if (token === '') return
  const info = await askJson({ http }, { url: `${base}/json/serverinfo/*`, headers: apiHeaders }).catch(() => undefined)
  const stated = textAt(info?.body, 'cookieName')
  const name = /^[\w.-]+$/.test(stated) ? stated : usualCookie
  if ((await http.readCookie(`${base}/`, name))?.includes(token)) return
  const secure = base.startsWith('https:') ? '; Secure' : ''
  await http.writeCookie(`${base}/`, `${name}=${token}; Path=/${secure}`)
}
