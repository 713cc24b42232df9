/**
 * What a page is, judged by its fields and never by its address, title or place in the walk. Pure: one page in, one
 * answer out, first match wins.
 */
import type { Control, Form, Page } from './html.ts'
import { chooseButton, isNegative, isPositive, submitButtons } from './form-button.ts'
import { choiceOf, type PageChoice } from './form-choice.ts'
import {
  codeControl,
  firstOf,
  isCaptcha,
  isUsable,
  named,
  passwordControls,
  typedControls,
  userNameControl,
  wantsNewPassword,
} from './form-fields.ts'
import { adapterOf, formsWay, isKeyForm, offered, pushOf, waysOf, type Way } from './form-method.ts'
import { pingIdOf, type PingIdPage } from './form-pingid.ts'
import { duoOf, isDuo, type DuoPage } from './mfa-duo.ts'
import { protocolHop, scriptHop, selfSent, type Hop } from './form-hop.ts'
import { readSamlResponse, type SamlResponse } from './form-saml.ts'

/** The fields of a form to be filled in; absent ones are not on the page. */
export interface Fields {
  readonly form: Form
  readonly userName?: Control
  readonly password?: Control
  readonly code?: Control
}

export type PageKind =
  /** A signed answer; `form` says where it goes. */
  | { readonly kind: 'response'; readonly form: Form; readonly response: SamlResponse }
  | Hop
  /** Duo's frame or one of Duo's own pages. */
  | { readonly kind: 'duo'; readonly duo: DuoPage }
  | { readonly kind: 'pingid'; readonly ping: PingIdPage }
  /** Nothing to type: the form is sent again until somebody approved elsewhere. */
  | { readonly kind: 'push'; readonly form: Form; readonly name: string }
  /** A second factor that cannot be answered here, or none yet, and the ways to others; `forms` leads to the password. */
  | { readonly kind: 'method'; readonly name: string; readonly ways: readonly Way[]; readonly forms?: Way }
  /** `name`: the identity provider's word for the method. */
  | ({ readonly kind: 'code'; readonly name: string; readonly code: Control } & Fields)
  | { readonly kind: 'new-password' }
  | { readonly kind: 'captcha' }
  | ({ readonly kind: 'credentials'; readonly password: Control } & Fields)
  | ({ readonly kind: 'identifier'; readonly userName: Control } & Fields)
  | { readonly kind: 'consent'; readonly form: Form; readonly button: Control | undefined }
  | PageChoice
  /** Nothing to decide: one way leads on. */
  | { readonly kind: 'continue'; readonly form: Form; readonly button: Control | undefined }
  | { readonly kind: 'failure' }
  | { readonly kind: 'unknown' }

export function classify(page: Page): PageKind {
  const shown = page.forms.filter(form => !form.invisible && !isErrorReport(form))
  return (
    response(page) ??
    protocolHop(page) ??
    otherFactor(page) ??
    firstOf(shown, form => factor(page, form)) ??
    firstOf(shown, form => credentials(page, form)) ??
    firstOf(shown, identifier) ??
    methods(page) ??
    consent(page, shown) ??
    firstOf(shown, choiceOf) ??
    selfSent(page) ??
    scriptHop(page) ??
    duoAtLeast(page) ??
    firstOf(shown, onlyContinue) ??
    (looksLikeFailure(page) ? { kind: 'failure' } : undefined) ??
    firstOf(shown, form => interstitial(form, shown)) ?? { kind: 'unknown' }
  )
}

function response(page: Page): PageKind | undefined {
  return firstOf(page.forms, form => {
    for (const control of form.controls) {
      if (control.name !== 'SAMLResponse' || control.value.trim() === '') continue
      const read = readSamlResponse(control.value)
      if (read) return { kind: 'response', form, response: read }
    }
    return undefined
  })
}

/** The frame of Duo where it is in use, the prompts of Duo and PingID; a key where nothing can be typed instead. */
function otherFactor(page: Page): PageKind | undefined {
  const duo = duoOf(page)
  if (duo) return { kind: 'duo', duo }
  const ping = pingIdOf(page)
  if (ping) return { kind: 'pingid', ping }
  // Log-in pages offer a passkey beside the password.
  const typed = page.forms.some(
    form => !isKeyForm(form) && (codeControl(form) ?? passwordControls(form)[0] ?? userNameControl(form)),
  )
  return page.forms.some(isKeyForm) && !typed ? methodPage(page, 'a security key') : undefined
}

/** Whatever Duo shows beside its prompts. */
function duoAtLeast({ url }: Page): PageKind | undefined {
  return isDuo(new URL(url).hostname)
    ? { kind: 'duo', duo: { stage: 'other', name: 'a prompt that is not known here' } }
    : undefined
}

/** Left by one of the ways that it offers, if there is one. */
function methodPage(page: Page, name: string): PageKind {
  return { kind: 'method', name, ways: waysOf(page) }
}

