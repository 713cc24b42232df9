/**
 * Opens a page in the person's browser. The address may be as good as a password, and arguments of programs can be read by
 * everybody: so the browser is given a private file that leads there, which is removed soon after.
 */
import { randomUUID } from 'node:crypto'
import { readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { failure } from './errors.ts'
import { ensureFolder, remove, writeFile } from './files.ts'
import type { Run } from './run.ts'
import type { Clock } from './types.ts'

export interface OpenPage {
  readonly url: string
  /** What the person sees for a moment. */
  readonly title: string
  /** Private; the file lies there for a few seconds. */
  readonly folder: string
  readonly platform: NodeJS.Platform
  readonly env: Readonly<Record<string, string | undefined>>
  readonly run: Run
  readonly clock: Pick<Clock, 'now' | 'sleep'>
  /** Ends the wait for the browser, and with it the file. */
  readonly signal: AbortSignal
}

interface Opener {
  readonly platform: NodeJS.Platform
  readonly command: string
  args(file: string): readonly string[]
  /** Is there a screen? Without one a text browser may take the terminal. */
  fits?(env: OpenPage['env']): boolean
}

/** The first that fits and does not fail. */
const openers: readonly Opener[] = [
  { platform: 'darwin', command: 'open', args: file => [file] },
  { platform: 'win32', command: 'rundll32', args: file => ['url.dll,FileProtocolHandler', file] },
  { platform: 'linux', command: 'wslview', args: file => [file], fits: env => Boolean(env['WSL_DISTRO_NAME']) },
  { platform: 'linux', command: 'xdg-open', args: file => [file], fits: hasScreen },
  { platform: 'linux', command: 'gio', args: file => ['open', file], fits: hasScreen },
  { platform: 'freebsd', command: 'xdg-open', args: file => [file], fits: hasScreen },
]

/** Long enough for a browser to start and read a file. */
const readingMs = 10_000
/** What still runs then is the browser itself, which stays until the person closes it. */
const foregroundMs = 15_000
const staleMs = 60_000

/** Rejects with kind `person` where there is no browser to open. */
export async function openPage({ url, title, folder, platform, env, run, clock, signal }: OpenPage): Promise<void> {
  const fitting = openers.filter(opener => opener.platform === platform && (opener.fits?.(env) ?? true))
  sweep(folder, clock.now())
  const file = path.join(folder, `page-${clock.now().toString(36)}-${randomUUID()}.html`)
  try {
    if (fitting.length > 0) writeFile(file, redirectTo(url, title))
    for (const { command, args } of fitting) {
      const ended = new AbortController()
      const opened = run(command, args(file), { env }).then(({ code }) => code === 0)
      const stays = clock.sleep(foregroundMs, AbortSignal.any([signal, ended.signal])).then(() => true)
      const done = await Promise.race([opened, stays]).finally(() => ended.abort())
      if (done) return await clock.sleep(readingMs, signal)
    }
  } finally {
    remove(file)
  }
  throw failure('person', 'there is no browser to open', {
    hint: 'cloudtoken console --print',
    code: 'browser-missing',
  })
}

function hasScreen(env: OpenPage['env']): boolean {
  return Boolean(env['DISPLAY'] || env['WAYLAND_DISPLAY'])
}

/** What an earlier run left that was killed while it waited. */
function sweep(folder: string, now: number): void {
  ensureFolder(folder)
  for (const name of readdirSync(folder)) {
    const file = path.join(folder, name)
    if (/^page-.*\.html$/.test(name) && now - statSync(file).mtimeMs > staleMs) remove(file)
  }
}

function redirectTo(url: string, title: string): string {
  const address = url.replace(/[&<>"']/g, letter => `&#${letter.charCodeAt(0)};`)
  return `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>${title}</title>
<meta http-equiv="refresh" content="0;url=${address}">
<p>Opening ${title}.
</html>
`
}
