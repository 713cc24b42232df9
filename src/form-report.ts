/**
 * A page that was not understood, kept for whoever mends it: its structure whole, its secrets gone.
 */
import type { Page } from './html.ts'
import type { Store } from './provider.ts'
import { clean, place } from './form-text.ts'

const stars = '*****'
const maxLength = 1_000_000

/** Writes the scrubbed copy; answers where it lies, as far as the store can say. */
export function savePage(store: Store, page: Page, secrets: readonly string[]): string {
  const name = 'page.html'
  const about = clean(`${place(page.url)} answered ${page.status}`).replaceAll('--', '- -')
  store.write(name, `<!-- ${about} -->\n${scrubHtml(page.source, secrets)}`)
  return store.pathOf?.(name) ?? name
}

/** Without the given secrets, in every spelling a page may give them, and without anything that looks like a token. */
export function scrubText(text: string, secrets: readonly string[]): string {
  return scrub(text, patternOf(secrets))
}

function scrub(text: string, secret: RegExp): string {
  return text.replace(secret, stars).replace(/[A-Za-z0-9+/=_.~%-]{20,}/g, run => (/\d/.test(run) ? stars : run))
}

/**
 * One linear pass over the source. Gone are the values of all fields but buttons and boxes, what follows `?`, `#` or
 * `;` in addresses, the text of text areas, values of variables with a telling name, long runs that look like tokens,
 * and the given secrets.
 */
export function scrubHtml(source: string, secrets: readonly string[]): string {
  return scrubMarkup(source.slice(0, maxLength), patternOf(secrets))
}

function scrubMarkup(html: string, secret: RegExp): string {
  const parts: string[] = []
  let at = 0
  while (at < html.length) {
    const start = html.indexOf('<', at)
    if (start < 0) break
    parts.push(scrub(html.slice(at, start), secret))
    const end = tagEnd(html, start)
    const tag = html.slice(start, end)
    at = end
    if (tag.startsWith('<!--'))
      parts.push(tag.endsWith('-->') ? `<!--${scrubMarkup(tag.slice(4, -3), secret)}-->` : `<!--${stars}`)
    else if (!/^<[a-z]/i.test(tag)) parts.push(scrub(tag, secret))
    else parts.push(tag.endsWith('>') ? scrubTag(tag, secret) : stars)
    const raw = /^<(script|style|textarea)\b/i.exec(tag)?.[1]?.toLowerCase()
    if (!raw) continue
    const close = closing(html, raw, at)
    parts.push(raw === 'textarea' ? stars : scrub(scrubScript(html.slice(at, close)), secret))
    at = close
  }
  parts.push(scrub(html.slice(at), secret))
  return parts.join('')
}

/** Behind the `>` that ends the tag; quotes may hold others. */
function tagEnd(html: string, start: number): number {
  if (html.startsWith('<!--', start)) {
    const close = html.indexOf('-->', start + 4)
    return close < 0 ? html.length : close + 3
  }
  let quote = ''
  for (let at = start + 1; at < html.length; at += 1) {
    const char = html.charAt(at)
    if (quote) quote = char === quote ? '' : quote
    else if (char === '>') return at + 1
    else if ((char === '"' || char === "'") && /[=\s]/.test(html.charAt(at - 1))) quote = char
  }
  return html.length
}

function closing(html: string, name: string, from: number): number {
  const pattern = new RegExp(`</${name}\\b`, 'gi')
  pattern.lastIndex = from
  return pattern.exec(html)?.index ?? html.length
}

/** From the beginning of a name: from the middle, a long one would be read once for each of its letters. */
const attribute = /(?<![^\s"'<>/=])([^\s"'<>/=]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'>]+)/g

function scrubTag(tag: string, secret: RegExp): string {
  const field = /^<(?:input|option|button)\b/i.test(tag)
  const type = /\btype\s*=\s*["']?([a-z]+)/i.exec(tag)?.[1]?.toLowerCase() ?? (/^<input/i.test(tag) ? 'text' : 'button')
  const keeps = /^(?:submit|button|reset|checkbox|radio|image)$/.test(type)
  const aboutToken = /^<meta\b.*(?:token|csrf|nonce)/is.test(tag)
  return tag.replace(attribute, (_, name: string, equals: string, quoted: string) => {
    const mark = /^["']/.exec(quoted)?.[0] ?? ''
    const value = mark ? quoted.slice(1, -1) : quoted
    const lower = name.toLowerCase()
    const telling = lower === 'content' ? aboutToken : /token|secret|nonce|csrf|sig-request/.test(lower)
    const blank = value !== '' && (lower === 'value' ? field && !keeps : telling)
    // Everything behind ?, # or ; in an address is the site's own affair.
    const address = value.replace(/(^|[/\w=])([?#]|;(?=\w+=)|&#x3f;)[^\s'")]*/i, `$1$2${stars}`)
    const shown = blank ? stars : /^(?:href|src|action|formaction|content|on\w+|data-.*)$/.test(lower) ? address : value
    return `${name}${equals}${mark}${scrub(shown, secret)}${mark}`
  })
}

/** `"csrfToken": "…"`, `sFT = '…'`. */
function scrubScript(script: string): string {
  return script
    .replace(
      /((?:token|secret|passw|nonce|csrf|ticket|session|auth|state|code|ctx|sft)\w{0,30}["']?\s{0,5}[:=]\s{0,5})(["'])(?:[^"'\\\n]|\\.)*\2/gi,
      `$1$2${stars}$2`,
    )
    .replace(/\?[^\s"'<>]{1,4000}/g, `?${stars}`)
}

/** In any spelling that pages and scripts have for a character, also where one text mixes them. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return text.replace(patternOf(secrets), stars)
}

/** Matches any of them, the longest first; nothing where there is none. */
function patternOf(secrets: readonly string[]): RegExp {
  const given = secrets.filter(Boolean).toSorted((a, b) => b.length - a.length)
  return new RegExp(given.map(secret => [...secret].map(spellings).join('')).join('|') || '(?!)', 'gu')
}

const names: Readonly<Record<string, string>> = {
  '&': 'amp',
  '<': 'lt',
  '>': 'gt',
  '"': 'quot',
  "'": 'apos',
  ' ': 'nbsp',
}

/** A pattern for one character: itself, percent-encoded, an entity of HTML, an escape of JSON or JavaScript. */
function spellings(char: string): string {
  const code = char.codePointAt(0) ?? 0
  const hex = code.toString(16)
  const anyCase = (digits: string): string => digits.replace(/[a-f]/g, digit => `[${digit}${digit.toUpperCase()}]`)
  const bytes = [...new TextEncoder().encode(char)].map(byte => `%${anyCase(byte.toString(16).padStart(2, '0'))}`)
  const units = Array.from({ length: char.length }, (_, at) => char.charCodeAt(at))
  return `(?:${[
    // The longest first, so that nothing is left of it.
    bytes.join(''),
    units.map(unit => `\\\\u${anyCase(unit.toString(16).padStart(4, '0'))}`).join(''),
    ...(code < 256 ? [`(?:\\\\x|%)${anyCase(hex.padStart(2, '0'))}`] : []),
    `&#0*${code};`,
    `&#[xX]0*${anyCase(hex)};`,
    ...(names[char] ? [`&${names[char]};`] : []),
    ...(char === ' ' ? ['\\+'] : []),
    `\\\\?${char.replace(/[\\^$.*+?()[\]{}|/]/u, '\\$&')}`,
  ].join('|')})`
}
