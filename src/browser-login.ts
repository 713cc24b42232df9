/**
 * Signing in through the browser that the person already has. It shows the identity provider's own pages, so everything
 * that works in a browser works here; the SAMLResponse is taken from the request to AWS, which never leaves the browser.
 */
import { accessSync, constants, statSync } from 'node:fs'
import process from 'node:process'
import { isAwsSignIn, partitions } from './arn.ts'
import { forgetSessionCookies, keepSessionCookies, restoreSessionCookies } from './browser-cookies.ts'
import { findBrowser, type InstalledBrowser } from './browser-find.ts'
import { asFields, type DevTools, type Fields } from './browser-pipe.ts'
import { startBrowser } from './browser-process.ts'
import { watchPage, type Sight } from './browser-watch.ts'
import { codeOf, failure, isFailure, type Failure } from './errors.ts'
import { makePrivate, withLock } from './files.ts'
import { formFailure } from './form-failure.ts'
import { readSamlResponse } from './form-saml.ts'
import { clean, place } from './form-text.ts'
import type { ProviderContext, Store } from './provider.ts'
import type { Assertion } from './types.ts'

const profileFolder = 'browser'

export interface BrowserMachine {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: NodeJS.Platform
  readonly isProgram: (file: string) => boolean
  /** How long a page without a window may ask for something before it counts as asking a person, ms. */
  readonly quietMs: number
  /** The longest renewal without a window, ms. */
  readonly silentMs: number
  /** How long to wait for another cloudtoken that uses the same profile, ms. */
  readonly lockMs: number
}

const thisMachine: BrowserMachine = {
  env: process.env,
  platform: process.platform,
  isProgram,
  // Scripts that sign in by themselves show their form for a moment.
  quietMs: 5000,
  silentMs: 60_000,
  lockMs: 10_000,
}

/**
 * Opens `entry` in a window, or without one in `refresh`, under `--headless`, and where nobody can be asked. Fails with
 * code `browser-missing`, `browser-failed`, `browser-busy`, `browser-no-screen`, `browser-closed`, `browser-timeout` or
 * `idp-session-ended`, and with kind `network` where the identity provider does not answer.
 */
export async function browserLogin(
  context: ProviderContext,
  entry: URL,
  machine: BrowserMachine = thisMachine,
): Promise<Assertion> {
  const { settings, store, mode, ask } = context
  const window = mode === 'login' && !settings.headless && ask.interactive !== false
  const profile = store.pathOf?.(profileFolder)
  if (profile === undefined) throw failure('unexpected', 'there is no folder for the profile of the browser')
  const browser = findBrowser(settings.browserPath, machine)
  if (window) checkScreen(machine)
  makePrivate(profile)
  const work = (): Promise<Assertion> => signIn(context, { ...machine, window, profile, browser, entry })
  return await withLock(profile, work, machine.lockMs).catch((error: unknown) => {
    throw isFailure(error) && codeOf(error.cause) === 'ELOCKED' ? busy(error) : error
  })
}

/** The profile and the cookies; the host removes nothing but its own. */
export function forgetBrowser(store: Store): void {
  store.remove(profileFolder)
  forgetSessionCookies(store)
}

interface Stage extends BrowserMachine {
  readonly window: boolean
  readonly profile: string
  readonly browser: InstalledBrowser
  readonly entry: URL
}

async function signIn(context: ProviderContext, stage: Stage): Promise<Assertion> {
  const { signal, store, ask, log } = context
  const { window, browser, entry } = stage
  signal.throwIfAborted()
  log.debug(`starting ${browser.program}${window ? '' : ' without a window'}`)
  const { devtools, close } = await startBrowser(stage)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  const limit = context.settings.browserTimeout * 1000
  const timer = setTimeout(
    () => reject(window ? overdue(limit) : sessionEnded(context, entry, watched?.last())),
    window ? limit : Math.min(limit, stage.silentMs),
  )
  let watched: ReturnType<typeof watchPage> | undefined
  try {
    devtools.closed.then(() => reject(window ? closed() : crashed(browser))).catch(() => {})
    await restoreSessionCookies(devtools, store)
    await catchResponse(devtools, resolve, reject)
    const page = await openPage(
      devtools,
      () => reject(window ? closed() : crashed(browser)),
      url => log.debug(place(url)),
    )
    navigate(devtools, page, entry).catch(reject)
    if (window) ask.tell(`sign in at ${entry.host} in the window of ${browser.name}`)
    else watched = watchPage(devtools, page, stage.quietMs, sight => reject(stuck(context, entry, sight)))
    const response = await promise
    await keepSessionCookies(devtools, store)
    return { kind: 'saml', response }
  } finally {
    // Whatever else is said from here on says that the browser closes.
    promise.catch(() => {})
    clearTimeout(timer)
    watched?.stop()
    signal.removeEventListener('abort', abort)
    await close()
  }
}

/** Holds every request for AWS sign-in, of all windows and frames, before it is sent. */
async function catchResponse(
  devtools: DevTools,
  found: (response: string) => void,
  failed: (error: Error) => void,
): Promise<void> {
  devtools.onEvent((method, { requestId, request }) => {
    if (method !== 'Fetch.requestPaused') return
    const { url, method: verb, postData, postDataEntries } = asFields(request)
    const mine = typeof url === 'string' && verb === 'POST' && isAwsSignIn(url)
    if (!mine) {
      devtools.send('Fetch.continueRequest', { requestId }).catch(() => {})
      return
    }
    // No content: the page stays as it is until the browser closes.
    devtools.send('Fetch.fulfillRequest', { requestId, responseCode: 204 }).catch(() => {})
    const field = new URLSearchParams(bodyOf(postData, postDataEntries)).get('SAMLResponse')
    const read = field === null ? undefined : readSamlResponse(field)
    if (read) found(read.base64)
    else failed(formFailure('saml-missing', `the page sent no whole SAMLResponse to ${place(url)}`))
  })
  const hosts = partitions.flatMap(({ signInHosts }) => signInHosts.flatMap(host => [host, `*.${host}`]))
  await devtools.send('Fetch.enable', { patterns: hosts.map(host => ({ urlPattern: `https://${host}/saml*` })) })
}

