/**
 * HTML as a browser would see it, as far as signing in needs it: forms with their controls, hops, texts.
 */
import { effectOf } from './html-script.ts'
import { excerpt, fold } from './html-text.ts'
import type { Control, Form, Page } from './html-page.ts'
import { readDraft, type ControlDraft, type Draft, type FormDraft } from './html-read.ts'
import { canonicalCharset, charsetOf } from './http-charset.ts'
import type { HttpResponse } from './http.ts'

export type { Choice, Control, Form, Link, Page } from './html-page.ts'
export { submit } from './html-submit.ts'

/** `undefined` when the body is no page: empty, text, JSON, XML. */
export async function readPage(response: HttpResponse): Promise<Page | undefined> {
  const { headers, status, text: source, url } = response
  if (!isHtml(headers.get('content-type') ?? '', source)) return undefined
  const draft = await readDraft(source)
  const base = webUrl(draft.base ?? '', url) ?? url
  const charset = charsetOf(headers, response.bytes)
  const controls = readControls(draft)
  const byOwner = Map.groupBy(controls, ({ owner }) => owner)
  const forms = draft.forms.map(form => readForm(form, charset, byOwner.get(form) ?? []))
  const scripts = scriptEffect(draft)
  const target = [refreshTarget(headers.get('refresh') ?? ''), ...draft.refreshes.map(refreshTarget), scripts.target]
  return {
    url,
    base,
    status,
    title: draft.title ?? '',
    text: draft.text,
    forms,
    loose: (byOwner.get(undefined) ?? []).map(({ control }) => control),
    links: draft.links.map(link => ({ ...link, href: absoluteLink(link.href, base) })),
    submitsItself: scripts.submits && forms.length > 0,
    hop: target
      .map(found => (found === undefined ? undefined : webUrl(found, base)))
      .find(found => found !== undefined),
    errors: [...new Set([...draft.errors, ...fieldErrors(draft)])],
    source,
  }
}

/** By the header where it is clear, else by the look of the body. */
function isHtml(contentType: string, source: string): boolean {
  const type = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  const start = source.slice(0, 1000).trimStart()
  if (start === '' || /(?:^text\/plain|json|javascript)$/.test(type)) return false
  const root = start.replace(/^(?:<\?[^>]*>|<!--[^]*?-->|\s)+/, '')
  if (/^<(?:!doctype\s+html|html)\b/i.test(root)) return true
  if (type.endsWith('xml') || start.startsWith('<?xml') || /^<[a-z][\w.-]*:[a-z]/i.test(root)) return false
  // A fragment may begin with text, a JSON document may hold markup in its strings.
  return !/^(?:\{\s*"|\[\s*[{"\]])/.test(start) && /<[a-z][^<>]*>/i.test(source)
}

interface OwnedControl {
  readonly owner: FormDraft | undefined
  readonly control: Control
}

function readForm({ tag, hidden }: FormDraft, charset: string, controls: readonly OwnedControl[]): Form {
  const { attributes } = tag
  const accepted = attributes
    .get('accept-charset')
    ?.trim()
    .split(/[\s,]+/)
    .map(canonicalCharset)
  return {
    id: attributes.get('id') ?? '',
    name: attributes.get('name') ?? '',
    method: attributes.get('method')?.trim().toLowerCase() || 'get',
    action: attributes.get('action'),
    enctype: attributes.get('enctype')?.trim().toLowerCase() || 'application/x-www-form-urlencoded',
    charset: accepted?.find(label => label !== undefined) ?? charset,
    controls: controls.map(({ control }) => control),
    invisible: hidden,
  }
}

function readControls(draft: Draft): OwnedControl[] {
  // Of two forms with one id the first has it.
  const forms = new Map(draft.forms.toReversed().map(form => [form.tag.attributes.get('id') ?? '', form]))
  const owned = draft.controls.map(control => {
    const id = control.tag.attributes.get('form')
    return { control, owner: id === undefined ? control.owner : id === '' ? undefined : forms.get(id) }
  })
  const password = owned.filter(({ control }) => control.type === 'password' && !control.hidden)
  const steps = new Set(
    password.some(({ control }) => !control.cover) ? [] : password.map(({ control }) => control.cover),
  )
  const labels = new Map(
    draft.labels.toReversed().flatMap(({ target, text }) => (target && text ? [[target, text]] : [])),
  )
  // In a group of radio buttons the last checked one wins.
  const pressed = new Map<string, ControlDraft>()
  const formNumbers = new Map(draft.forms.map((form, index) => [form, index]))
  const group = (control: ControlDraft, owner: FormDraft | undefined): string =>
    `${owner && formNumbers.get(owner)} ${control.tag.attributes.get('name') ?? ''}`
  for (const { control, owner } of owned) {
    if (control.type === 'radio' && control.tag.attributes.has('checked')) pressed.set(group(control, owner), control)
  }
  return owned.map(({ control, owner }) => ({
    owner,
    control: readControl(
      control,
      labelOf(control, draft, labels),
      control.type === 'radio' ? pressed.get(group(control, owner)) === control : undefined,
      control.cover !== undefined && !steps.has(control.cover),
    ),
  }))
}

