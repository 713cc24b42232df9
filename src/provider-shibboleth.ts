/**
 * Shibboleth, version 3 to 5: by its pages, or by the one SOAP request of its ECP profile where the address is that of it.
 */
import type { ErrorTexts } from './form-failure.ts'
import { formProvider } from './form-login.ts'
import type { Settings } from './options.ts'
import type { Provider } from './provider.ts'
import { entryUrl } from './provider-form.ts'

/** Entity id of AWS in the standard partition. */
const amazon = 'urn:amazon:webservices'
const service = '/profile/SAML2/Unsolicited/SSO'

/** Titles of its last pages; a refused consent answers with status 200. */
const errorTexts: ErrorTexts = [[/Release of Information Prevented|Terms of Use Refused/i, 'consent-refused']]

const pages = formProvider(
  { name: 'shibboleth', summary: 'Shibboleth, by its pages or by ECP (an address that ends in /SOAP/ECP)' },
  { entry, errorTexts },
)

export const shibboleth: Provider = {
  ...pages,
  async authenticate(context) {
    const { url } = context.settings
    if (!url || !/\/SOAP\/ECP\/?(?:\?|$)/i.test(url)) return pages.authenticate(context)
    const { ecpLogin } = await import('./provider-shibboleth-ecp.ts')
    return ecpLogin(context, entryUrl(url, `https://idp.example.edu/idp/profile/SAML2/SOAP/ECP`))
  },
}

/** A whole address as it is, or the base of the installation. */
function entry({ url }: Settings): string {
  const { href, origin, pathname, search } = entryUrl(url, `https://idp.example.edu/idp${service}?providerId=${amazon}`)
  const base = pathname.replace(/\/$/, '')
  if (search === '' && base.endsWith(service)) return `${href}?providerId=${amazon}`
  if (search !== '' || !/^(?:.*\/idp)?$/.test(base)) return href
  return `${origin}${base || '/idp'}${service}?providerId=${amazon}`
}
