/**
 * The request a browser would send for a form.
 */
import { multipartEncode, urlEncode, type Entry } from './html-encode.ts'
import type { Control, Form, Page } from './html-page.ts'
import type { HttpRequest } from './http.ts'

type Values = Readonly<Record<string, string | readonly string[]>>

/**
 * `values` replaces values by name (a list sets repeated controls in order) and is sent even when no control has the name;
 * of checkboxes, radio buttons and options it says which are chosen. Disabled controls stay unsent. `button` is the one
 * pressed; without one the form goes as a script would send it.
 *
 * The request is `sensitive` when a password field is sent filled.
 */
export function submit(page: Page, form: Form, values: Values = {}, button?: Control): HttpRequest {
  const entries = entriesOf(form, values, button)
  const action = actionUrl(page, button?.overrides?.action ?? form.action)
  if ((button?.overrides?.method?.trim().toLowerCase() || form.method) !== 'post') {
    const url = new URL(action)
    url.search = urlEncode(entries, form.charset)
    return { url: url.href, method: 'GET', headers: originHeaders(page.url, action, false) }
  }
  const enctype = button?.overrides?.enctype?.trim().toLowerCase() || form.enctype
  const sensitive = form.controls.some(
    ({ name, type }) => type === 'password' && entries.some(entry => entry.name === name && entry.value !== ''),
  )
  const origin = originHeaders(page.url, action, true)
  if (enctype === 'multipart/form-data') {
    const { boundary, body } = multipartEncode(entries, form.charset)
    const headers = { ...origin, 'content-type': `multipart/form-data; boundary=${boundary}` }
    return { url: action, method: 'POST', headers, body, ...(sensitive && { sensitive }) }
  }
  const headers = { ...origin, 'content-type': 'application/x-www-form-urlencoded' }
  return {
    url: action,
    method: 'POST',
    headers,
    body: urlEncode(entries, form.charset),
    ...(sensitive && { sensitive }),
  }
}

/** Successful controls in document order, by the rule of the HTML standard. */
function entriesOf(form: Form, values: Values, button: Control | undefined): Entry[] {
  const entries: Entry[] = []
  /** Names that the form answers for, with the number of listed values used up. */
  const used = new Map<string, number>()
  for (const control of form.controls) {
    const { name, type } = control
    if (type === 'image' && control === button) {
      const prefix = name === '' ? '' : `${name}.`
      entries.push({ name: `${prefix}x`, value: '0' }, { name: `${prefix}y`, value: '0' })
    }
    const isButton = /^(?:submit|button|reset|image)$/.test(type)
    if (name === '' || type === 'image' || (isButton && control !== button)) continue
    const place = used.get(name) ?? 0
    used.set(name, place)
    if (control.disabled) continue
    // A page may call a field `constructor`.
    const given = Object.hasOwn(values, name) ? values[name] : undefined
    const list = typeof given === 'string' ? [given] : given
    if (isButton) entries.push({ name, value: control.value })
    else if (type === 'file') entries.push({ name, value: '', file: true })
    else if (type === 'checkbox' || type === 'radio') {
      if (list ? list.includes(control.value) : control.checked) entries.push({ name, value: control.value })
    } else if (type === 'select') {
      const chosen = control.options.filter(option => option.selected && !option.disabled).map(option => option.value)
      for (const value of list ?? chosen) entries.push({ name, value })
    } else {
      const own = name === '_charset_' && type === 'hidden' ? form.charset : control.value
      entries.push({ name, value: typeof given === 'string' ? given : (given?.[place] ?? own) })
      used.set(name, place + 1)
    }
  }
  return [...entries, ...unanswered(values, used)]
}

/** Fields that a script of the page would add, and the rest of a list longer than its controls. */
function unanswered(values: Values, used: ReadonlyMap<string, number>): Entry[] {
  return Object.entries(values).flatMap(([name, given]) => {
    const place = used.get(name)
    if (place === undefined) return (typeof given === 'string' ? [given] : given).map(value => ({ name, value }))
    return typeof given === 'string' || place === 0 ? [] : given.slice(place).map(value => ({ name, value }))
  })
}

function actionUrl(page: Page, action: string | undefined): string {
  const address = action?.trim() ?? ''
  const document = withoutHash(new URL(page.url))
  if (address === '' || address.startsWith('#') || !URL.canParse(address, page.base)) return document
  const url = new URL(address, page.base)
  // A script would send `javascript:…`; its best guess is the page itself.
  return url.protocol === 'https:' || url.protocol === 'http:' ? withoutHash(url) : document
}

function withoutHash(url: URL): string {
  url.hash = ''
  return url.href
}

/** Referrer policy of browsers: the whole address at home, the origin abroad, nothing from https to http. */
function originHeaders(from: string, to: string, post: boolean): Record<string, string> {
  const source = new URL(from)
  const target = new URL(to)
  if (source.protocol === 'https:' && target.protocol === 'http:') return {}
  source.username = ''
  source.password = ''
  const referer = source.origin === target.origin ? withoutHash(source) : `${source.origin}/`
  return { referer, ...(post && { origin: source.origin }) }
}
