/**
 * `plugins list`: what is built in, what was found and where, and the SHA-256 that `plugins trust` would pin.
 */
import { isFailure, messageOf } from './errors.ts'
import { exporterNames } from './exporters.ts'
import type { Log } from './log.ts'
import { checkSafe, listPlugins, sha256Of, type Found } from './plugin-find.ts'
import type { Trust } from './plugin-trust.ts'
import type { Plugins } from './plugins.ts'
import { providerNames } from './providers.ts'

interface Row {
  readonly name: string
  /** `null` of one that is refused or broken: it was not asked. */
  readonly kind: string | null
  /** `null` when it is built in. */
  readonly path: string | null
  readonly sha256: string | null
  readonly trust: Trust | 'built in' | 'refused'
  readonly summary: string | null
  readonly problem?: string
}

export async function listCommand(plugins: Plugins, log: Log, json: boolean): Promise<number> {
  const built = (kind: string, names: readonly string[]): Row[] =>
    names.map(name => ({ name, kind, path: null, sha256: null, trust: 'built in', summary: null }))
  const rows = [...built('provider', providerNames()), ...built('exporter', exporterNames())]
  for (const found of listPlugins(plugins.places)) rows.push(await rowOf(found, plugins))
  if (json) log.print(JSON.stringify(rows, undefined, 2))
  else for (const line of linesOf(rows)) log.print(line)
  return 0
}

async function rowOf(found: Found, plugins: Plugins): Promise<Row> {
  const { name, path } = found
  const about = { name, path, kind: null, sha256: null, summary: null }
  try {
    checkSafe(found)
    const looked = { ...about, sha256: sha256Of(found), trust: plugins.trust.of(found) }
    if (looked.trust === 'changed') {
      return { ...looked, problem: `it has changed since it was trusted: cloudtoken plugins trust ${name}` }
    }
    try {
      const { kind, summary } = await plugins.describe(found)
      return { ...looked, kind, summary }
    } catch (error) {
      return { ...looked, problem: messageOf(error) }
    }
  } catch (error) {
    const hint = isFailure(error) && error.hint ? `; ${error.hint}` : ''
    return { ...about, trust: 'refused', problem: `${messageOf(error)}${hint}` }
  }
}

function linesOf(rows: readonly Row[]): string[] {
  const columns = rows.map(row => [row.name, row.kind ?? '?', row.trust === 'free' ? 'not pinned' : row.trust])
  const widths = [0, 1, 2].map(index => Math.max(...columns.map(column => column[index]?.length ?? 0)))
  return rows.flatMap((row, at) => {
    const cells = columns[at]?.map((cell, index) => cell.padEnd(widths[index] ?? 0)) ?? []
    const first = [...cells, row.summary ?? ''].join('  ').trimEnd()
    if (row.path === null) return [first]
    return [
      first,
      `    ${row.path}`,
      `    sha256 ${row.sha256 ?? 'unknown'}`,
      ...(row.problem ? [`    ${row.problem}`] : []),
    ]
  })
}
