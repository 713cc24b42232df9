/**
 * Keycloak, from the days of `/auth/realms` to now. Its log-in and error pages are understood like anybody's; what is its
 * own are the choice between several authenticators and the things it wants done before it lets a person in.
 */
import { failure } from './errors.ts'
import { formProvider } from './form-login.ts'
import { formFailure, hostOf, type FormCode } from './form-failure.ts'
import { named } from './form-fields.ts'
import { clean, textOf } from './form-text.ts'
import type { Walk } from './form-walk.ts'
import type { Control, Form, Page } from './html.ts'
import type { Settings } from './options.ts'
import { chooseMethod } from './mfa-choice.ts'
import { entryUrl } from './provider-form.ts'

export const keycloak = formProvider(
  { name: 'keycloak', summary: 'Keycloak, and Red Hat build of Keycloak' },
  { entry, read, judge },
)

/** The address that the client for AWS has under "IDP-Initiated SSO URL name". */
function entry(settings: Settings): string {
  const example = 'https://idp.example/realms/REALM/protocol/saml/clients/amazon-aws'
  const url = entryUrl(settings.url, example)
  if (/\/protocol\/saml\/clients\/[^/]+\/?$/.test(url.pathname) || url.search !== '') return url.href
  throw failure('config', `${url.host}${url.pathname} is not the address of a client for AWS`, {
    hint: `cloudtoken --url '${/^(.*\/realms\/[^/]+)/.exec(url.href)?.[1] ?? `${url.origin}/realms/REALM`}/protocol/saml/clients/NAME'`,
    code: 'url-invalid',
  })
}

const expired = 'loginRestartLink'

/** What Keycloak wants done, by the form that asks for it. */
const chores: readonly (readonly [form: RegExp, what: string])[] = [
  [/^kc-totp-settings-form$/, 'wants an authenticator app set up'],
  [/^kc-(?:update|idp-review|register)\w*-(?:profile-)?form$/, 'wants the profile of the account completed'],
  [/^kc-update-email-form$/, 'wants a new e-mail address'],
  [/^kc-recovery-codes-settings-form$/, 'wants recovery codes written down'],
]

async function read(walk: Walk, page: Page): Promise<Page> {
  // It has no form, and no status that tells.
  if (isExpired(page)) return { ...page, errors: ['the page has expired'] }
  for (const [id, what] of chores) {
    if (!page.forms.some(form => id.test(form.id))) continue
    throw formFailure('action-required', `${hostOf(page)} ${what} before it lets you in`)
  }
  const form = page.forms.find(({ controls }) => controls.some(({ name }) => name === field))
  if (!form || walk.context.mode === 'refresh') return page
  const devices = devicesOf(page, form)
  if (devices.length < 2) return page
  const id = await deviceFor(walk, page, devices)
  return { ...page, forms: page.forms.map(each => (each === form ? withDevice(form, id) : each)) }
}

function isExpired({ links }: Page): boolean {
  return links.some(({ id }) => id === expired)
}

function judge(page: Page): FormCode | undefined {
  if (isExpired(page)) return 'state-lost'
  const atEntry = /\/protocol\/saml(?:\/|$)/.test(new URL(page.url).pathname)
  return atEntry && (page.status === 400 || page.status === 404) ? 'sp-unknown' : undefined
}

interface Device {
  readonly id: string
  readonly label: string
}

const field = 'selectedCredentialId'

/** The answer within one sign-in: a mistyped code is asked for again, the device is not. */
const chosen = new WeakMap<Walk, string>()

async function deviceFor(walk: Walk, page: Page, devices: readonly Device[]): Promise<string> {
  const before = chosen.get(walk)
  if (before !== undefined && devices.some(({ id }) => id === before)) return before
  const methods = devices.map(({ id, label }) => ({ value: id, label, names: [], code: true }))
  const id = await chooseMethod(walk.context, hostOf(page), methods)
  chosen.set(walk, id)
  return id
}

/** Radio buttons; since version 24 tiles, whose script sets a hidden field. */
function devicesOf(page: Page, form: Form): Device[] {
  const radios = form.controls.filter(({ name, type }) => name === field && type === 'radio')
  if (radios.length > 0) return radios.map(({ value, label }, index) => deviceOf(value, label, index))
  if (named(form, field)?.type !== 'hidden') return []
  const tiles = page.source.matchAll(
    /onclick\s*=\s*"toggleOTP\(\s*\d+\s*,\s*'([\w-]+)'\s*\)"[^<>]*>(.{0,2000}?)<\/div>/gis,
  )
  return [...tiles].map(([, id = '', inside = ''], index) => deviceOf(id, textOf(inside), index))
}

function deviceOf(id: string, label: string, index: number): Device {
  return { id, label: clean(label, 60) || `device ${index + 1}` }
}

function withDevice(form: Form, id: string): Form {
  const set = (control: Control): Control => {
    if (control.name !== field) return control
    return control.type === 'radio' ? { ...control, checked: control.value === id } : { ...control, value: id }
  }
  return { ...form, controls: form.controls.map(set) }
}
