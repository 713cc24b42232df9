/**
 * Pages that a browser leaves by itself: forms that a script sends, addresses that it goes on to. Pure.
 */
import type { Form, Page } from './html.ts'
import { firstOf, named, typedControls } from './form-fields.ts'

export type Hop =
  /** A form that a script sends by itself, with `values` as the script would set them. */
  | {
      readonly kind: 'hop-form'
      readonly form: Form
      readonly values?: Readonly<Record<string, string>>
      /** Where it leads, a person's phone may ring at once. */
      readonly rings?: true
    }
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
    if (probe) return { kind: 'hop-form', form, values: { [probe.name]: 'false' } }
    return betweenPings(page, form)
  })
}

/** To PingID, through it, and back to PingFederate: hidden fields, sent by scripts in files of their own. */
function betweenPings({ forms }: Page, form: Form): Hop | undefined {
  const has = (name: string): boolean => named(form, name) !== undefined
  if (!form.controls.every(({ type }) => type === 'hidden')) return undefined
  if (has('ppm_request')) return { kind: 'hop-form', form, rings: true }
  const through = form.id === 'form1' && has('csrfToken') && !forms.some(({ id }) => /^res?ponseView$/.test(id))
  // A script that would fill something in has an empty field for it.
  const whole = forms.length === 1 && form.method === 'post' && form.controls.every(({ value }) => value !== '')
  const back = whole && has('RelayState') && !has('SAMLResponse')
  return has('ppm_response') || through || back ? { kind: 'hop-form', form } : undefined
}

/** Sent by a script as soon as the page is there. */
export function selfSent(page: Page): Hop | undefined {
  if (!page.submitsItself) return undefined
  const quiet = page.forms.filter(isSilent)
  // Keycloak before Kerberos: a form with nothing in it but its address.
  const form =
    quiet.find(({ controls }) => controls.length > 0) ?? quiet.find(({ method, action }) => method === 'post' && action)
  return form && { kind: 'hop-form', form }
}

/** Nothing in it that a person would see to. */
function isSilent({ controls }: Form): boolean {
  return controls.every(({ type }) => /^(?:hidden|submit|button|image|reset)$/.test(type))
}

/** A refresh or a script, or the link of a page that waits for one. */
export function scriptHop(page: Page): Hop | undefined {
  const url = page.hop ?? page.links.find(link => /[?&]_eventId_proceed=1\b/.test(link.href))?.href
  if (url === undefined || !URL.canParse(url, page.url)) return undefined
  const to = new URL(url, page.url)
  return /[?&]_eventId=(?:cancel|reject)/i.test(to.search) ? undefined : { kind: 'hop', url: to.href }
}
