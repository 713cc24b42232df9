/**
 * `bun run site`: the documents as a static site with a search, in dist/site/html. A link that leads nowhere fails it.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { commandsPage, optionsPage } from './site-reference.ts'
import { install, root, say, seconds, shell, stop, tool } from './tools.ts'

const place = join(root, 'dist', 'site')
const source = join(place, 'source')

/** In the order of the sidebar; what is in docs/ and not named here follows under its own heading. */
const chapters: readonly (readonly [title: string, pages: readonly string[]])[] = [
  ['Start', ['index.md', 'docs/install.md', 'docs/identity-providers.md', 'docs/moving.md', 'docs/troubleshooting.md']],
  ['Reference', ['reference/commands.md', 'reference/options.md']],
  ['The project', ['SECURITY.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md']],
]

function collect(): void {
  rmSync(place, { recursive: true, force: true })
  mkdirSync(join(source, 'reference'), { recursive: true })
  cpSync(join(root, 'docs'), join(source, 'docs'), { recursive: true })
  for (const name of ['SECURITY.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md']) {
    cpSync(join(root, name), join(source, name))
  }
  cpSync(join(root, 'README.md'), join(source, 'index.md'))
  writeFileSync(join(source, 'reference/commands.md'), commandsPage())
  writeFileSync(join(source, 'reference/options.md'), optionsPage())
  for (const page of pagesIn('.')) {
    const file = join(source, page)
    writeFileSync(file, inside(readFileSync(file, 'utf8'), page))
  }
}

/** README is the first page, and what is no page is shown as a name. */
function inside(text: string, page: string): string {
  return text.replaceAll(
    /\[([^\]\n]+)\]\((?![a-z]+:)([^)\s#]*)(#[^)\s]*)?\)/g,
    (whole, label: string, target: string) => {
      if (target === '' || target.endsWith('.md')) return whole.replace(/README\.md/, 'index.md')
      const path = join(dirname(page), target)
      return path.endsWith('.json') ? `${label} (\`${path}\` in the repository)` : label
    },
  )
}

function pagesIn(folder: string): string[] {
  return readdirSync(join(source, folder), { withFileTypes: true }).flatMap(entry =>
    entry.isDirectory()
      ? pagesIn(join(folder, entry.name))
      : entry.name.endsWith('.md')
        ? [join(folder, entry.name)]
        : [],
  )
}

function titleOf(page: string): string {
  return /^# (.+)$/m.exec(readFileSync(join(source, page), 'utf8'))?.[1] ?? page
}

function sidebar(): object[] {
  const named = new Set(chapters.flatMap(([, pages]) => pages))
  const [first, ...rest] = chapters
  const others = pagesIn('docs')
    .filter(page => !named.has(page))
    .toSorted()
  return [...(first ? [first] : []), ['In use', others] as const, ...rest].map(([text, pages]) => ({
    text,
    items: pages.map(page => ({
      text: page === 'index.md' ? 'cloudtoken' : titleOf(page),
      link: `/${page.replace(/\.md$/, '')}`,
    })),
  }))
}

const start = performance.now()
await install()
collect()
writeFileSync(join(place, 'sidebar.json'), JSON.stringify(sidebar(), undefined, 2))
const { code, output } = await shell(tool('vitepress'), ['build', 'site'], { quiet: true, env: { NO_COLOR: '1' } })
if (code !== 0) stop(output)
say(`dist/site/html  ${pagesIn('.').length} pages  ${seconds(start)}`)
