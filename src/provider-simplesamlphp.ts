/**
 * SimpleSAMLphp, 1.x and 2.x. Installations differ in their base path and themes; what they share is the entry, the
 * shape of their error pages, and a state that can be lost.
 */
import { formProvider } from './form-login.ts'
import { isErrorReport } from './form-page.ts'
import type { FormCode } from './form-failure.ts'
import { place } from './form-text.ts'
import type { Page } from './html.ts'
import type { Settings } from './options.ts'
import { entryUrl } from './provider-form.ts'

/** Entity id of AWS in the standard partition (https://signin.aws.amazon.com/static/saml-metadata.xml). */
const amazon = 'urn:amazon:webservices'

export const simplesamlphp = formProvider(
  {
    name: 'simplesamlphp',
    summary: 'SimpleSAMLphp, version 1 or 2',
    options: {
      spentityid: {
        type: 'string',
        value: 'ID',
        default: amazon,
        summary: 'entity id of AWS at the identity provider, where the address does not say it',
      },
    },
  },
  { entry, judge },
)

/**
 * The whole address of the SSO service, or the base of the installation. The path of version 1 is understood by both
 * versions; `providerId` is another name of `spentityid`.
 */
function entry(settings: Settings): string {
  const url = entryUrl(settings.url, 'https://idp.example/simplesaml')
  const service = /\/(?:SSOService\.php|singleSignOnService|idpInitiated\.php)\/?$/i.test(url.pathname)
  const named = url.searchParams.has('spentityid') || url.searchParams.has('providerId')
  if (named || (!service && url.search !== '')) return url.href
  if (!service)
    url.pathname = `${url.pathname.replace(/\/(?:module\.php\/?|index\.php\/?)?$/, '')}/saml2/idp/SSOService.php`
  const id = settings.extra['spentityid']
  // As people write it, with its colons.
  return `${url.origin}${url.pathname}${url.search ? `${url.search}&` : '?'}spentityid=${encodeURIComponent(typeof id === 'string' ? id : amazon).replaceAll('%3A', ':')}`
}

/** Error pages come in every language; their shape and address say more than their words. */
function judge(page: Page): FormCode | undefined {
  const error = page.status >= 400 && page.forms.some(isErrorReport)
  if (!error) return undefined
  const url = new URL(page.url)
  const id = url.searchParams.get('spentityid') ?? url.searchParams.get('providerId')
  if (id && page.text.includes(id)) return 'sp-unknown'
  if (/metadat|métadonn|メタデータ/i.test(page.title)) return 'sp-unknown'
  const stateful = /AuthState=|StateId=/.test(url.search) || /\/loginuserpass|\/multiauth\//.test(place(page.url))
  return stateful && page.status === 500 ? 'state-lost' : undefined
}
