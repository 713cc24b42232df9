/**
 * One browser with a profile of its own, from start to end.
 */
import type { ChildProcess } from 'node:child_process'
import process from 'node:process'
import { Readable, Writable } from 'node:stream'
import type { InstalledBrowser } from './browser-find.ts'
import { speakDevTools, type DevTools } from './browser-pipe.ts'
import { codeOf, failure, messageOf } from './errors.ts'
import { clean } from './form-text.ts'
import { start } from './run.ts'

export interface BrowserOptions {
  readonly browser: InstalledBrowser
  /** An existing private folder. */
  readonly profile: string
  /** Whether a person sees it. */
  readonly window: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  readonly platform: NodeJS.Platform
}

export interface BrowserProcess {
  readonly devtools: DevTools
  /** Lets it save its profile, and ends it and all its children; never fails. */
  close(): Promise<void>
}

/** How long a browser may take to say its first word: a first start on a slow disk. */
const startMs = 30_000
/** How long it may take to save its profile. */
const closeMs = 5000

/** The word of a browser whose policy RemoteDebuggingAllowed is off. */
const forbidden = /remote debugging is disallowed/i

/** What is started, as an argument list. */
export function browserArguments({ profile, window, platform }: Omit<BrowserOptions, 'browser' | 'env'>): string[] {
  return [
    '--remote-debugging-pipe',
    `--user-data-dir=${profile}`,
    '--no-first-run',
    '--no-default-browser-check',
    '--disable-sync',
    // Neither dumps of its memory nor offers to open pages of last time.
    '--disable-breakpad',
    '--hide-crash-restore-bubble',
    // A service has no desktop keyring: what the window saves there, the renewal could not read. The folder is private.
    ...(platform === 'linux' ? ['--password-store=basic'] : []),
    ...(window ? [] : ['--headless=new', '--disable-background-networking']),
    'about:blank',
  ]
}

/** Resolves when the browser listens; fails with `config` and code `browser-failed`, having ended it. */
export async function startBrowser(options: BrowserOptions): Promise<BrowserProcess> {
  const { browser, env, platform } = options
  const child = start(browser.program, browserArguments(options), {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    env: withoutSecrets(env),
    // A group of its own: Ctrl-C is for us, and its children go with it.
    detached: platform !== 'win32',
  })
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4000)
    // It says so, stays, and never answers.
    if (forbidden.test(errors)) endGroup(child, platform)
  })
  const ended = new Promise<void>(resolve => {
    child.on('error', error => ((errors += messageOf(error)), resolve()))
    child.on('exit', () => resolve())
  })
  const said = new Promise<void>(resolve => void child.on('close', () => resolve()))
  const [, , , output, input] = child.stdio
  if (!(output instanceof Writable && input instanceof Readable)) {
    endGroup(child, platform)
    throw failure('unexpected', `cannot speak to ${browser.name}`, { code: 'browser-failed' })
  }
  const devtools = speakDevTools(output, input)
  const close = async (): Promise<void> => {
    await Promise.race([devtools.send('Browser.close').catch(() => {}), ended, pause(closeMs)])
    await Promise.race([ended, pause(closeMs)])
    output.destroy()
    input.destroy()
    endGroup(child, platform)
  }
  try {
    const first = devtools.send('Browser.getVersion')
    await Promise.race([first, ended.then(() => first), pause(startMs).then(() => Promise.reject(slow()))])
    return { devtools, close }
  } catch (error) {
    endGroup(child, platform)
    await Promise.race([said, pause(1000)])
    throw notStarted(browser, errors, error)
  }
}

function slow(): Error {
  return failure('unexpected', `it said nothing for ${startMs / 1000} s`)
}

/** The browser's own last word is the best reason; its complaints about the desktop are not. */
function notStarted({ name, program }: InstalledBrowser, errors: string, error: unknown): Error {
  if (/without --no-sandbox/.test(errors)) {
    const message = `${name} does not start as root`
    return failure('config', message, { code: 'browser-failed', hint: 'run cloudtoken as yourself' })
  }
  const lines = errors.split('\n').filter(line => line.trim() !== '' && !/dbus|gpu|vaapi/i.test(line))
  const last = lines.map(line => clean(line.replace(/^\[[^\]]*\]\s*/, ''), 200)).at(-1)
  const hint = `${forbidden.test(errors) ? 'your company forbids it in this browser; ' : ''}try another browser: --browser-path FILE`
  return failure('config', `${program} cannot be used: ${last ?? messageOf(error)}`, {
    code: 'browser-failed',
    hint,
    cause: error,
  })
}

/** What is left of it. */
function endGroup(child: ChildProcess, platform: NodeJS.Platform): void {
  if (child.pid === undefined) return
  if (platform === 'win32') {
    child.kill('SIGKILL')
    return
  }
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') child.kill('SIGKILL')
  }
}

/** Our variables may hold a password, those of AWS keys: neither is a browser's business. */
function withoutSecrets(env: BrowserOptions['env']): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^(?:CLOUDTOKEN|AWS)_/i.test(name)))
}

/** Does not keep the process waiting for it. */
function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms).unref())
}