function readControl(draft: ControlDraft, label: string, pressed: boolean | undefined, covered: boolean): Control {
  const { tag, type } = draft
  const { attributes } = tag
  const options = readOptions(draft)
  const overrides = {
    ...(attributes.has('formaction') && { action: attributes.get('formaction') ?? '' }),
    ...(attributes.has('formmethod') && { method: attributes.get('formmethod') ?? '' }),
    ...(attributes.has('formenctype') && { enctype: attributes.get('formenctype') ?? '' }),
  }
  return {
    name: attributes.get('name') ?? '',
    type,
    value: type === 'select' ? (options.find(option => option.selected)?.value ?? '') : valueOf(draft),
    checked: pressed ?? (type === 'checkbox' && attributes.has('checked')),
    disabled: draft.disabled,
    options,
    label,
    id: attributes.get('id') ?? '',
    autocomplete: attributes.get('autocomplete')?.trim().toLowerCase() ?? '',
    invisible: type === 'hidden' || draft.hidden || covered,
    ...(Object.keys(overrides).length > 0 && { overrides }),
  }
}

function valueOf({ tag, type, text }: ControlDraft): string {
  if (type === 'textarea') return text.replace(/^\r?\n/, '')
  const value = tag.attributes.get('value')
  if (type === 'checkbox' || type === 'radio') return value ?? 'on'
  // Fields of one line cannot hold a line end; hidden ones can.
  return /^(?:text|password|search|tel|email|url)$/.test(type) ? (value ?? '').replace(/[\r\n]/g, '') : (value ?? '')
}

function readOptions({ options, tag }: ControlDraft): Control['options'] {
  const multiple = tag.attributes.has('multiple')
  const read = options.map(option => {
    const { attributes } = option.tag
    const text = fold(option.text)
    const selected = attributes.has('selected') && !option.disabled
    return {
      value: attributes.get('value') ?? text,
      label: attributes.get('label') || text,
      disabled: option.disabled,
      selected,
    }
  })
  if (multiple) return read
  const chosen = read.findLast(option => option.selected) ?? read.find(option => !option.disabled)
  return read.map(option => ({ ...option, selected: option === chosen }))
}

function labelOf(control: ControlDraft, draft: Draft, labels: ReadonlyMap<string, string>): string {
  const { attributes, name } = control.tag
  const value = fold(attributes.get('value') ?? '')
  const aria = fold(attributes.get('aria-label') ?? '')
  const title = fold(attributes.get('title') ?? '')
  if (/^(?:submit|button|reset|image)$/.test(control.type)) {
    return (name === 'button' ? control.text : value) || aria || title || fold(attributes.get('alt') ?? '') || value
  }
  const named = (attributes.get('aria-labelledby') ?? '')
    .split(/\s+/)
    .map(id => draft.byId.get(id) ?? '')
    .join(' ')
    .trim()
  const around = control.label?.target === undefined ? (control.label?.text ?? '') : ''
  const beside = /^(?:checkbox|radio)$/.test(control.type) ? control.after || control.before : control.before
  const placeholder = fold(attributes.get('placeholder') ?? '')
  return labels.get(attributes.get('id') ?? '') || around || named || aria || placeholder || title || excerpt(beside)
}

/** What `aria-describedby` and `aria-errormessage` of an invalid field point at. */
function fieldErrors(draft: Draft): string[] {
  return draft.controls.flatMap(({ tag: { attributes } }) => {
    if (attributes.get('aria-invalid')?.toLowerCase() !== 'true') return []
    const ids = `${attributes.get('aria-errormessage') ?? ''} ${attributes.get('aria-describedby') ?? ''}`
    return ids
      .split(/\s+/)
      .flatMap(id => draft.byId.get(id) || [])
      .map(excerpt)
  })
}

/** Longer scripts are libraries and data. */
const longestScript = 32_000

function scriptEffect(draft: Draft): ReturnType<typeof effectOf> {
  const scripts = draft.scripts.filter(({ code }) => code.length <= longestScript).slice(0, 50)
  const running = scripts.filter(({ inHead }) => !inHead).map(({ code }) => code)
  const head = scripts.filter(({ inHead }) => inHead).map(({ code }) => code)
  return effectOf([...draft.onload.slice(0, 5), ...running], head)
}

/** `5; url=/next`: quotes, comma, blanks and `url=` are all optional. Later than half a minute a person would be gone. */
function refreshTarget(content: string): string | undefined {
  const match = /^\s*(\d{1,9})(?:\.[\d.]*)?(?:\s*[;,]\s*|\s+)(?:url\s*=\s*)?(?:"([^"]*)|'([^']*)|(.+))/is.exec(content)
  const target = (match?.[2] ?? match?.[3] ?? match?.[4])?.trim()
  return match && target && Number(match[1]) <= 30 ? target : undefined
}

function webUrl(address: string, base: string): string | undefined {
  if (!URL.canParse(address, base)) return undefined
  const url = new URL(address, base)
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : undefined
}

function absoluteLink(href: string, base: string): string {
  return href === '' || href.startsWith('#') ? href : (webUrl(href, base) ?? href)
}
