/**
 * The cookies of one sign-in, over tough-cookie, which the first of them loads.
 */
import type { CookieJar } from 'tough-cookie'
import { readFields } from './json.ts'

export interface Cookies {
  /** What a request to `url` says in its `Cookie` header; empty for none. */
  header(url: string): Promise<string>
  read(url: string, name: string): Promise<string | undefined>
  /** As `Set-Cookie` says it; one that is not to be taken is ignored. */
  write(url: string, cookie: string): Promise<void>
  /** All of them, those of the session included, as JSON; `undefined` when there is none. */
  serialize(): Promise<string | undefined>
}

/** @param stored what `serialize` said in an earlier run; anything else counts as no cookies */
export function createCookies(stored: string | undefined): Cookies {
  let loading: Promise<CookieJar> | undefined
  const jar = (): Promise<CookieJar> => (loading ??= loadJar(stored))
  return {
    header: async url => await (await jar()).getCookieString(url),
    read: async (url, name) => (await (await jar()).getCookies(url)).find(cookie => cookie.key === name)?.value,
    async write(url, cookie) {
      await (await jar()).setCookie(cookie, url, { ignoreError: true, loose: true })
    },
    async serialize() {
      const kept = await (await jar()).serialize()
      return kept.cookies.length === 0 ? undefined : JSON.stringify(kept)
    },
  }
}

/** The cookies of the text, but none of its flags. */
async function loadJar(text: string | undefined): Promise<CookieJar> {
  const { CookieJar } = await import('tough-cookie')
  const empty = new CookieJar(undefined, { looseMode: true, allowSecureOnLocal: true, prefixSecurity: 'silent' })
  if (text === undefined) return empty
  try {
    const { cookies = [] } = readFields(text)
    return await CookieJar.deserialize({ ...empty.serializeSync(), cookies })
  } catch {
    return empty
  }
}
