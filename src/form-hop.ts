/**
 * Pages that a browser leaves by itself: forms that a script sends, addresses that it goes on to. Pure.
 */
import type { Form, Page } from './html.ts'
import { firstOf, named, typedControls } from './form-fields.ts'

export type Hop =
  /** A form that a script sends by itself, with `values` as the script would set them. */
  | { readonly kind: 'hop-form'; readonly form: Form; readonly values?: Readonly<Record<string, string>> }
  | { readonly kind: 'hop'; readonly url: string }

/** SAML request, WS-Federation, OpenID Connect form_post, Shibboleth's storage pages: sent on as they are. */
export function protocolHop(page: Page): Hop | undefined {
  return firstOf(page.forms, form => {
    const has = (name: string): boolean => Boolean(named(form, name)?.value)
    const federation =
      has('SAMLRequest') || (has('wa') && has('wresult')) || ((has('code') || has('id_token')) && has('state'))
    // A code that a person types is shown; this one is not.
    if (federation && typedControls(form).length === 0) return { kind: 'hop-form', form }
    // To Duo and back, on ADFS.
    if (has('adfs_context') || (has('duo_code') && has('state'))) return { kind: 'hop-form', form }
    if (named(form, /^shib_idp_ls_/)) return { kind: 'hop-form', form }
    // PingID asks whether the browser speaks WebAuthn; this one does not.
    const probe = named(form, 'isWebAuthnSupportedByBrowser')
    return probe && { kind: 'hop-form', form, values: { [probe.name]: 'false' } }
  })
}

/** Sent by a script as soon as the page is there: nothing in it that a person would see to. */
export function selfSent(page: Page): Hop | undefined {
  if (!page.submitsItself) return undefined
  const silent = /^(?:hidden|submit|button|image|reset)$/
  const quiet = page.forms.filter(({ controls }) => controls.every(c => silent.test(c.type)))
  // Keycloak before Kerberos: a form with nothing in it but its address.
  const form =
    quiet.find(({ controls }) => controls.length > 0) ?? quiet.find(({ method, action }) => method === 'post' && action)
  return form && { kind: 'hop-form', form }
}

/** A refresh or a script, or the link of a page that waits for one. */
export function scriptHop(page: Page): Hop | undefined {
  const url = page.hop ?? page.links.find(link => /[?&]_eventId_proceed=1\b/.test(link.href))?.href
  if (url === undefined || !URL.canParse(url, page.url)) return undefined
  const to = new URL(url, page.url)
  return /[?&]_eventId=(?:cancel|reject)/i.test(to.search) ? undefined : { kind: 'hop', url: to.href }
}
