/**
 * AD FS, 2.0 to the present one. Its pages are forms like others; what it has of its own is the entry, the domain before
 * user names, and the words of its adapters for second factors.
 */
import { codeOfText, type ErrorTexts, type FormCode } from './form-failure.ts'
import { formProvider } from './form-login.ts'
import type { Page } from './html.ts'
import type { Settings } from './options.ts'
import { entryUrl } from './provider-form.ts'

/** Identifier of AWS as a relying party, in the standard partition. */
const amazon = 'urn:amazon:webservices'
const example = 'https://adfs.example.com/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp=urn:amazon:webservices'

/** What its adapters say in plain text. */
const adapterTexts: ErrorTexts = [
  [/MFA request expired|request (?:has )?(?:expired|timed out)|did not respond in time/i, 'mfa-timeout'],
  [/^Not authorized\b|verification (?:was )?(?:denied|failed)|authentication (?:was )?denied/i, 'mfa-refused'],
]

export const adfs = formProvider(
  { name: 'adfs', summary: 'Active Directory Federation Services (AD FS)' },
  { entry, userName, judge, errorTexts: adapterTexts },
)

/** A whole address as it is, query and all; what is missing of it otherwise. */
function entry({ url }: Settings): string {
  const { href, origin, pathname, search, searchParams } = entryUrl(url, example)
  if (/^\/(?:adfs\/?(?:ls\/?)?)?$/i.test(pathname) && search === '') {
    return `${origin}/adfs/ls/IdpInitiatedSignOn.aspx?loginToRp=${amazon}`
  }
  const named = [...searchParams.keys()].some(key => key.toLowerCase() === 'logintorp')
  if (!/\/idpinitiatedsignon(?:\.aspx)?$/i.test(pathname) || named) return href
  return `${origin}${pathname}${search ? `${search}&` : '?'}loginToRp=${amazon}`
}

/** Its page takes `DOMAIN\user` and `user@domain` alone; sites add the domain by script. */
function userName(name: string, { domain }: Settings): string {
  if (!domain || /[@\\]/.test(name)) return name
  return domain.includes('.') ? `${name}@${domain}` : `${domain}\\${name}`
}

/** An error at the entry: the page is switched off, or AWS is not known there under this name. */
function judge(page: Page): FormCode | undefined {
  if (!/\/idpinitiatedsignon/i.test(new URL(page.url).pathname)) return undefined
  return codeOfText(`${page.errors.join(' ')} ${page.text}`, adapterTexts) ?? 'sp-unknown'
}
