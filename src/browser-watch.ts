/**
 * Whether a page that nobody sees goes on by itself.
 */
import type { DevTools } from './browser-pipe.ts'
import { fieldsOf } from './json.ts'

/** What the page shows. */
export interface Sight {
  readonly url: string
  readonly title: string
  /** Of the answer that the page came with; 0 where the browser does not say. */
  readonly status: number
  /** Shows a field to fill in. */
  readonly asks: boolean
}

const everyMs = 500

/** Runs in the page. */
const look = `(() => {
  const shown = field => field.getClientRects().length > 0
  const silent = /^(?:hidden|submit|button|reset|image|checkbox)$/
  const fields = [...document.querySelectorAll('input, select, textarea')]
  const [entry] = performance.getEntriesByType('navigation')
  return {
    url: location.href,
    title: document.title,
    status: entry?.responseStatus ?? 0,
    asks: fields.some(field => !silent.test(field.type) && shown(field)),
  }
})()`

/**
 * Calls `stuck` once: with an error page of the browser at once, with a field to fill in or an error of the server after
 * `quietMs` in which nothing changed.
 */
export function watchPage(
  devtools: DevTools,
  page: string,
  quietMs: number,
  stuck: (sight: Sight) => void,
): { stop(): void; last(): Sight | undefined } {
  let sight: Sight | undefined
  let since = performance.now()
  let busy = false
  const timer = setInterval(() => {
    if (busy) return
    busy = true
    void glance(devtools, page).then(seen => {
      busy = false
      if (!seen) return
      if (JSON.stringify(seen) !== JSON.stringify(sight)) since = performance.now()
      sight = seen
      const broken = seen.url.startsWith('chrome-error:')
      const waits = (seen.asks || seen.status >= 400) && performance.now() - since >= quietMs
      if (!broken && !waits) return
      clearInterval(timer)
      stuck(seen)
    })
  }, everyMs)
  return { stop: () => clearInterval(timer), last: () => sight }
}

/** `undefined` while one page makes way for the next. */
async function glance(devtools: DevTools, page: string): Promise<Sight | undefined> {
  const answer = await devtools
    .send('Runtime.evaluate', { expression: look, returnByValue: true }, page)
    .catch(() => ({}) as const)
  const { url, title, status, asks } = fieldsOf(fieldsOf(fieldsOf(answer)['result'])['value'])
  if (typeof url !== 'string' || !/^(?:https?|chrome-error):/.test(url)) return undefined
  return {
    url,
    title: typeof title === 'string' ? title : '',
    status: typeof status === 'number' ? status : 0,
    asks: asks === true,
  }
}