/** Before `credentials`, because code pages like to use fields of type password. */
function factor(page: Page, form: Form): PageKind | undefined {
  const push = pushOf(page, form)
  if (push !== undefined) return { kind: 'push', form, name: push }
  const adapter = adapterOf(page, form)
  const code = codeControl(form) ?? (adapter === undefined ? undefined : typedControls(form)[0])
  if (!code) return undefined
  const password = passwordControls(form).find(control => control !== code)
  const userName = userNameControl(form, code)
  // With all three fields it is a log-in page that wants the code at once.
  if (password && userName) return undefined
  return {
    kind: 'code',
    name: adapter ?? 'otp',
    form,
    code,
    ...(password && { password }),
    ...(userName && { userName }),
  }
}

/** Nothing but names of methods. */
function methods(page: Page): PageKind | undefined {
  if (page.forms.some(form => typedControls(form).length > 0)) return undefined
  const [forms, all] = [formsWay(page), offered(page)]
  return all.length === 0
    ? undefined
    : { kind: 'method', name: all.join(', '), ways: waysOf(page), ...(forms && { forms }) }
}

function credentials(page: Page, form: Form): PageKind | undefined {
  const password = passwordControls(form)[0]
  if (!password) return undefined
  if (wantsNewPassword(form)) return { kind: 'new-password' }
  const widget = /\bclass\s*=\s*["'][^"'<>]*\b(?:g-recaptcha|h-captcha|cf-turnstile)\b/i.test(page.source)
  if (widget || form.controls.some(control => isCaptcha(control) && control.value === '')) return { kind: 'captcha' }
  const userName = userNameControl(form, password)
  const code = codeControl(form)
  return { kind: 'credentials', form, password, ...(userName && { userName }), ...(code && { code }) }
}

/** A user name alone, and a way on. Search boxes, address forms and forgotten passwords are none. */
function identifier(form: Form): PageKind | undefined {
  const userName = userNameControl(form)
  if (!userName || typedControls(form).length !== 1 || /forgot|reset|regist|recover/i.test(form.action ?? ''))
    return undefined
  if (form.controls.some(control => control.type === 'textarea')) return undefined
  return { kind: 'identifier', form, userName }
}

const consentFields = /^(?:_shib_idp_consentIds|saveconsent|consent(?:_accepted)?|accept_terms|terms_accepted)$/

/** Release of attributes, terms of use: something a person agrees to, or a pair of yes and no. */
function consent(page: Page, forms: readonly Form[]): PageKind | undefined {
  const refusal = forms.some(form => submitButtons(form).some(button => isNegative(`${button.name} ${button.value}`)))
  return firstOf(forms, form => {
    if (typedControls(form).length > 0) return undefined
    const yes = submitButtons(form).find(isPositive)
    if (!yes) return undefined
    const asks = form.controls.some(control => consentFields.test(control.name))
    const pair = named(form, 'StateId') && yes.name === 'yes'
    const terms =
      refusal && /_?(?:terms|consent|attribute|agree|accept)/i.test(`${yes.name} ${page.title} ${form.action ?? ''}`)
    return asks || pair || terms ? { kind: 'consent', form, button: chooseButton(form) } : undefined
  })
}

/** Hidden fields and a button of that very name, as on SimpleSAMLphp's "too short interval" page. */
function onlyContinue(form: Form): PageKind | undefined {
  const [button, ...others] = submitButtons(form)
  if (!button || others.length > 0 || button.name !== 'continue') return undefined
  return form.controls.every(c => c.type === 'hidden' || c === button) ? { kind: 'continue', form, button } : undefined
}

/** "Continue" and nothing else to do. */
function interstitial(form: Form, forms: readonly Form[]): PageKind | undefined {
  if (/[?&/](?:logout|signout|slo)\b/i.test(form.action ?? '')) return undefined
  const typedIn = typedControls(form)
  // Shibboleth's impersonation page goes on as oneself when nobody is named.
  const onlyPrincipal = typedIn.every(control => control.name === 'principal') && named(form, /^_eventId_impersonate$/)
  if (typedIn.length > 0 && !onlyPrincipal) return undefined
  if (form.controls.some(control => /^(?:textarea|file|select)$/.test(control.type) && isUsable(control)))
    return undefined
  const buttons = submitButtons(form)
  const button = chooseButton(form)
  if (!button) return undefined
  const lonely = forms.length === 1 && buttons.length === 1 && form.controls.some(control => control.type === 'hidden')
  return isPositive(button) || lonely ? { kind: 'continue', form, button } : undefined
}

/** The form of an error page that mails a report to the help desk is never filled in. */
export function isErrorReport(form: Form): boolean {
  return (
    named(form, 'reportId') !== undefined ||
    (named(form, 'email') !== undefined && form.controls.some(c => c.type === 'textarea'))
  )
}

const failureTitle =
  /\b(?:error|denied|failed|failure|forbidden|not found|stale request|unable to respond|unsupported request|invalid event|uncaught exception|prevented|refused|locked|fehler|erreur|errore|fout|feil)\b/i

function looksLikeFailure(page: Page): boolean {
  if (page.forms.some(isErrorReport)) return true
  return page.errors.length > 0 || failureTitle.test(page.title) || (page.status >= 400 && page.text !== '')
}
