/**
 * Signing in through the browser that the person already has. It shows the identity provider's own pages, so everything
 * that works in a browser works here; the SAMLResponse is taken from the request to AWS, which never leaves the browser.
 */
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { catchResponse } from './browser-capture.ts'
import { forgetSessionCookies, keepSessionCookies, restoreSessionCookies } from './browser-cookies.ts'
import { busy, closed, crashed, overdue, sessionEnded, stuck, unreachable } from './browser-failure.ts'
import { findBrowser, isProgram, type InstalledBrowser } from './browser-find.ts'
import type { DevTools, Fields } from './browser-pipe.ts'
import { startBrowser } from './browser-process.ts'
import { watchPage } from './browser-watch.ts'
import { codeOf, failure, isFailure } from './errors.ts'
import { makePrivate } from './files.ts'
import { withLock } from './lock.ts'
import { place } from './form-text.ts'
import { fieldsOf } from './json.ts'
import type { ProviderContext, Store } from './provider.ts'
import type { Assertion } from './types.ts'

const profileFolder = 'browser'
/** A browser that does not hand over its cookies must not cost the sign-in. */
const cookiesMs = 5000

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
  const { signal, secrets, ask, log } = context
  const { window, browser, entry } = stage
  signal.throwIfAborted()
  log.debug(`starting ${browser.program}${window ? '' : ' without a window'}`)
  const { devtools, close } = await startBrowser(stage)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const abort = (): void => reject(signal.reason)
  const ended = (): void => reject(window ? closed() : crashed(browser))
  signal.addEventListener('abort', abort, { once: true })
  const limit = context.settings.browserTimeout * 1000
  const timer = setTimeout(
    () => reject(window ? overdue(limit) : sessionEnded(context, entry, watched?.last())),
    window ? limit : Math.min(limit, stage.silentMs),
  )
  let watched: ReturnType<typeof watchPage> | undefined
  const prepare = async (): Promise<void> => {
    await restoreSessionCookies(devtools, secrets)
    await catchResponse(devtools, resolve, reject)
    const page = await openPage(devtools, ended, url => log.debug(place(url)))
    if (window) ask.tell(`sign in at ${entry.host} in the window of ${browser.name}`)
    else watched = watchPage(devtools, page, stage.quietMs, sight => reject(stuck(context, entry, sight)))
    await navigate(devtools, page, entry)
  }
  try {
    void devtools.closed.then(ended)
    if (signal.aborted) abort()
    prepare().catch(reject)
    const response = await promise
    const kept = keepSessionCookies(devtools, secrets).catch(() => log.debug('the cookies of the browser are lost'))
    await Promise.race([kept, delay(cookiesMs, undefined, { ref: false })])
    return { kind: 'saml', response }
  } finally {
    clearTimeout(timer)
    watched?.stop()
    signal.removeEventListener('abort', abort)
    await close()
  }
}

/** The page that the browser opened with, and a call when the last page is closed. Answers with its session. */
async function openPage(devtools: DevTools, allClosed: () => void, visited: (url: string) => void): Promise<string> {
  const pages = new Map<unknown, unknown>()
  devtools.onEvent((method, { targetId, targetInfo }) => {
    const info: Fields = fieldsOf(targetInfo)
    if (info['type'] === 'page' && /^Target\.target(?:Created|InfoChanged)$/.test(method)) {
      const { url } = info
      if (typeof url === 'string' && /^https?:/.test(url) && pages.get(info['targetId']) !== url) visited(url)
      pages.set(info['targetId'], url)
    }
    if (method === 'Target.targetDestroyed' && pages.delete(targetId) && pages.size === 0) allClosed()
  })
  await devtools.send('Target.setDiscoverTargets', { discover: true })
  const { targetInfos } = await devtools.send('Target.getTargets')
  const targets = Array.isArray(targetInfos) ? targetInfos.map(fieldsOf) : []
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

function checkScreen({ env, platform }: BrowserMachine): void {
  if (/^(?:darwin|win32)$/.test(platform) || env['DISPLAY'] || env['WAYLAND_DISPLAY']) return
  throw failure('person', 'a browser window needs a screen, and there is none here', {
    code: 'browser-no-screen',
    hint: 'sign in where there is a screen, or hand over the response: cloudtoken --saml-response FILE',
  })
}
