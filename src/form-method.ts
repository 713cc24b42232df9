/**
 * Second factors that a page offers beside the one it shows, and pages on which nothing is typed because something else is
 * waited for. Pure.
 */
import type { HttpRequest } from './http.ts'
import { submit, type Control, type Form, type Page } from './html.ts'
import type { Method } from './mfa-choice.ts'
import { named, typedControls } from './form-fields.ts'

export type Way = Method<HttpRequest>

/** Adapters of ADFS for the first factor, or for nothing that can be done without a browser. */
const firstFactors = /^(?:Forms|Windows|Certificate|Device)Authentication$/

/** ADFS marks the pages of its adapters: `Context`, and an `AuthMethod` that is not the password form. */
export function adapterOf(page: Page, form: Form): string | undefined {
  const method = named(form, 'AuthMethod') ?? page.loose.find(control => control.name === 'AuthMethod')
  if (!named(form, 'Context') || !method?.value) return undefined
  return firstFactors.test(method.value) ? undefined : method.value
}

/** What is waited for, by name: the page is to be sent again until it goes away. */
export function pushOf(page: Page, form: Form): string | undefined {
  if (isPrivacyIdea(form)) return named(form, 'mode')?.value === 'push' ? 'privacyIDEA push' : undefined
  return typedControls(form).length === 0 ? adapterOf(page, form) : undefined
}

/** A security key, which wants a browser. */
export function isKeyForm(form: Form): boolean {
  if (typedControls(form).length > 0 && !isPrivacyIdea(form)) return false
  if (named(form, 'authenticatorData') && named(form, 'clientDataJSON')) return true
  if (named(form, 'mfaSubmission')?.type === 'hidden') return true
  return isPrivacyIdea(form) && /^(?:webauthn|u2f|passkey)$/i.test(named(form, 'mode')?.value ?? '')
}

/** The other methods that the page offers. */
export function waysOf(page: Page): Way[] {
  return [...adapters(page), ...links(page), ...page.forms.flatMap(form => privacyIdea(page, form))]
}

/** Whatever AD FS offers, also what cannot be used here. */
export function offered(page: Page): string[] {
  return selections(page).map(({ label }) => label)
}

/** The way to the password, where ADFS offers it beside certificates and Windows. */
export function formsWay(page: Page): Way | undefined {
  return selections(page).find(({ names }) => names[0] === 'FormsAuthentication')
}

function adapters(page: Page): Way[] {
  const current = page.forms.map(form => adapterOf(page, form)).find(name => name !== undefined)
  return selections(page).filter(({ names: [name = ''] }) => name !== current && !firstFactors.test(name))
}

/** ADFS: links that put their name into `form#options` and send it. */
function selections(page: Page): Way[] {
  const forms = page.forms.filter(form => named(form, 'AuthMethod') && typedControls(form).length === 0)
  const form = forms.find(({ id }) => id === 'options') ?? forms[0]
  if (!form) return []
  const context = page.forms.map(each => named(each, 'Context')).find((control): control is Control => Boolean(control))
  return page.links.flatMap(({ id, text, onclick }) => {
    const name = /\bSelectOption\s*\(\s*(?:'([^']+)'|"([^"]+)")/.exec(onclick)?.slice(1).find(Boolean) ?? id
    if (!/\bSelectOption\b/.test(onclick) || name === '') return []
    const values = { AuthMethod: name, ...(context && { Context: context.value }) }
    return [wayOf(text || name, [name], submit(page, form, values))]
  })
}

/** SimpleSAMLphp with the module of SIL: other devices are links with their number. */
function links(page: Page): Way[] {
  return page.links.flatMap(({ href, text }) => {
    const url = URL.canParse(href, page.url) ? new URL(href, page.url) : undefined
    const id = url?.searchParams.get('mfaId')
    return url && id && url.searchParams.has('StateId') ? [wayOf(text, [id], { url: url.href })] : []
  })
}

/** SimpleSAMLphp with privacyIDEA: a script sets `mode` and says that it did. */
function privacyIdea(page: Page, form: Form): Way[] {
  if (!isPrivacyIdea(form)) return []
  const modes = [
    ['push', 'Push', 'pushAvailable'],
    ['otp', 'One-time code', 'otpAvailable'],
  ] as const
  return modes.flatMap(([mode, label, flag]) => {
    const available = /^(?:1|true)$/i.test(named(form, flag)?.value ?? '')
    if (!available || named(form, 'mode')?.value === mode) return []
    return [wayOf(label, [mode], submit(page, form, { mode, modeChanged: '1' }))]
  })
}

function isPrivacyIdea(form: Form): boolean {
  return ['mode', 'modeChanged', 'pushAvailable', 'otpAvailable'].every(name => named(form, name) !== undefined)
}

function wayOf(label: string, names: readonly string[], value: HttpRequest): Way {
  const code = /code|otp|securid|token|sms/i.test(`${label} ${names.join(' ')}`)
  return { label, names, value, code }
}
