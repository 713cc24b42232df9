/**
 * HTML as a browser would see it, as far as signing in needs it: forms with their controls, hops, texts.
 */
import { readControls, type OwnedControl } from './html-control.ts'
import type { Draft, FormDraft } from './html-draft.ts'
import type { Form, Page } from './html-page.ts'
import { readDraft } from './html-read.ts'
import { effectOf, longestScript, mostScripts } from './html-script.ts'
import { excerpt, textsNamed } from './html-text.ts'
import { canonicalCharset, charsetOf } from './http-charset.ts'
import type { HttpResponse } from './http.ts'

export type { Control, Form, Page } from './html-page.ts'
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
    texts: draft.byId,
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

/** What `aria-describedby` and `aria-errormessage` of an invalid field point at. */
function fieldErrors(draft: Draft): string[] {
  return draft.controls.flatMap(({ tag: { attributes } }) => {
    if (attributes.get('aria-invalid')?.toLowerCase() !== 'true') return []
    const told = ['aria-errormessage', 'aria-describedby'].map(name => textsNamed(attributes.get(name), draft.byId))
    return told.flat().map(excerpt)
  })
}

function scriptEffect(draft: Draft): ReturnType<typeof effectOf> {
  const scripts = draft.scripts.filter(({ code }) => code.length <= longestScript).slice(0, mostScripts)
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
