/**
 * One more page, or one less, in pages that are there already: the listings above it say so, too.
 */
import { createPage, isNumbered, type Page, type Pages } from './metadata-document.ts'

/** The pages of one version, by what follows its name: `''`, `/meta-data/ami-id`. */
export type VersionPages = Map<string, Page>

/** The same change in every version. */
export function changeVersions(pages: Pages, change: (version: VersionPages) => void): Pages {
  const all = new Map<string, Page>()
  const versions = new Map<string, VersionPages>()
  for (const [key, page] of pages) {
    const name = /^\/[^/]+/.exec(key)?.[0]
    if (name === undefined) {
      all.set(key, page)
      continue
    }
    const version = versions.get(name) ?? new Map<string, Page>()
    versions.set(name, version.set(key.slice(name.length), page))
  }
  // Versions that begin with one and the same page are one tree under several names.
  const changed = new Map<Page, VersionPages>()
  for (const [name, version] of versions) {
    const top = version.get('')
    const tree = (top && changed.get(top)) ?? version
    if (tree === version) change(version)
    if (top) changed.set(top, tree)
    for (const [path, page] of tree) all.set(name + path, page)
  }
  return all
}

/**
 * Whatever stood at the path or below it is gone. `public-keys/1=deploy/openssh-key` is found under `public-keys/1`.
 */
export function putPage(pages: VersionPages, path: string, page: Page, modified: Date): void {
  const segments = path.split('/')
  const keys = segments.map(segment => (isNumbered(segment) ? segment.slice(0, segment.indexOf('=')) : segment))
  for (let depth = 0; depth < segments.length; depth += 1) {
    const key = keyOf(keys.slice(0, depth))
    const isFolder = depth < segments.length - 1
    // A version lists its trees without a slash.
    const line =
      isFolder && depth > 0 && !isNumbered(segments[depth] ?? '') ? `${segments[depth]}/` : (segments[depth] ?? '')
    pages.set(key, createPage(withLine(linesOf(pages, key), line).join('\n'), { modified }))
  }
  dropBelow(pages, keyOf(keys))
  pages.set(keyOf(keys), page)
}

/** The page, all below it, and every folder that has nothing left in it. */
export function removePage(pages: VersionPages, path: string, modified: Date): void {
  const segments = path.split('/')
  if (!pages.has(keyOf(segments))) return
  dropBelow(pages, keyOf(segments))
  pages.delete(keyOf(segments))
  const [name, folder] = [segments.at(-1) ?? '', segments.slice(0, -1)]
  const lines = linesOf(pages, keyOf(folder)).filter(line => nameOf(line) !== name)
  if (lines.length === 0 && folder.length > 0) removePage(pages, folder.join('/'), modified)
  else pages.set(keyOf(folder), createPage(lines.join('\n'), { modified }))
}

function keyOf(segments: readonly string[]): string {
  return ['', ...segments].join('/')
}

/** None where there is no folder: a page without any below it is a value. */
function linesOf(pages: Pages, key: string): string[] {
  const body = pages.get(key)?.body
  const isFolder = typeof body === 'string' && pages.keys().some(other => other.startsWith(`${key}/`))
  return isFolder && body !== '' ? body.split('\n') : []
}

/** In its place by name, as EC2 lists; where a line of that name is, it stays. */
function withLine(lines: readonly string[], line: string): string[] {
  const name = nameOf(line)
  const here = lines.findIndex(other => nameOf(other) === name)
  const numbered = here !== -1 && isNumbered(lines[here] ?? '') && !isNumbered(line)
  if (here !== -1) return numbered ? [...lines] : lines.with(here, line)
  const next = lines.findIndex(other => nameOf(other) > name)
  return lines.toSpliced(next === -1 ? lines.length : next, 0, line)
}

function nameOf(line: string): string {
  return isNumbered(line) ? line.slice(0, line.indexOf('=')) : line.replace(/\/$/, '')
}

function dropBelow(pages: VersionPages, key: string): void {
  for (const other of pages.keys()) if (other.startsWith(`${key}/`)) pages.delete(other)
}
