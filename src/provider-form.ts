/**
 * Any identity provider that signs in with pages and forms: Shibboleth, ADFS, Keycloak, chains of them. All it needs is
 * the address that a person would open to get to AWS.
 */
import { failure } from './errors.ts'
import { formProvider } from './form-login.ts'
import { isPrivateWay } from './form-text.ts'

export const form = formProvider(
  { name: 'form', summary: 'any identity provider with a sign-in page: Shibboleth, ADFS, Keycloak and others' },
  {
    entry: ({ url }) =>
      entryUrl(url, 'https://idp.example/idp/profile/SAML2/Unsolicited/SSO?providerId=urn:amazon:webservices').href,
  },
)

/** The address from the settings; fails with `config` unless it is https, or on this machine. */
export function entryUrl(url: string | undefined, example: string): URL {
  const hint = `cloudtoken --url '${example}'`
  if (!url)
    throw failure('config', "the address of the identity provider's sign-in page is missing", {
      hint,
      code: 'url-missing',
    })
  if (!URL.canParse(url)) throw failure('config', `"${url}" is not an address`, { hint, code: 'url-invalid' })
  const parsed = new URL(url)
  if (!isPrivateWay(parsed))
    throw failure('config', `${parsed.protocol}//${parsed.host} is not https`, { hint, code: 'insecure' })
  return parsed
}
