/**
 * Cookies without an end of their own. A browser drops them when it closes, and sessions at identity providers live in
 * them; so they are kept for the renewal like those of the other providers: sealed, among the files of this identity.
 */
import type { DevTools, Fields } from './browser-pipe.ts'
import { fieldsOf, readJson } from './json.ts'
import type { Secrets, Store } from './provider.ts'
import { removeSealed } from './vault.ts'

const file = 'browser-cookies.json'

/** What a cookie is set with, of all that the browser tells about it. */
const kept = ['name', 'value', 'path', 'secure', 'httpOnly', 'sameSite', 'priority', 'partitionKey']

export async function keepSessionCookies(devtools: DevTools, secrets: Secrets): Promise<void> {
  const { cookies } = await devtools.send('Storage.getCookies')
  const list = Array.isArray(cookies) ? cookies.map(fieldsOf).filter(cookie => cookie['session'] === true) : []
  await secrets.write(file, JSON.stringify(list.map(settable)))
}

/** A damaged file counts as none, and so does a cookie that this browser does not take. */
export async function restoreSessionCookies(devtools: DevTools, secrets: Secrets): Promise<void> {
  for (const cookie of readList(await secrets.read(file))) {
    await devtools.send('Storage.setCookies', { cookies: [cookie] }).catch(() => {})
  }
}

export function forgetSessionCookies(store: Store): void {
  removeSealed(store, file)
}

/** A domain with a dot in front is one; without it the cookie is for this host alone, which only an address can say. */
function settable(cookie: Fields): Fields {
  const { domain, path, secure } = cookie
  const own = Object.fromEntries(kept.flatMap(name => (cookie[name] === undefined ? [] : [[name, cookie[name]]])))
  if (typeof domain !== 'string' || domain.startsWith('.')) return { ...own, domain }
  return { ...own, url: `${secure === true ? 'https' : 'http'}://${domain}${typeof path === 'string' ? path : '/'}` }
}

function readList(text: string | undefined): Fields[] {
  const list = readJson(text ?? '')
  return Array.isArray(list) ? list.map(fieldsOf) : []
}
