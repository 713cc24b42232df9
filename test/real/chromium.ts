/**
 * Debian's Chromium as the person's browser, and the person before it. The person works over a debugging port of their
 * own, which only the wrapper opens; the program under test knows nothing of it.
 */
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { until } from '../until.ts'

/** What stands in the way of a browser in a container: no screen, root, no keys of an API. */
const container = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
]

/** A program that starts Chromium with what a container needs. */
export function wrapChromium(folder: string): string {
  const file = join(mkdtempSync(join(folder, 'bin-')), 'chromium')
  writeFileSync(file, `#!/bin/sh\nexec chromium ${container.join(' ')} --remote-debugging-port=0 "$@"\n`)
  chmodSync(file, 0o755)
  return file
}

export interface Person {
  /** Waits until the page shows what `selector` finds. */
  sees(selector: string): Promise<void>
  fills(values: Readonly<Record<string, string>>): Promise<void>
  /** Clicks, as with a mouse. */
  presses(selector: string): Promise<void>
  closesTheWindow(): Promise<void>
  leaves(): void
}

/** Sits down before the browser with this profile, as soon as it is there. */
export async function sitDown(profile: string): Promise<Person> {
  const { port, page } = await until(async () => {
    // The file of an earlier browser may still be there.
    const [port] = contentOf(join(profile, 'DevToolsActivePort'))?.split('\n') ?? []
    const list: unknown = await fetch(`http://127.0.0.1:${port}/json/list`).then(answer => answer.json())
    if (!Array.isArray(list)) return undefined
    const page = list.find((each: { type: string; url: string }) => each.type === 'page' && each.url.startsWith('http'))
    return page && { port, page }
  }, `a page of the browser of ${profile}`)
  const socket = new WebSocket(String(page.webSocketDebuggerUrl))
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('error', reject)
  })
  let last = 0
  const send = (method: string, params: object): Promise<{ result?: { value?: unknown } }> =>
    new Promise((resolve, reject) => {
      last += 1
      const id = last
      socket.addEventListener('close', reject)
      socket.addEventListener('message', ({ data }) => {
        const message = JSON.parse(String(data))
        if (message.id === id) resolve(message.result ?? {})
      })
      socket.send(JSON.stringify({ id, method, params }))
    })
  const says = async (expression: string): Promise<unknown> =>
    (await send('Runtime.evaluate', { expression, returnByValue: true })).result?.value
  const sees = async (selector: string): Promise<void> => {
    const find = `!!document.querySelector(${JSON.stringify(selector)}) && document.readyState === 'complete'`
    await until(async () => (await says(find)) === true, selector)
  }
  return {
    sees,
    async fills(values) {
      for (const [selector, value] of Object.entries(values)) {
        await sees(selector)
        await says(`document.querySelector(${JSON.stringify(selector)}).focus()`)
        await send('Input.insertText', { text: value })
      }
    },
    async presses(selector) {
      await sees(selector)
      // The answer may be lost with the page.
      void says(`document.querySelector(${JSON.stringify(selector)}).click()`).catch(() => {})
    },
    async closesTheWindow() {
      await fetch(`http://127.0.0.1:${port}/json/close/${page.id}`)
    },
    leaves: () => socket.close(),
  }
}

/** Processes that have `text` in their command line. */
export function processesWith(text: string): string[] {
  return readdirSync('/proc').filter(pid => {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) return false
    return contentOf(`/proc/${pid}/cmdline`)?.includes(text) ?? false
  })
}

function contentOf(file: string): string | undefined {
  try {
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined
  } catch {
    return undefined
  }
}
