/**
 * The webtop of F5 APM as its script sees it: a list of resources in XML, and what each of them is called.
 */
import { failure } from './errors.ts'
import { formFailure } from './form-failure.ts'
import { readMemory, remember } from './form-memory.ts'
import { addressAt, clean, place } from './form-text.ts'
import type { Walk } from './form-walk.ts'
import type { HttpRequest } from './http.ts'
import { parseXml, walkXml, type XmlElement } from './xml.ts'

interface Resource {
  /** `/Common/AWS` */
  readonly id: string
  readonly caption: string
}

/** F5 does not read percent-encoded slashes. */
export function resourceAddress(origin: string, id: string): URL {
  return new URL(`/saml/idp/res?id=${encodeURIComponent(id).replaceAll('%2F', '/')}`, origin)
}

/** The resource that `--app-id` names by its name or caption, the only one, the one chosen before, or the person's choice. */
export async function openF5Resource(walk: Walk): Promise<HttpRequest> {
  const { context, entry } = walk
  const { appId } = context.settings
  const resources = await resourcesOf(walk)
  if (appId && resources.length === 0) return { url: resourceAddress(entry.origin, `/Common/${appId}`).href }
  const wanted = appId ? resources.filter(resource => namesOf(resource).includes(appId.toLowerCase())) : resources
  const [only, ...others] = wanted
  if (!only) {
    const offered = resources.map(({ caption }) => caption).join(', ')
    const message = offered
      ? `${entry.host} has no app “${clean(appId ?? '', 60)}”, but: ${offered}`
      : `the webtop of ${entry.host} lists no apps`
    throw failure('config', message, {
      hint: 'cloudtoken --app-id /Common/NAME, the SAML resource for AWS',
      code: 'app-missing',
    })
  }
  const chosen = others.length === 0 ? only : await choose(walk, wanted)
  return { url: resourceAddress(entry.origin, chosen.id).href }
}

async function choose({ context, entry }: Walk, resources: readonly Resource[]): Promise<Resource> {
  const { ask, store } = context
  const key = `${entry.host} app`
  const before = resources.find(({ id }) => id === readMemory(store).choices[key])
  if (before) return before
  const choices = resources.map(value => ({ value, label: value.caption }))
  const chosen = await ask.choose(`Choose the app for AWS (${entry.host})`, choices)
  remember(store, memory => ({ choices: { ...memory.choices, [key]: chosen.id } }))
  return chosen
}

function namesOf({ id, caption }: Resource): string[] {
  return [id, id.slice(id.lastIndexOf('/') + 1), caption].map(name => name.toLowerCase())
}

async function resourcesOf(walk: Walk): Promise<Resource[]> {
  const list = await xmlAt(walk, '/vdesk/resource_list.xml?resourcetype=res')
  const details = list.find(({ name, attributes }) => name === 'opt' && attributes.get('type') === 'available_rq')
  const entries = list
    .filter(({ name, attributes }) => name === 'list' && /saml/i.test(attributes.get('type') ?? ''))
    .flatMap(({ children }) => children)
    .filter(({ name, text }) => name === 'entry' && text.trim().startsWith('/'))
  const resources: Resource[] = []
  for (const { text, attributes } of entries) {
    const id = text.trim()
    const query = `?${attributes.get('param') ?? 'resource'}=${encodeURIComponent(id).replaceAll('%2F', '/')}`
    const about =
      entries.length > 1 && details ? await xmlAt(walk, `${details.attributes.get('uri') ?? ''}${query}`) : []
    const caption = about.find(({ name }) => name === 'caption')?.text ?? ''
    resources.push({ id, caption: clean(caption, 80) || id })
  }
  return resources
}

/** Every element of the answer; none where it is no XML. */
async function xmlAt({ context, entry }: Walk, path: string): Promise<readonly XmlElement[]> {
  const url = addressAt(entry.origin, path)
  if (url === undefined) throw formFailure('idp-error', `${entry.host} leads on to ${place(path)}`)
  const { status, text } = await context.http.request({
    url,
    headers: { accept: 'application/xml, text/xml' },
  })
  if (status >= 400) return []
  try {
    return walkXml(parseXml(text))
  } catch {
    return []
  }
}
