/**
 * The answers to pages of a second factor: codes, waiting for an approval, the choice among methods. In the background
 * none of them is answered: a page that wants a person ends the session.
 */
import type { HttpRequest, HttpResponse } from './http.ts'
import { readPage, submit, type Control, type Form, type Page } from './html.ts'
import { chooseButton, isPositive } from './form-button.ts'
import { codeOfText, formFailure, hostOf, newText } from './form-failure.ts'
import { waysOf, type Way } from './form-method.ts'
import { classify, type PageKind } from './form-page.ts'
import { scrubText } from './form-report.ts'
import { clean } from './form-text.ts'
import { allowSecret, hide, onward, passwordOf, pressOnce, send, targetOf, userNameOf, type Walk } from './form-walk.ts'
import { chooseMethod, methodsNamed, wishedMethod } from './mfa-choice.ts'
import { codeFor } from './mfa-code.ts'
import { awaitApproval, type Notice } from './mfa-push.ts'

type Kind<K extends PageKind['kind']> = Extract<PageKind, { kind: K }>

const maxCodes = 3
/** Adapters that answer a post only after the person did. */
const patience = 180_000

/** Fails in the background, where nobody is there for a second factor. */
export function needPerson({ context }: Walk, page: Page): void {
  if (context.mode === 'refresh') throw formFailure('idp-session-ended', `${hostOf(page)} wants a second factor`)
}

/** A new code for every request; a code that was sent is spent. */
export async function answerCode(walk: Walk, page: Page, kind: Kind<'code'>): Promise<HttpRequest> {
  needPerson(walk, page)
  const other = wishedWay(walk, page, kind.name)
  if (other) return other
  const target = targetOf(page, kind.form)
  const key = `${target.host} ${kind.code.name}`
  const sent = walk.codes.get(key)
  if (sent) {
    const text = newText(sent.page, page)
    const code = codeOfText(text, walk.recipe.errorTexts)
    const stop = code === 'account-locked' || code === 'account-disabled' || code === 'no-access'
    const message = `${target.host} refused the one-time code${text && `: ${scrubText(text, walk.secrets)}`}`
    if (stop || sent.count >= maxCodes) throw formFailure(stop ? code : 'mfa-refused', message)
    walk.context.ask.tell(message)
  }
  await allowSecret(walk, page, kind.form)
  const values: Record<string, string> = {}
  if (kind.userName && kind.userName.value === '') values[kind.userName.name] = await userNameOf(walk)
  // A page of one's own password and a code; after a log-in page on the same host only the code is wanted.
  if (kind.password && !walk.passwords.has(target.host)) {
    values[kind.password.name] = await passwordOf(walk)
    walk.passwords.set(target.host, page)
  }
  values[kind.code.name] = await askCode(walk, page, kind.code)
  walk.codes.set(key, { count: (sent?.count ?? 0) + 1, page })
  walk.last = 'code'
  return send(page, kind.form, values)
}

export async function askCode(walk: Walk, page: Page, { label, type }: Control): Promise<string> {
  const question = { host: hostOf(page), label, hidden: type === 'password', sent: walk.secrets }
  return hide(walk, await codeFor(walk.context, question))
}

/** Sends the page again, each time with the fields of the last answer, until another page comes. */
export async function answerPush(walk: Walk, page: Page, kind: Kind<'push'>): Promise<HttpRequest | HttpResponse> {
  needPerson(walk, page)
  const other = wishedWay(walk, page, kind.name)
  if (other) return other
  let current: { page: Page; form: Form } = { page, form: kind.form }
  checkDenied(walk, undefined, page)
  walk.last = 'code'
  // This one comes up with its field only when it is asked once.
  const first = kind.name.startsWith('SecurIDv2') ? {} : noticeOf(page)
  const wait = { host: hostOf(page), what: clean(kind.name, 60), first, atOnce: true }
  return awaitApproval(walk.context, wait, async () => {
    const request = onward(current.page, submit(current.page, current.form, {}, goingOn(current.form)))
    const response = await walk.context.http.request({ ...request, timeoutMs: patience })
    const next = await readPage(response)
    const again = next && classify(next)
    if (!next || again?.kind !== 'push' || again.name !== kind.name) return { done: response }
    checkDenied(walk, current.page, next)
    current = { page: next, form: again.form }
    return noticeOf(next)
  })
}

/** The page itself can only be left: by one of the ways it offers. */
export async function answerMethod(
  walk: Walk,
  page: Page,
  { ways, forms, name }: Kind<'method'>,
): Promise<HttpRequest> {
  // Before any password was sent, ADFS offers ways to sign in at all.
  if (forms && walk.passwords.size === 0) return press(walk, page, forms)
  needPerson(walk, page)
  const left = ways.filter(way => !walk.pressed.has(stepOf(page, way)))
  if (left.length === 0) {
    throw formFailure(
      'mfa-unsupported',
      `${hostOf(page)} wants a second factor that needs a browser: ${clean(name, 60)}`,
    )
  }
  const values = left.map(way => ({ ...way, value: way }))
  return press(walk, page, await chooseMethod(walk.context, hostOf(page), values))
}

/** Another way than the one the page shows, where `--mfa-method` names it. */
function wishedWay(walk: Walk, page: Page, current: string): HttpRequest | undefined {
  const wish = wishedMethod(walk.context)
  if (wish === undefined || walk.last === 'code' || current.toLowerCase() === wish.toLowerCase()) return undefined
  const way = methodsNamed(waysOf(page), wish).find(each => !walk.pressed.has(stepOf(page, each)))
  return way && press(walk, page, way)
}

function press(walk: Walk, page: Page, way: Way): HttpRequest {
  walk.pressed.add(stepOf(page, way))
  pressOnce(walk, page, `method ${way.label}`)
  return onward(page, way.value)
}

function stepOf(page: Page, { names, label }: Way): string {
  return `${hostOf(page)} method ${names[0] ?? label}`
}

/** A script sends the form without a button; one that says in so many words that it leads on is pressed. */
function goingOn(form: Form): Control | undefined {
  const button = chooseButton(form)
  return button && isPositive(button) ? button : undefined
}

function noticeOf({ texts, text }: Page): Notice {
  const instructions = texts.get('instructions') || texts.get('message') || clean(text, 200)
  return { message: instructions, number: texts.get('validEntropyNumber') }
}

/** Only what stands in an error element, or what the provider's own words for it say, is a refusal. */
function checkDenied({ recipe, secrets }: Walk, before: Page | undefined, page: Page): void {
  const fresh = page.errors.filter(text => !before?.errors.includes(text)).join('; ')
  const code = codeOfText(fresh || page.text, recipe.errorTexts)
  if (fresh === '' && !code?.startsWith('mfa-')) return
  const said = scrubText(clean(fresh || page.text, 200), secrets)
  const known = code === 'mfa-timeout' || code === 'account-locked' || code === 'account-disabled' ? code : undefined
  throw formFailure(known ?? 'mfa-refused', `${hostOf(page)} refused the second factor: ${said}`)
}
