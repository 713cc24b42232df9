/**
 * `proxy.yaml` of the original, as it stands:
 *
 *     latest: 2016-09-02
 *     paths:
 *       /: [latest, 2016-09-02]
 *       2016-09-02:
 *         /meta-data: [ami-id, placement]
 *         /meta-data/ami-id: ami-12345678
 *
 * A list is a folder, text a leaf, a map JSON; in a listing, what is not text gets a slash. The file says what it
 * says: nothing of the built-in tree is mixed in, save `iam`, which is always ours.
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import type { Document, Node, YAMLMap } from 'yaml'
import { failure } from './errors.ts'
import { createPage, isNumbered, place } from './metadata-document.ts'
import type { MetadataSource, Page } from './metadata-document.ts'
import { placeIam } from './metadata-iam.ts'

export interface ProxyConfig {
  readonly source: MetadataSource
  /** What is served but looks like a mistake, each with its line. */
  readonly warnings: readonly string[]
}

/** `file` is named in what is said about it. Fails with `config` and the line. */
export function readProxyConfig(text: string, file: string, since: Date = new Date()): ProxyConfig {
  const reader = openDocument(text, file)
  const root = reader.map(reader.document.contents, 'the file')
  const latest = reader.text(reader.required(root, 'latest', 'the file'), 'latest')
  const paths = reader.map(reader.required(root, 'paths', 'the file'), 'paths')
  const tops: Entry[] = []
  const trees = new Map<string, ReadonlyMap<string, Page>>()
  const warnings: string[] = []
  for (const entry of reader.entries(paths)) {
    if (entry.key === '/') tops.push(entry)
    else trees.set(entry.key, readTree(reader, entry, since, warnings))
  }
  const newest = trees.get(latest)
  if (!newest) throw reader.fail(root, `latest is ${latest}, which is not under paths`)
  const [top] = tops
  const names = top ? reader.list(top.value, '/').map(item => item.text) : [...trees.keys(), 'latest']
  const versions = new Map([...trees, ['latest', newest] as const])
  return {
    warnings,
    source: snapshot => {
      const pages = new Map<string, Page>()
      for (const [version, tree] of versions) {
        for (const [path, page] of tree) pages.set(`/${version}${path}`, page)
        placeIam(pages, `/${version}/meta-data`, snapshot)
      }
      return pages.set('/', createPage(names.join('\n'), { modified: since }))
    },
  }
}

/** The pages of one version, by path below it: `''`, `/meta-data`, `/meta-data/ami-id`. */
function readTree(reader: Reader, version: Entry, since: Date, warnings: string[]): Map<string, Page> {
  const kinds = new Map<string, 'folder' | 'leaf' | 'json'>([[iamPath, 'folder']])
  const entries = reader
    .entries(reader.map(version.value, version.key))
    .map(entry => ({ ...entry, key: tidy(entry.key) }))
  for (const { key, value } of entries) {
    kinds.set(key, isSeq(value) ? 'folder' : isMap(value) ? 'json' : 'leaf')
  }
  const pages = new Map<string, Page>()
  for (const { key, value } of entries) {
    if (key === iamPath || key.startsWith(`${iamPath}/`)) continue
    if (!isSeq(value)) {
      const body = isMap(value) ? reader.json(value) : reader.text(value, key)
      place(pages, key, createPage(body, { modified: since }), since)
      continue
    }
    const lines = reader.list(value, key || '/').map(({ text, line }) => {
      const name = text.replace(/\/+$/, '')
      const kind = kinds.get(`${key}/${name}`)
      if (kind !== undefined) return kind === 'leaf' ? name : `${name}/`
      // Public keys are found under their number.
      if (isNumbered(name) && kinds.has(`${key}/${name.slice(0, name.indexOf('='))}`)) return name
      warnings.push(`${reader.file}:${line}: ${key}/${name} is listed, but not there`)
      return name
    })
    pages.set(key, createPage(lines.join('\n'), { modified: since }))
  }
  return pages
}

const iamPath = '/meta-data/iam'
const longestFile = 1024 * 1024

/** `/meta-data/` and `meta-data` are `/meta-data`; the root is empty. */
function tidy(path: string): string {
  return path.split('/').reduce((whole, segment) => (segment === '' ? whole : `${whole}/${segment}`), '')
}

interface Entry {
  readonly key: string
  readonly value: Node
}

type Reader = ReturnType<typeof openDocument>

/** The file with its line numbers. */
function openDocument(text: string, file: string) {
  if (text.length > longestFile) throw failure('config', `${file} has more than 1 MiB`)
  const counter = new LineCounter()
  // Keys and leaves are text as written, so that 1.0 stays 1.0.
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false })
  const [broken] = document.errors
  if (broken) {
    const { line } = counter.linePos(broken.pos[0])
    throw failure('config', `${file}:${line}: ${broken.message.split('\n')[0]?.toLowerCase() ?? 'is no YAML'}`)
  }
  const lineOf = (node: Node | null): number => counter.linePos(node?.range?.[0] ?? 0).line
  const fail = (node: Node | null, message: string): Error => {
    return failure('config', `${file}:${lineOf(node)}: ${message}`, { hint: `edit ${file}, or move it away` })
  }
  const resolve = (node: unknown): Node | null => {
    if (isAlias(node)) return node.resolve(document) ?? null
    return isScalar(node) || isMap(node) || isSeq(node) ? node : null
  }
  const scalar = (node: Node | null): string | undefined => {
    if (!isScalar(node) || node.value === null) return undefined
    return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))
  }
  const read = (node: Node | null, name: string): string => {
    const found = scalar(node)
    if (found === undefined) throw fail(node, `${name} has no value`)
    return found
  }
  const entries = (map: YAMLMap): Entry[] =>
    map.items.map(item => {
      const node = resolve(item.key)
      const key = read(node, 'a key')
      const value = resolve(item.value)
      if (value === null) throw fail(node, `${key} has no value`)
      return { key, value }
    })
  return {
    document,
    file,
    fail,
    text: (node: Node, name: string): string => read(node, name),
    entries,
    map: (node: Node | null, name: string): YAMLMap => {
      if (!isMap(node)) throw fail(node, `${name} is no map`)
      return node
    },
    required: (map: YAMLMap, key: string, name: string): Node => {
      const found = entries(map).find(entry => entry.key === key)
      if (!found) throw fail(map, `${name} has no ${key}:`)
      return found.value
    },
    list: (node: Node, name: string): { text: string; line: number }[] => {
      if (!isSeq(node)) throw fail(node, `${name} is no list`)
      return node.items.map(item => {
        const found = resolve(item)
        const line = read(found, `an entry of ${name}`)
        if (/[\r\n]/.test(line)) throw fail(found, `an entry of ${name} has more than one line`)
        return { text: line, line: lineOf(found) }
      })
    },
    json: (node: Node): string => {
      try {
        // Aliases of aliases could grow without bound.
        return JSON.stringify(toPlain(node, document), null, 2)
      } catch (error) {
        throw Object.assign(fail(node, 'cannot be shown as JSON'), { cause: error })
      }
    },
  }
}

function toPlain(node: Node, document: Document): unknown {
  return node.toJS(document, { maxAliasCount: 100 })
}
