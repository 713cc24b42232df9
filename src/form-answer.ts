/**
 * The answers to pages that ask something: which fields get which values, who is asked, what is refused.
 */
import { createHash } from 'node:crypto'
import type { HttpRequest } from './http.ts'
import { submit, type Control, type Form, type Page } from './html.ts'
import { chooseButton } from './form-button.ts'
import { organizationOf, type PageChoice, type Way } from './form-choice.ts'
import { codeOfText, formFailure, hostOf, newText, refusal } from './form-failure.ts'
import { askCode, needPerson } from './form-factor.ts'
import { isUsable } from './form-fields.ts'
import { readMemory, remember } from './form-memory.ts'
import type { Fields, PageKind } from './form-page.ts'
import { clean } from './form-text.ts'
import { allowSecret, passwordOf, pressOnce, send, targetOf, userNameOf, type Walk } from './form-walk.ts'

type Kind<K extends PageKind['kind']> = Extract<PageKind, { kind: K }>

/** Fills in user name and password, and a code where the same form wants one; once per host. */
export async function answerCredentials(
  walk: Walk,
  page: Page,
  kind: Fields & { password: Control },
): Promise<HttpRequest> {
  const target = targetOf(page, kind.form)
  if (kind.code) needPerson(walk, page)
  const before = walk.passwords.get(target.host) ?? walk.passwords.get(hostOf(page))
  if (before) throw refused(walk, before, page)
  await allowSecret(walk, page, kind.form)
  const values: Record<string, string> = {}
  if (kind.userName) values[kind.userName.name] = await userNameOf(walk)
  const organization = organizationOf(kind.form)
  if (organization?.control) values[organization.control.name] = (await chooseWay(walk, page, organization)).value ?? ''
  values[kind.password.name] = await passwordOf(walk)
  if (kind.code) values[kind.code.name] = await askCode(walk, page, kind.code)
  walk.passwords.set(target.host, page)
  walk.last = 'password'
  return send(page, kind.form, values)
}

/** A user name alone; the password comes on a page of its own. */
export async function answerIdentifier(walk: Walk, page: Page, kind: Kind<'identifier'>): Promise<HttpRequest> {
  const { host } = targetOf(page, kind.form)
  const sent = walk.passwords.get(host)
  if (sent) throw refused(walk, sent, page)
  const before = walk.userNames.get(host)
  if (before) {
    const text = newText(before, page)
    const code = codeOfText(text, walk.recipe.errorTexts) ?? 'username-refused'
    throw formFailure(code, `${host} did not accept the user name${text && `: ${text}`}`)
  }
  await allowSecret(walk, page, kind.form)
  walk.userNames.set(host, page)
  return send(page, kind.form, { [kind.userName.name]: await userNameOf(walk) })
}

export async function answerConsent(walk: Walk, page: Page, kind: Kind<'consent'>): Promise<HttpRequest> {
  const { ask, settings, store } = walk.context
  const host = hostOf(page)
  const title = clean(page.title, 100) || 'consent'
  if (settings.consent === 'refuse')
    throw formFailure('consent-refused', `${host} asks for consent (${title}), which the settings refuse`)
  const print = fingerprint(page, kind.form)
  pressOnce(walk, page, `consent ${print}`)
  if (settings.consent !== 'accept' && !readMemory(store).consents.includes(print)) {
    ask.tell(clean(page.text, 1500))
    if (!(await ask.confirm(`${host} asks for consent: ${title}. Accept?`, false))) {
      throw formFailure('consent-refused', `the consent that ${host} asks for was refused`)
    }
    remember(store, memory => ({ consents: [...memory.consents, print] }))
  }
  return submit(page, agreed(kind.form), {}, kind.button)
}

export async function answerChoice(walk: Walk, page: Page, kind: PageChoice): Promise<HttpRequest> {
  pressOnce(walk, page, `choice ${kind.ways.map(way => way.label).join()}`)
  const way = await chooseWay(walk, page, kind)
  if (way.button || !kind.control) return submit(page, kind.form, {}, way.button)
  const { control } = kind
  const value = way.value ?? ''
  if (control.type !== 'radio') return submit(page, kind.form, { [control.name]: value }, chooseButton(kind.form))
  const controls = kind.form.controls.map(c => (c.name === control.name ? { ...c, checked: c.value === value } : c))
  return submit(page, { ...kind.form, controls }, {}, chooseButton(kind.form))
}

/** The configured way, the one there is, the one chosen last time when nobody can be asked, or the person's choice. */
export async function chooseWay(walk: Walk, page: Page, choice: Pick<PageChoice, 'about' | 'ways'>): Promise<Way> {
  const { ask, log, mode, settings, store } = walk.context
  const { host } = new URL(page.url)
  const byName = (name: string | undefined): Way | undefined =>
    name ? choice.ways.find(way => way.names.some(own => own.toLowerCase() === name.toLowerCase())) : undefined
  const [only, ...others] = choice.ways
  if (only && others.length === 0) return only
  const wish = choice.about === 'source' ? settings.authSource : settings.organization
  const key = `${host} ${choice.about}`
  const found = byName(wish) ?? (mode === 'refresh' ? byName(readMemory(store).choices[key]) : undefined)
  if (found) return found
  const what = choice.about === 'source' ? 'sign-in source' : 'organisation'
  if (wish)
    log.warn(`${host} offers no ${what} “${clean(wish, 60)}”`, choice.ways.map(way => clean(way.label, 60)).join(', '))
  const choices = choice.ways.map(way => ({ value: way, label: clean(way.label, 100) }))
  const chosen = await ask.choose(`Choose the ${what} (${host})`, choices)
  remember(store, memory => ({ choices: { ...memory.choices, [key]: chosen.names[0] ?? chosen.label } }))
  return chosen
}

/** The page asks again for what it was given: a refusal, whatever it says. */
function refused(walk: Walk, before: Page, page: Page): Error {
  if (walk.last !== 'code') return refusal(before, page, walk.recipe.errorTexts)
  const text = newText(before, page)
  const code = codeOfText(text, walk.recipe.errorTexts) ?? 'mfa-refused'
  return formFailure(code, `${hostOf(page)} refused the one-time code${text && `: ${text}`}`)
}

/** Terms of use want a box ticked; attributes come ticked already, and what the person unticked before stays so. */
function agreed(form: Form): Form {
  const boxes = form.controls.filter(
    control => control.type === 'checkbox' && isUsable(control) && /consentIds$|accept|agree|terms/i.test(control.name),
  )
  if (boxes.some(box => box.checked)) return form
  return {
    ...form,
    controls: form.controls.map(control => (boxes.includes(control) ? { ...control, checked: true } : control)),
  }
}

/** The same question, wherever its one-time tokens differ. */
function fingerprint(page: Page, form: Form): string {
  const { host, pathname } = new URL(page.url)
  const asked = form.controls.map(({ name, value }) => (name.endsWith('consentIds') ? `${name}=${value}` : name))
  return createHash('sha256')
    .update(JSON.stringify([host, pathname, page.title, asked]))
    .digest('hex')
}
