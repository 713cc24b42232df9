/**
 * Contract of what third parties add. Executables and modules come out as the same plain objects.
 */
import type { Stage } from './config.ts'
import type { ExporterContext } from './exporter.ts'
import type { OptionTable } from './option.ts'
import type { Settings } from './options.ts'
import type { Ask, ProviderContext, Store } from './provider.ts'
import type { Log } from './log.ts'
import type { Assertion, Credentials } from './types.ts'

/** What one plugin of the run left for those after it; a renewal replaces it in place. The names are the original's. */
export interface DataEntry {
  readonly plugin: string
  readonly data: unknown
  /** `data` is the SAMLResponse in base64; only plugins of the auth stage are shown such an entry. */
  readonly contains_samlresponse?: true
}

/** What every plugin is given, whatever it is. */
export interface PluginContext {
  readonly settings: Settings
  readonly username: string
  readonly stage: Stage
  /** Results so far, in the order of the run. */
  readonly data: readonly DataEntry[]
  /** Set when the daemon renews; empty on the first run. */
  readonly flags: { readonly daemon_mode?: true }
  /** In `refresh` nothing prompts: `ask` rejects with kind `person`. */
  readonly mode: 'login' | 'refresh'
  readonly ask: Ask
  /** Small private files; they go at `cloudtoken logout`. */
  readonly store: Store
  /** Where a plugin of another process keeps its files; to be made private before it is handed over. */
  readonly folder: string
  readonly signal: AbortSignal
  readonly log: Log
}

/** What `forget` is given, after `cloudtoken logout`. */
export type ForgetContext = PluginContext &
  Omit<ExporterContext, 'credentials'> &
  Pick<ProviderContext, 'http' | 'clock'>

interface About {
  readonly name: string
  readonly summary: string
  /** Options beyond the core table; they arrive in `settings.extra` by camelCase name. */
  readonly options?: OptionTable
}

/** Signs in. */
export interface ProviderPlugin extends About {
  /** The page that a browser opens to sign in. */
  entry?(settings: Settings): string
  dependsOn?(settings: Settings): readonly string[]
  variant?(settings: Settings): string
  /** Each sign-in proves anew who this is: nothing of it may serve another process. */
  readonly ephemeral?: true
  /** Its pages are shown in the person's own browser. */
  readonly inBrowser?: true
  /** Of a session that other programs share: the file that changes when somebody signs in with one of them. */
  signInFile?(settings: Settings): string | undefined
  authenticate(context: ProviderContext & PluginContext): Promise<Assertion>
  forget?(context: ForgetContext): Promise<void>
}

/** Hands credentials on. What `write` returns is data for the plugins after it. */
export interface ExporterPlugin extends About {
  /** Knows `--dry-run`: shows what would change. The others are left out then. */
  readonly previews?: true
  write(context: ExporterContext & PluginContext): Promise<unknown>
  forget?(context: ForgetContext): Promise<void>
}

/** A step of its own in any stage, such as a check before the sign-in: rejecting ends the run. */
export interface StagePlugin extends About {
  /** `credentials` after the role was taken. What it returns is data for the plugins after it. */
  run(context: PluginContext & { readonly credentials?: Credentials }): Promise<unknown>
  forget?(context: ForgetContext): Promise<void>
}

export type Plugin =
  | { readonly kind: 'provider'; readonly plugin: ProviderPlugin }
  | { readonly kind: 'exporter'; readonly plugin: ExporterPlugin }
  | { readonly kind: 'stage'; readonly plugin: StagePlugin }

export type PluginKind = Plugin['kind']

/** What a plugin says about itself, without doing anything. */
export interface Description extends About {
  readonly kind: PluginKind
  readonly options: OptionTable
  /** More than the summary, for `--help`. */
  readonly help?: string
}
