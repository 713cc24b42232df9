/**
 * The second factor of F5 APM: a method, and a code that stays empty for a push; the answer comes when the person gave it.
 */
import { personFor, typeCodes } from './api-secret.ts'
import { chooseButton } from './form-button.ts'
import { codeOfText, formFailure, hostOf, newText } from './form-failure.ts'
import { named } from './form-fields.ts'
import { clean } from './form-text.ts'
import { allowSecret, targetOf, type Walk } from './form-walk.ts'
import { isFailure } from './errors.ts'
import { readPage, submit, type Form, type Page } from './html.ts'
import type { HttpResponse } from './http.ts'
import { chooseMethod, type Method } from './mfa-choice.ts'

/** How long the device of a person may take to answer, ms. */
const patience = 180_000

export function f5FactorForm({ forms }: Page): Form | undefined {
  return forms.find(form => named(form, 'mfamethod') && named(form, 'mfatoken'))
}

export async function answerF5Factor(walk: Walk, first: Page, firstForm: Form): Promise<HttpResponse> {
  const { context } = walk
  const host = hostOf(first)
  personFor(walk, host)
  const target = targetOf(first, firstForm)
  await allowSecret(walk, first, firstForm)
  const method = await chooseMethod(context, host, methodsOf(first, firstForm))
  let current = { page: first, form: firstForm }
  /** The next page, or what the same page says of the refusal. */
  const give = async (mfatoken: string): Promise<{ done: HttpResponse } | { refused: string }> => {
    const { page, form } = current
    const request = submit(page, form, { mfamethod: method, mfatoken }, chooseButton(form))
    // Its script remembers in this cookie that a method was chosen.
    const headers = { ...request.headers, cookie: 'f5cid00=token' }
    const response = await context.http.request({ ...request, headers, sensitive: true, timeoutMs: patience })
    context.signal.throwIfAborted()
    const next = await readPage(response)
    const again = next && f5FactorForm(next)
    if (!again) return { done: response }
    current = { page: next, form: again }
    const said = newText(page, next)
    const code = codeOfText(said)
    if (code === 'account-locked' || code === 'account-disabled') {
      throw formFailure(code, `${host} refused the second factor: ${said}`)
    }
    return { refused: said }
  }
  if (!isPush(method)) return typeCodes(walk, target, { label: named(firstForm, 'mfatoken')?.label ?? '' }, give)
  walk.last = 'code'
  context.ask.tell(`${host}: approve the sign-in on your device`)
  const outcome = await give('').catch((error: unknown) => {
    throw isFailure(error) && error.code === 'timeout' ? nobody(host, '') : error
  })
  if ('done' in outcome) return outcome.done
  const said = outcome.refused && `: ${outcome.refused}`
  if (/time[d]?[ -]?out|expired|no (?:answer|response)/i.test(said)) throw nobody(host, said)
  throw formFailure('mfa-refused', `${host} refused the second factor${said}`)
}

function nobody(host: string, said: string): Error {
  return formFailure('mfa-timeout', `${host}: nobody approved the sign-in in time${said}`)
}

function isPush(method: string): boolean {
  return /push|call|voice|phone/i.test(method)
}

/** A script puts other words into the menu: `push=>Push notification`. */
function methodsOf({ source }: Page, form: Form): Method<string>[] {
  const control = named(form, 'mfamethod')
  const options = control?.options.filter(({ disabled, value }) => !disabled && value !== '') ?? []
  // Each is looked for in the whole page.
  const listed = options.length > 0 ? options.slice(0, 50) : [{ value: control?.value || 'token', label: '' }]
  return listed.map(({ value, label }) => {
    const shown = new RegExp(`["';]${RegExp.escape(value)}=>([^;"'<>\\n]{1,80})`).exec(source)?.[1]
    return {
      value,
      label: clean(shown ?? label, 80) || value,
      names: [value, isPush(value) ? 'push' : 'passcode'],
      code: !isPush(value),
    }
  })
}
