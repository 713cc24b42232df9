/**
 * Contract of a place that credentials go to.
 */
import type { Credentials } from './types.ts'
import type { OptionTable } from './option.ts'
import type { Settings } from './options.ts'
import type { Log } from './log.ts'
import type { Paths } from './paths.ts'

export interface Exporter {
  /** What `plugins.post_auth` says. */
  readonly name: string
  readonly aliases?: readonly string[]
  readonly summary: string
  readonly options?: OptionTable
  /** Knows `--dry-run`: shows what would change. The others are left out then. */
  readonly previews?: true
  /** Rejects with a `Failure`; whatever was there before is still whole then. */
  write(context: ExporterContext): Promise<void>
  /** Takes back what `write` wrote, and only that. Finding nothing is success. */
  forget?(context: Omit<ExporterContext, 'credentials'>): Promise<void>
}

export interface ExporterContext {
  readonly credentials: Credentials
  readonly settings: Settings
  readonly paths: Paths
  readonly env: Readonly<Record<string, string | undefined>>
  /** True when the metadata daemon serves the keys: files must not shadow it. */
  readonly daemon: boolean
  readonly log: Log
}
