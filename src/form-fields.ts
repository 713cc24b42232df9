/**
 * Which control is what a person would fill in: user name, password, one-time code. Pure.
 *
 * Type comes before name, since themes rename fields; names decide where types lie, as with a one-time code in a field
 * of type password, or a password in a field of type text.
 */
import type { Control, Form } from './html.ts'
import { words } from './form-text.ts'

const typed = new Set(['text', 'password', 'tel', 'number', 'email'])

/** Names as they are left by `plainName`. */
const codeNames = new Set(
  (
    'otp totp otc code token mfatoken passcode nextcode challengequestionanswer securitycode verificationcode oathcode ' +
    'safenetpassword tokencode mfasubmission mfacode ecomtoken pin duopasscode f5challenge onetimecode onetimepassword'
  ).split(' '),
)
const userNames = new Set(
  'username user login loginfmt identifier email uid userid netid ecomuserid userlogin loginname'.split(' '),
)
const passwordNames = new Set('password passwd pass pwd ecompassword passphrase'.split(' '))
const captchaNames = new Set(
  'captcha ca logincaptcha captchacode captcharesponse grecaptcharesponse hcaptcharesponse cfturnstileresponse'.split(
    ' ',
  ),
)
const codeLabel =
  /\b(?:one[- ]time|otp|totp|passcode|securid|token ?code|(?:verification|security|authenticator|authentication|access) code|[26][- ]digit)\b/i

/** `ctl00$Main$UsernameTextBox`, `j_username` and `pf.username` are all `username`. */
function plainName(name: string): string {
  const last = name.split(/[$:.]/).findLast(part => part !== '') ?? ''
  return last
    .replace(/^j_/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
    .replace(/(?:textbox|input|field)$/, '')
}

/** A control that a person can fill in or press, and that a browser would send. */
export function isUsable(control: Control): boolean {
  return !control.invisible && !control.disabled && control.name !== ''
}

/** The controls of a form that take typed text, in order. */
export function typedControls(form: Form): Control[] {
  return form.controls.filter(control => isUsable(control) && typed.has(control.type))
}

export function isCode(control: Control): boolean {
  if (!typed.has(control.type) || control.type === 'email') return false
  const name = plainName(control.name)
  if (codeNames.has(name) || control.autocomplete === 'one-time-code') return true
  return !userNames.has(name) && codeLabel.test(control.label) && !/passwor[dt]/i.test(control.label)
}

export function isCaptcha(control: Control): boolean {
  return captchaNames.has(plainName(control.name))
}

function isUserName({ autocomplete, id, name }: Control): boolean {
  // PingFederate calls it `subject`, and `identifierInput` beside that.
  return [name, id].some(each => userNames.has(plainName(each))) || /^(?:username|email)$/.test(autocomplete)
}

/** All fields for passwords, codes left out: those of type password, else those with a password's name. */
export function passwordControls(form: Form): Control[] {
  const fields = typedControls(form).filter(control => !isCode(control))
  const byType = fields.filter(control => control.type === 'password')
  return byType.length > 0 ? byType : fields.filter(control => passwordNames.has(plainName(control.name)))
}

/** Current, new and new again; or new and new again. One lone `new-password` is a site's spell against browsers. */
export function wantsNewPassword(form: Form): boolean {
  const fields = passwordControls(form)
  if (fields.length < 2) return false
  const fresh = /^(?:new|confirm|confirmation|repeat|retype|verify|again|2)$/
  return (
    fields.length > 2 ||
    fields.some(
      field => field.autocomplete === 'new-password' || words(`${field.name} ${field.label}`).some(w => fresh.test(w)),
    )
  )
}

/** The user name that goes with `password`: by name, else the nearest text field before it. */
export function userNameControl(form: Form, password?: Control): Control | undefined {
  const fields = typedControls(form).filter(
    control => control !== password && control.type !== 'password' && !isCode(control) && !isCaptcha(control),
  )
  const named = fields.find(isUserName)
  if (named || !password) return named
  const end = form.controls.indexOf(password)
  return fields.findLast(control => /^(?:text|email|tel)$/.test(control.type) && form.controls.indexOf(control) < end)
}

export function codeControl(form: Form): Control | undefined {
  return typedControls(form).find(isCode)
}

/** A field by name, whatever its type and whether shown or not. */
export function named(form: Form, name: string | RegExp): Control | undefined {
  return form.controls.find(control => (typeof name === 'string' ? control.name === name : name.test(control.name)))
}

/** What `find` finds in the first form in which it finds anything. */
export function firstOf<T>(forms: readonly Form[], find: (form: Form) => T | undefined): T | undefined {
  for (const form of forms) {
    const found = find(form)
    if (found) return found
  }
  return undefined
}
