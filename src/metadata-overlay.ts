/**
 * One more page, or one less, in pages that are there already: the listings above it say so, too.
 */
import { createPage, isNumbered, type Page } from './metadata-document.ts'

/**
 * `root` is the version, `/latest`, or empty for the pages of one version alone; `path` is below it. Whatever stood at
 * the path or below it is gone. `public-keys/1=deploy/openssh-key` is found under `public-keys/1`.
 */
export function putPage(pages: Map<string, Page>, root: string, path: string, page: Page, modified: Date): void {
  const segments = path.split('/')
  const keys = segments.map(segment => (isNumbered(segment) ? segment.slice(0, segment.indexOf('=')) : segment))
  for (let depth = 0; depth < segments.length; depth += 1) {
    const key = keyOf(root, keys.slice(0, depth))
    const isFolder = depth < segments.length - 1
    // A version lists its trees without a slash.
    const line =
      isFolder && depth > 0 && !isNumbered(segments[depth] ?? '') ? `${segments[depth]}/` : (segments[depth] ?? '')
    pages.set(key, createPage(withLine(linesOf(pages, key), line).join('\n'), { modified }))
  }
  dropBelow(pages, keyOf(root, keys))
  pages.set(keyOf(root, keys), page)
}

/** The page, all below it, and every folder that has nothing left in it. */
export function removePage(pages: Map<string, Page>, root: string, path: string, modified: Date): void {
  const segments = path.split('/')
  if (!pages.has(keyOf(root, segments))) return
  dropBelow(pages, keyOf(root, segments))
  pages.delete(keyOf(root, segments))
  const [name, folder] = [segments.at(-1) ?? '', segments.slice(0, -1)]
  const lines = linesOf(pages, keyOf(root, folder)).filter(line => nameOf(line) !== name)
  if (lines.length === 0 && folder.length > 0) removePage(pages, root, folder.join('/'), modified)
  else pages.set(keyOf(root, folder), createPage(lines.join('\n'), { modified }))
}

function keyOf(root: string, segments: readonly string[]): string {
  return [root, ...segments].join('/')
}

/** None where there is no folder: a page without any below it is a value. */
function linesOf(pages: ReadonlyMap<string, Page>, key: string): string[] {
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

function dropBelow(pages: Map<string, Page>, key: string): void {
  for (const other of pages.keys()) if (other.startsWith(`${key}/`)) pages.delete(other)
}

/** `/latest`, `/2016-09-02`: where the trees of all versions stand. */
export function versionRoots(pages: ReadonlyMap<string, Page>): string[] {
  return [...pages.keys()].filter(key => /^\/[^/]+$/.test(key))
}
