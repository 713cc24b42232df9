/**
 * Microsoft Entra ID. Its pages are scripts over a block of settings that also says which page it is; an organisation that
 * signs in elsewhere (AD FS) is followed there, by its forms.
 */
import { Buffer } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { addressOf } from './api-json.ts'
import { failure } from './errors.ts'
import { formProvider } from './form-login.ts'
import type { FormRecipe, Walk } from './form-walk.ts'
import type { HttpRequest } from './http.ts'
import type { Page } from './html.ts'
import type { Settings } from './options.ts'
import { readEntraPage } from './provider-entra-config.ts'
import { answerEntra } from './provider-entra-page.ts'
import { entryUrl } from './provider-form.ts'

const example = 'https://myapps.microsoft.com/signin/AWS/APP_ID?tenantId=TENANT_ID'

const recipe: FormRecipe = {
  entry: settings => entraEntry(settings).href,
  userName: (name, { domain }) => (domain === undefined || name.includes('@') ? name : `${name}@${domain}`),
  // The addresses of apps lie on other hosts than the log-in.
  ownHosts: ['login.microsoftonline.com', 'login.microsoftonline.us', 'login.partner.microsoftonline.cn'],
  async answer(walk: Walk, page: Page) {
    if (page.forms.some(({ controls }) => controls.some(({ name }) => name === 'SAMLResponse'))) return undefined
    const entra = readEntraPage(page)
    return entra ? await answerEntra(walk, page, entra) : appRedirect(page)
  },
}

export const entra = formProvider({ name: 'entra', summary: 'Microsoft Entra ID (Azure AD)' }, recipe)

/** The page of an app leads on by a script, beside a form that leads nowhere. */
function appRedirect(page: Page): HttpRequest | undefined {
  if (!page.forms.some(({ controls }) => controls.some(({ name }) => name === '__VIEWSTATE'))) return undefined
  const target = /\blocation(?:\.href)?\s*=\s*(["'])(https?:[^"'<>\s]*\bSAMLRequest=[^"'<>\s]*)\1/.exec(
    page.source,
  )?.[2]
  const url = target?.replace(/\\u0026|\\x26|&amp;/gi, '&').replaceAll(String.raw`\/`, '/')
  return url === undefined ? undefined : { url: addressOf(page, url) }
}

/** The address of the app; or that of the tenant and `--app-id`, from which the request of AWS is made here. */
function entraEntry({ url, appId }: Settings): URL {
  const entry = entryUrl(url, example)
  if (!/^\/[^/]+(?:\/saml2)?\/?$/.test(entry.pathname) || entry.search !== '') {
    if (entry.pathname !== '/') return entry
    throw failure('config', `${entry.href} is not the address of an app for AWS`, {
      hint: `copy it from https://myapps.microsoft.com: cloudtoken --url '${example}'`,
      code: 'app-missing',
    })
  }
  if (!appId) {
    throw failure('config', 'the address of a tenant alone does not say which app is the one for AWS', {
      hint: "cloudtoken --app-id 'https://signin.aws.amazon.com/saml' (its Identifier, Entity ID), or --url of the app",
      code: 'app-missing',
    })
  }
  const address = new URL(`/${entry.pathname.split('/')[1]}/saml2`, entry)
  address.searchParams.set('SAMLRequest', authnRequest(appId))
  return address
}

/** SAML 2.0 Bindings, section 3.4.4.1. Where the response goes is the app's own setting, whatever the partition. */
function authnRequest(issuer: string): string {
  const escaped = issuer.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const instant = new Date().toISOString()
  const xml = `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="id${randomUUID()}" Version="2.0" IssueInstant="${instant}"><Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">${escaped}</Issuer></samlp:AuthnRequest>`
  return Buffer.from(deflateRawSync(xml)).toString('base64')
}