function bodyOf(postData: unknown, entries: unknown): string {
  if (typeof postData === 'string') return postData
  if (!Array.isArray(entries)) return ''
  return entries
    .map(entry => asFields(entry)['bytes'])
    .map(bytes => (typeof bytes === 'string' ? atob(bytes) : ''))
    .join('')
}

/** The page that the browser opened with, and a call when the last page is closed. Answers with its session. */
async function openPage(devtools: DevTools, allClosed: () => void, visited: (url: string) => void): Promise<string> {
  const pages = new Map<unknown, unknown>()
  devtools.onEvent((method, { targetId, targetInfo }) => {
    const info: Fields = asFields(targetInfo)
    if (info['type'] === 'page' && /^Target\.target(?:Created|InfoChanged)$/.test(method)) {
      const { url } = info
      if (typeof url === 'string' && /^https?:/.test(url) && pages.get(info['targetId']) !== url) visited(url)
      pages.set(info['targetId'], url)
    }
    if (method === 'Target.targetDestroyed' && pages.delete(targetId) && pages.size === 0) allClosed()
  })
  await devtools.send('Target.setDiscoverTargets', { discover: true })
  const { targetInfos } = await devtools.send('Target.getTargets')
  const targets = Array.isArray(targetInfos) ? targetInfos.map(asFields) : []
  const known = targets.find(({ type }) => type === 'page')?.['targetId']
  const targetId = known ?? (await devtools.send('Target.createTarget', { url: 'about:blank' }))['targetId']
  const { sessionId } = await devtools.send('Target.attachToTarget', { targetId, flatten: true })
  if (typeof sessionId !== 'string') throw failure('unexpected', 'the browser has no page', { code: 'browser-failed' })
  return sessionId
}

async function navigate(devtools: DevTools, page: string, entry: URL): Promise<void> {
  const { errorText } = await devtools.send('Page.navigate', { url: entry.href }, page)
  // A first answer that is itself the request we hold ends as aborted.
  if (typeof errorText === 'string' && errorText !== '' && !errorText.endsWith('ERR_ABORTED')) {
    throw unreachable(entry.host, errorText)
  }
}

const reasons: readonly (readonly [RegExp, string])[] = [
  [/NAME_NOT_RESOLVED|DNS/, 'dns'],
  [/CONNECTION_REFUSED/, 'refused'],
  [/CERT|SSL/, 'tls'],
  [/TIMED_OUT/, 'timeout'],
]

function unreachable(host: string, errorText: string): Failure {
  const code = reasons.find(([pattern]) => pattern.test(errorText))?.[1] ?? 'unreachable'
  return failure('network', `the browser cannot open ${host}: ${clean(errorText, 80)}`, { code })
}

/** What it means that a page without a window does not go on. */
function stuck(context: ProviderContext, entry: URL, sight: Sight): Failure {
  const host = URL.canParse(sight.url) ? new URL(sight.url).host : entry.host
  if (sight.url.startsWith('chrome-error:')) return unreachable(entry.host, 'it shows an error page of its own')
  if (sight.status < 400 || sight.asks) return sessionEnded(context, entry, sight)
  return formFailure(
    'idp-error',
    `${host} answered with status ${sight.status}: ${clean(sight.title, 100) || 'no title'}`,
  )
}

function sessionEnded({ settings, mode }: ProviderContext, { host }: URL, sight: Sight | undefined): Failure {
  const shows = sight ? `: ${place(sight.url)} shows “${clean(sight.title, 100) || 'a page without a title'}”` : ''
  const hint = mode === 'login' && settings.headless ? 'the same without --headless' : 'cloudtoken'
  return formFailure(
    'idp-session-ended',
    `the session at ${host} has ended and signing in again needs a person${shows}`,
    hint,
  )
}

function overdue(limit: number): Failure {
  return failure('person', `nobody has signed in within ${limit / 1000} s`, {
    code: 'browser-timeout',
    hint: 'cloudtoken --browser-timeout SECONDS',
  })
}

function busy(cause: Failure): Failure {
  const message = 'another cloudtoken is signing in to the same account with the browser'
  const hint = 'finish there first, or close its window'
  return failure('config', message, { code: 'browser-busy', hint, cause })
}

function closed(): Failure {
  const message = 'the browser window was closed before the sign-in was done'
  return failure('cancelled', message, { code: 'browser-closed', hint: 'cloudtoken' })
}

function crashed({ name }: InstalledBrowser): Failure {
  return failure('unexpected', `${name} ended in the middle of the sign-in`, { code: 'browser-failed' })
}

function checkScreen({ env, platform }: BrowserMachine): void {
  if (/^(?:darwin|win32)$/.test(platform) || env['DISPLAY'] || env['WAYLAND_DISPLAY']) return
  throw failure('person', 'a browser window needs a screen, and there is none here', {
    code: 'browser-no-screen',
    hint: 'sign in where there is a screen, or hand over the response: cloudtoken --saml-response FILE',
  })
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
