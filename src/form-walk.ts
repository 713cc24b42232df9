/**
 * One sign-in under way: what was sent where, what may be sent where, and what must never be shown.
 */
import { isInward, type HttpRequest, type HttpResponse } from './http.ts'
import { submit, type Form, type Page } from './html.ts'
import type { ProviderContext } from './provider.ts'
import type { Assertion } from './types.ts'
import { failure } from './errors.ts'
import { keepSecret } from './log.ts'
import { chooseButton } from './form-button.ts'
import { formFailure, hostOf, type ErrorTexts, type FormCode } from './form-failure.ts'
import { named } from './form-fields.ts'
import { readMemory, remember } from './form-memory.ts'
import { withoutSecrets } from './form-report.ts'
import { clean, isPrivateWay, place } from './form-text.ts'

/** All that tells one form-driven provider from another. */
export interface FormRecipe {
  /** Where the walk begins; fails with `config` when the settings do not say. */
  entry(settings: ProviderContext['settings']): string
  /** The user name as the pages want it. */
  userName?(name: string, settings: ProviderContext['settings']): string
  /**
   * The page as this vendor means it, with what only its scripts would set; rejects where it wants something that is not
   * signing in.
   */
  read?(walk: Walk, page: Page): Promise<Page>
  /** A finer name for an error page than its words alone allow. */
  judge?(page: Page): FormCode | undefined
  readonly errorTexts?: ErrorTexts
  /** Hosts that are the provider's own whatever the entry is. */
  readonly ownHosts?: readonly string[]
  /** Answers what no form does: pages that a script of the vendor would answer by its API. `undefined`: by its forms. */
  answer?(walk: Walk, page: Page): Promise<HttpRequest | HttpResponse | Assertion | undefined>
}

export interface Walk {
  readonly context: ProviderContext
  readonly recipe: FormRecipe
  readonly entry: URL
  /** Passwords and codes that were typed or read; never shown, never stored. */
  readonly secrets: string[]
  /** By host: the page that the password was sent from; none where an API took it. */
  readonly passwords: Map<string, Page | undefined>
  /** By host: the page that the user name alone was sent from. */
  readonly userNames: Map<string, Page>
  /** By host and field: codes sent so far, and the page of the last one. */
  readonly codes: Map<string, { readonly count: number; readonly page: Page }>
  /** Buttons and links that were followed and may not be followed again. */
  readonly pressed: Set<string>
  /** The last secret that was sent. */
  last: 'password' | 'code' | undefined
  restarted: boolean
  userName: string
  password: string | undefined
}

export function beginWalk(context: ProviderContext, recipe: FormRecipe): Walk {
  const entry = new URL(recipe.entry(context.settings))
  const walk: Walk = {
    context: {
      ...context,
      http: {
        ...context.http,
        request(request) {
          checkLeaving(walk, request)
          return context.http.request(request)
        },
      },
    },
    recipe,
    entry,
    secrets: [],
    passwords: new Map(),
    userNames: new Map(),
    codes: new Map(),
    pressed: new Set(),
    last: undefined,
    restarted: false,
    userName: context.username,
    password: undefined,
  }
  return walk
}

/**
 * The last gate, whatever led to the request: the password leaves for approved hosts alone, and never in an address. One
 * under six characters occurs in anything.
 */
function checkLeaving(walk: Walk, { url, body }: HttpRequest): void {
  const { password } = walk
  if (password === undefined || password.length < 6) return
  const target = new URL(url)
  if ([...target.searchParams.values()].includes(password))
    throw formFailure('insecure', `${target.host} would get the password in an address`)
  if (isApproved(walk, target)) return
  const sent = typeof body === 'string' ? body : new TextDecoder().decode(body)
  if (withoutSecrets(sent, [password]) !== sent)
    throw formFailure('foreign-host', `the sign-in would send the password to ${target.host}, unasked`)
}

/** From the entry again, as a browser whose session was lost; nothing that was sent before has been judged. */
export function restart(walk: Walk): HttpRequest {
  walk.restarted = true
  walk.passwords.clear()
  walk.userNames.clear()
  walk.pressed.clear()
  walk.last = undefined
  return { url: walk.entry.href }
}

/** Marks a step that leads on once; fails when the page comes back after it. */
export function pressOnce(walk: Walk, page: Page, what: string): void {
  const { host } = new URL(page.url)
  const step = `${host} ${what} ${page.text}`
  if (walk.pressed.has(step)) {
    throw formFailure('idp-error', `${host} shows “${clean(page.title, 100)}” again although it was answered`)
  }
  walk.pressed.add(step)
}

