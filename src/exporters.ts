/**
 * The exporters by name. The only place that knows which there are; each is loaded when somebody asks for it.
 */
import type { Exporter } from './exporter.ts'
import { unknownName } from './names.ts'

interface Entry {
  readonly name: string
  /** Short forms, and the packages of the original. */
  readonly aliases: readonly string[]
  load(): Promise<Exporter>
}

const entries: readonly Entry[] = [
  {
    name: 'export_credentials_json',
    aliases: ['json', 'json_exporter'],
    load: async () => (await import('./exporter-json.ts')).exportJson,
  },
  {
    name: 'export_credentials_shell',
    aliases: ['shell', 'shell_exporter'],
    load: async () => (await import('./exporter-shell.ts')).exportShell,
  },
  {
    name: 'export_credentials_awscli',
    aliases: ['awscli', 'export_credentials_cli', 'awscli_exporter'],
    load: async () => (await import('./exporter-awscli.ts')).exportAwscli,
  },
  {
    name: 'export_credentials_ci',
    aliases: ['ci'],
    load: async () => (await import('./exporter-ci.ts')).exportCi,
  },
]

export function isExporter(name: string): boolean {
  return entryOf(name) !== undefined
}

/** By name or alias, dashes as good as underscores. Rejects by `config` for a name that is none. */
export async function findExporter(name: string): Promise<Exporter> {
  const entry = entryOf(name)
  if (!entry)
    throw unknownName(`there is no exporter ${JSON.stringify(name)}`, name.replaceAll('-', '_'), exporterNames())
  return entry.load()
}

function entryOf(name: string): Entry | undefined {
  const wanted = name.replaceAll('-', '_')
  return entries.find(candidate => candidate.name === wanted || candidate.aliases.includes(wanted))
}

/** Full names, in the order of the documents. */
export function exporterNames(): string[] {
  return entries.map(entry => entry.name)
}
