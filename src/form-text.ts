/**
 * Words off a page, made fit for a terminal and for comparison. Pages are hostile: no control character survives.
 */
import { pathOf } from './http.ts'

/** One line without control, bidi or zero-width characters, at most `limit` characters. */
export function clean(text: string, limit = 300): string {
  const line = text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replace(/\p{Cf}/gu, '')
    .replace(/\s+/g, ' ')
    .trim()
  return line.length > limit ? `${line.slice(0, limit - 1).trimEnd()}…` : line
}

/** The words of an identifier or a label: `_eventId_TermsRejected` is `event id terms rejected`. */
export function words(text: string): string[] {
  return text
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean)
}

/**
 * What `after` says that `before` did not: the text between the common beginning and the common end, cut at whole words.
 * An error message stands out this way in any language and any theme.
 */
export function inserted(before: string, after: string): string {
  const old = before.split(' ')
  const now = after.split(' ')
  let head = 0
  while (head < old.length && head < now.length && old[head] === now[head]) head += 1
  let tail = 0
  while (tail < old.length - head && tail < now.length - head && old.at(-1 - tail) === now.at(-1 - tail)) tail += 1
  return now.slice(head, now.length - tail).join(' ')
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }

/** The text in a small piece of HTML. */
export function textOf(html: string): string {
  return html.replace(/<[^>]*>/g, ' ').replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => entities[name] ?? '')
}

/** Scheme, host and path: what may be shown of a URL. Query, fragment and path parameters hold tokens. */
export function place(url: string): string {
  if (!URL.canParse(url)) return clean(url.replace(/[?#;].*$/s, ''), 200)
  const { protocol, host } = new URL(url)
  return clean(`${protocol}//${host}${pathOf(url)}`, 200)
}

/** The address as seen from `base`, where it stays on that server; `undefined` where it leads elsewhere, or nowhere. */
export function addressAt(base: string, address: string): string | undefined {
  const url = URL.canParse(address, base) ? new URL(address, base) : undefined
  return url?.origin === new URL(base).origin ? url.href : undefined
}

/** `https`, or the machine itself. */
export function isPrivateWay(url: URL): boolean {
  if (url.protocol === 'https:') return true
  return url.protocol === 'http:' && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname)
}
