/**
 * PingFederate: forms whose links a script sends, and PingID behind them.
 */
import { codeOfText, type ErrorTexts, type FormCode } from './form-failure.ts'
import { firstOf, named } from './form-fields.ts'
import { formProvider } from './form-login.ts'
import { clean } from './form-text.ts'
import { onward, type FormRecipe, type Walk } from './form-walk.ts'
import type { HttpRequest } from './http.ts'
import { submit, type Form, type Page } from './html.ts'
import type { Settings } from './options.ts'
import { entryUrl } from './provider-form.ts'

/** Identifier of AWS as a partner, in the standard partition. */
const amazon = 'urn:amazon:webservices'
const service = '/idp/startSSO.ping'

/** Ping's own hosts in each region: `authenticator` is PingID. */
export function pingHosts(name: string): string[] {
  return ['com', 'eu', 'asia', 'ca', 'com.au', 'sg'].map(end => `${name}.pingone.${end}`)
}

const errorTexts: ErrorTexts = [
  [/unable to (?:look ?up|find|locate).{0,60}\b(?:connection|partner|metadata)\b|unknown partner/i, 'sp-unknown'],
  [/\b(?:authentication|sign[- ]on|request)\b.{0,20}\b(?:timed? ?out|expired)\b/i, 'mfa-timeout'],
  [/\b(?:authentication|sign[- ]on|request)\b.{0,20}\b(?:denied|rejected|cancell?ed)\b/i, 'mfa-refused'],
]

/** What PingFederate and the older PingOne have in common. */
export const pingRecipe: Pick<FormRecipe, 'ownHosts' | 'errorTexts' | 'judge' | 'answer'> = {
  ownHosts: pingHosts('authenticator'),
  errorTexts,
  judge,
  async answer(walk, page) {
    return alternateSystem(walk, page) ?? firstOf(page.forms, form => putOff(walk, page, form))
  },
}

export const pingfederate = formProvider(
  { name: 'pingfederate', summary: 'PingFederate, with PingID' },
  { ...pingRecipe, entry },
)

/** A whole address as it is; what is missing of it otherwise. */
function entry({ url }: Settings): string {
  const { href, origin, pathname, search, searchParams } = entryUrl(url, `https://HOST${service}?PartnerSpId=${amazon}`)
  if (pathname === '/' && search === '') return `${origin}${service}?PartnerSpId=${amazon}`
  if (!pathname.endsWith('/startSSO.ping') || searchParams.has('PartnerSpId')) return href
  return `${origin}${pathname}${search ? `${search}&` : '?'}PartnerSpId=${amazon}`
}

/** What stands on PingID's own error pages is about the second factor. */
function judge(page: Page): FormCode | undefined {
  if (!new URL(page.url).pathname.startsWith('/pingid/')) return undefined
  return codeOfText(`${page.errors.join(' ')} ${page.text}`, errorTexts) ?? 'mfa-refused'
}

/** "Your password will expire": later. The script of that link sets fields before it sends the form. */
function putOff(walk: Walk, page: Page, form: Form): HttpRequest | undefined {
  if (!named(form, 'pf.notificationCancel')) return undefined
  walk.context.log.warn(clean(page.text, 200))
  const values = {
    'pf.notificationCancel': 'clicked',
    'pf.passwordExpiring': 'true',
    ...valuesSetBy(page, 'postCancel'),
  }
  return onward(page, submit(page, form, values))
}

/** `document.forms[0]['pf.pcvId'].value = 'LDAP'` in a function of the page. */
function valuesSetBy({ source }: Page, name: string): Record<string, string> {
  const body = new RegExp(`\\bfunction\\s+${name}\\s*\\([^()]*\\)\\s*\\{([^{}]*)\\}`).exec(source)?.[1] ?? ''
  const settings = body.matchAll(/\[\s*(["'])([\w.]+)\1\s*\]\s*\.\s*value\s*=\s*(["'])([^"'\\]*)\3/g)
  return Object.fromEntries([...settings].map(([, , field = '', , value = '']) => [field, value]))
}

/** Other identity providers stand beside the form, as links whose script names them: `--auth-source`. */
function alternateSystem(walk: Walk, page: Page): HttpRequest | undefined {
  const wish = walk.context.settings.authSource?.toLowerCase()
  const field = 'pf.alternateAuthnSystem'
  const form = page.forms.find(each => named(each, field))
  if (wish === undefined || !form || walk.pressed.has(field)) return undefined
  for (const { onclick, text } of page.links) {
    const system = /\bpostAlternateAuthnSystem\s*\(\s*(["'])(.*?)\1/.exec(onclick)?.[2]
    if (system === undefined || ![system.toLowerCase(), text.toLowerCase()].includes(wish)) continue
    walk.pressed.add(field)
    return onward(page, submit(page, form, { [field]: system }))
  }
  return undefined
}
