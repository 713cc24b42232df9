/**
 * NetIQ Access Manager: a portal whose script fetches the next piece of the page, and cards for ways to sign in (contracts).
 */
import { chooseWay } from './form-answer.ts'
import type { ErrorTexts } from './form-failure.ts'
import { formProvider } from './form-login.ts'
import { classify } from './form-page.ts'
import { clean } from './form-text.ts'
import { pressOnce, type FormRecipe, type Walk } from './form-walk.ts'
import { literalCalls } from './html-script.ts'
import type { HttpRequest } from './http.ts'
import type { Page } from './html.ts'
import { failure } from './errors.ts'
import type { Settings } from './options.ts'
import { entryUrl } from './provider-form.ts'

const example = 'https://login.example.com/nidp/saml2/idpsend?PID=ID'

/** Messages of its identity server. */
const errorTexts: ErrorTexts = [
  [/intruder (?:detection|lockout)/i, 'account-locked'],
  [/login has been disabled|not allowed to log ?in at this time/i, 'account-disabled'],
  [/unable to (?:complete|process) [\w ]*request|no login connections/i, 'idp-error'],
]

function recipe(): FormRecipe {
  let chosen = false
  let returned = false
  return {
    entry: settings => entryOf(settings).href,
    errorTexts,
    read: async (_, page) => ({ ...page, errors: [...new Set([...page.errors, ...messages(page)])] }),
    async answer(walk, page) {
      const { origin, pathname } = new URL(page.url)
      const { kind } = classify(page)
      if (origin !== walk.entry.origin || kind === 'response') return undefined
      const contract = walk.context.settings.authSource
      if (contract && !chosen && walk.last === undefined && pathname.startsWith('/nidp/')) {
        chosen = true
        return openContract(page, contract)
      }
      // What is there to be filled in goes before what could be fetched.
      if (kind === 'credentials' || kind === 'code' || kind === 'new-password' || kind === 'captcha') return undefined
      const piece = pieceOf(page)
      if (piece) {
        pressOnce(walk, page, `content ${piece}`)
        return { url: piece }
      }
      const lost = kind === 'unknown' && pathname.startsWith('/nidp/')
      if (lost && walk.last !== undefined && !returned && page.url !== walk.entry.href) {
        returned = true
        return { url: walk.entry.href }
      }
      return lost && walk.last === undefined ? await chooseContract(walk, page) : undefined
    },
  }
}

export const netiq = formProvider({ name: 'netiq', summary: 'NetIQ Access Manager' }, recipe)

function entryOf({ url }: Settings): URL {
  const entry = entryUrl(url, example)
  if (entry.pathname !== '/' && !/^\/nidp\/?$/.test(entry.pathname)) return entry
  throw failure('config', `${entry.href} does not say which application is meant`, {
    hint: `cloudtoken --url '${example}', the address behind the application on its portal`,
    code: 'app-missing',
  })
}

/** What its script would fetch into the page; links to other contracts stand beside it. */
function pieceOf(page: Page): string | undefined {
  const address = literalCalls('getToContent', scriptsOf(page)).at(-1)
  if (address === undefined || !URL.canParse(address, page.url)) return undefined
  const url = new URL(address, page.url)
  if (url.origin !== new URL(page.url).origin) return undefined
  return url.searchParams.has('uiDestination')
    ? url.href
    : `${url.href}${url.search ? '&' : '?'}uiDestination=contentDiv`
}

/** Messages are put into the page by script. */
function messages(page: Page): string[] {
  return ['setGlobalMessage', 'safeSetGlobalMessage']
    .flatMap(name => literalCalls(name, scriptsOf(page)))
    .map(text => clean(text))
    .filter(Boolean)
}

function scriptsOf({ source }: Page): string[] {
  const [, ...scripts] = source.split(/<script\b[^<>]*>/i)
  return scripts.map(rest => rest.split(/<\/script\b/i)[0] ?? '')
}

/** Its card where there is one, else its address. */
function openContract(page: Page, contract: string): HttpRequest {
  const card = cardsOf(page).find(({ names }) => names.some(name => name.toLowerCase() === contract.toLowerCase()))
  if (card) return { url: card.value }
  const query = new URLSearchParams({ id: contract, sid: '0', option: 'credential' })
  return { url: new URL(`/nidp/app/login?${query.toString()}`, page.url).href }
}

async function chooseContract(walk: Walk, page: Page): Promise<HttpRequest | undefined> {
  const ways = cardsOf(page)
  if (ways.length === 0) return undefined
  pressOnce(walk, page, 'contracts')
  const { value } = await chooseWay(walk, page, { about: 'source', ways })
  return value === undefined ? undefined : { url: value }
}

interface Card {
  readonly names: readonly string[]
  readonly label: string
  /** Its address. */
  readonly value: string
}

function cardsOf(page: Page): Card[] {
  const { origin } = new URL(page.url)
  return page.links.flatMap(({ href, text }): Card[] => {
    const url = URL.canParse(href) ? new URL(href) : undefined
    const id = url?.searchParams.get('id')
    if (!url || !id || url.origin !== origin || !/^\/nidp\/(?:jsp\/main\.jsp|app\/login)$/.test(url.pathname)) return []
    return [{ names: text ? [id, text] : [id], label: text || id, value: url.href }]
  })
}
