/**
 * Contract of a sign-in source. Built-in, plugin and test double are the same plain object.
 */
import type { Assertion, Clock } from './types.ts'
import type { OptionTable } from './option.ts'
import type { Settings } from './options.ts'
import type { HttpSession } from './http.ts'
import type { Log } from './log.ts'

export interface Provider {
  /** What `--provider` and `plugins.auth` say. */
  readonly name: string
  readonly aliases?: readonly string[]
  /** One line for lists and help. */
  readonly summary: string
  /** Options beyond the core table; they arrive in `settings.extra`. */
  readonly options?: OptionTable
  /** Each sign-in proves anew who this is, as a job of CI does: nothing of it may serve another process. */
  readonly ephemeral?: true
  /** Files whose change may mean other credentials. */
  dependsOn?(settings: Settings): readonly string[]
  /** Tells apart what such a file may say; empty where it says nothing. */
  variant?(settings: Settings): string
  /** Its pages are shown in the person's own browser, whatever `--browser` says. */
  readonly inBrowser?: true
  /** Of a session that other programs share: the file that changes when somebody signs in with one of them. */
  signInFile?(settings: Settings): string | undefined
  /** The page that a browser opens to sign in; fails with `config` when the settings do not say. Absent: there is none. */
  entry?(settings: Settings): string
  /** Rejects with a `Failure`; never prompts but through `ask`. */
  authenticate(context: ProviderContext): Promise<Assertion>
  /** Drops what it keeps outside of `store`, and ends the session elsewhere; the host drops the files. */
  forget?(context: Pick<ProviderContext, 'settings' | 'store' | 'http' | 'clock' | 'signal' | 'log'>): Promise<void>
}

export interface ProviderContext {
  readonly settings: Settings
  readonly username: string
  /**
   * Asked for only when a page wants it: file, environment, keyring, then the person.
   * `refused: true` says that the last one was wrong: a stored one is dropped and a person is asked.
   */
  password(options?: { refused?: boolean }): Promise<string>
  readonly ask: Ask
  /** Bound to this identity's cookie jar. */
  readonly http: HttpSession
  /** Small private files of this identity. */
  readonly store: Store
  /** For what must not lie there in plain. */
  readonly secrets: Secrets
  /** In `refresh` nothing prompts: `ask` rejects with kind `person`. */
  readonly mode: 'login' | 'refresh'
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly log: Log
}

export interface Choice<T> {
  readonly value: T
  readonly label: string
  readonly hint?: string
}

/** The host prompts; a provider never owns the terminal. Every method rejects with kind `person` where nobody can answer. */
export interface Ask {
  text(message: string, initial?: string): Promise<string>
  secret(message: string): Promise<string>
  choose<T>(message: string, choices: readonly Choice<T>[]): Promise<T>
  confirm(message: string, initial?: boolean): Promise<boolean>
  /** Shown to the person; no answer expected. In `refresh` it goes to the log. */
  tell(message: string): void
  /** False when nobody can answer; absent when that shows only with a question. */
  readonly interactive?: boolean
}

/** Sealed files, as `--secret-store` says; where it says `none`, they are kept as long as the program runs. */
export interface Secrets {
  /** `undefined` when there is none, or when it cannot be opened here and now. */
  read(name: string): Promise<string | undefined>
  /** False when it is not kept beyond this run. */
  write(name: string, text: string): Promise<boolean>
  remove(name: string): void
  /** Good enough for what has no end of its own, such as a password or a long-term key. */
  guarded(): Promise<boolean>
}

export interface Store {
  read(name: string): string | undefined
  write(name: string, text: string): void
  remove(name: string): void
  /** Where the text of that name lies, for messages; absent when the store is no folder. */
  pathOf?(name: string): string
}