/**
 * Passwords and codes go over https (or to this machine), in a body, to the entry host or to a host that the person
 * approved once.
 */
export async function allowSecret(walk: Walk, page: Page, form: Form): Promise<void> {
  const { url, method } = pressed(page, form)
  const target = new URL(url)
  if (method !== 'POST')
    throw formFailure('insecure', `the sign-in form of ${target.host} would put the password into the address`)
  await allowHost(walk, target)
}

/** The same for what is sent without a form. */
export async function allowHost(walk: Walk, target: URL): Promise<void> {
  const { context, entry } = walk
  if (!isPrivateWay(target))
    throw formFailure('insecure', `the sign-in wants the password sent to ${place(target.href)}, unencrypted`)
  if (isApproved(walk, target)) return
  const facts = `${entry.host} sends the sign-in on to ${target.host}`
  if (context.mode === 'refresh') {
    throw failure('person', `${facts}, which nobody has approved`, { code: 'foreign-host', hint: 'cloudtoken' })
  }
  const yes = await context.ask.confirm(`${facts}. Enter your password or code there?`, false)
  if (!yes) throw formFailure('foreign-host', `${facts}, which was not approved`)
  remember(context.store, memory => ({ hosts: [...memory.hosts, approval(walk, target)] }))
}

function isApproved(walk: Walk, target: URL): boolean {
  if (target.host === walk.entry.host || walk.recipe.ownHosts?.includes(target.host)) return true
  return readMemory(walk.context.store).hosts.includes(approval(walk, target))
}

function approval({ entry }: Walk, { host }: URL): string {
  return `${entry.host} ${host}`
}

export async function userNameOf(walk: Walk): Promise<string> {
  const { context, recipe } = walk
  walk.userName ||= await context.ask.text('User name')
  return recipe.userName?.(walk.userName, context.settings) ?? walk.userName
}

export async function passwordOf(walk: Walk): Promise<string> {
  walk.password ??= await walk.context.password()
  if (walk.password === '') throw failure('config', 'the password is empty', { hint: 'cloudtoken --password-prompt' })
  return hide(walk, walk.password)
}

/** From here on the value appears in no log, no message and no saved page. */
export function hide(walk: Walk, secret: string): string {
  keepSecret(secret)
  if (!walk.secrets.includes(secret)) walk.secrets.push(secret)
  return secret
}

/** The form filled in, with what the scripts of its page would add. */
export function send(page: Page, form: Form, values: Record<string, string>): HttpRequest {
  // PingFederate's link sets this field by script before it submits.
  const ping = named(form, 'pf.ok') ? { 'pf.ok': 'clicked' } : {}
  return {
    ...submit(page, form, { ...ping, ...methodBeside(page, form), ...values }, chooseButton(form)),
    sensitive: true,
  }
}

export function targetOf(page: Page, form: Form): URL {
  return new URL(pressed(page, form).url)
}

/** As `send` sends it, without the values: its button may lead elsewhere than its form says, or by another method. */
function pressed(page: Page, form: Form): HttpRequest {
  return submit(page, form, {}, chooseButton(form))
}

/** ADFS 2019 keeps the name of the method outside of the form; servers that register devices insist on it. */
function methodBeside({ forms, loose }: Page, form: Form): Record<string, string> {
  if (named(form, 'AuthMethod')) return {}
  const beside = loose.find(({ name }) => name === 'AuthMethod')
  const options = forms.some(
    ({ id, controls }) => id === 'options' && controls.some(({ name }) => name === 'AuthMethod'),
  )
  return beside || options ? { AuthMethod: beside?.value || 'FormsAuthentication' } : {}
}

/**
 * What a page sends on by itself may hold tokens and assertions: never from https into the clear. And no page from elsewhere
 * speaks to the servers of this machine by way of us.
 */
export function onward(page: Page, request: HttpRequest): HttpRequest {
  const target = new URL(request.url)
  if (!/^https?:$/.test(target.protocol) || (!isPrivateWay(target) && isPrivateWay(new URL(page.url)))) {
    throw formFailure('insecure', `${hostOf(page)} leads on to ${place(request.url)}, which is not https`)
  }
  if (isInward(target.hostname) && !isInward(new URL(page.url).hostname))
    throw formFailure('insecure', `${hostOf(page)} leads to this machine, ${place(request.url)}`, 'check --url')
  return request
}
