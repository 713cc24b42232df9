/**
 * What `cloudtoken plugins types` prints: the contracts for the authors of modules, in one file that needs nothing else.
 * test/plugin-types.test.ts holds it to the contracts themselves.
 */
export const pluginTypes = `/**
 * Types for plugins of cloudtoken, protocol 1. Written by: cloudtoken plugins types > cloudtoken.d.ts
 *
 * A plugin is a file NAME.ts or NAME.js in plugins/ of the configuration folder. Its default export is a ProviderPlugin,
 * an ExporterPlugin or a StagePlugin, or a function that is given the Api and returns one.
 */
export interface Option {
  readonly type: 'boolean' | 'string' | 'integer'
  readonly summary: string
  /** One-letter spellings and further long ones. */
  readonly alias?: readonly string[]
  /** Name of the value in the help: \`--url URL\`. */
  readonly value?: string
  readonly default?: string | number | boolean | readonly string[]
  /** May be given several times; the value is a list. */
  readonly repeat?: true
  /** Never echoed, never handed to another process. */
  readonly secret?: true
  /** The only values allowed. */
  readonly values?: readonly string[]
  /** Bounds of an integer, both allowed. */
  readonly range?: readonly [number, number]
}

/** All options resolved. Those of plugins are in \`extra\`, by camelCase name: \`--vpn-host\` is \`extra.vpnHost\`. */
export interface Settings {
  readonly url: string | undefined
  readonly region: string | undefined
  readonly identity: string | undefined
  readonly sessionDuration: number | undefined
  readonly noInput: boolean
  readonly quiet: boolean
  readonly debug: boolean
  readonly extra: Readonly<Record<string, string | number | boolean | readonly string[]>>
}

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken: string
  readonly expiration: Date
  readonly issued: Date
  readonly roleArn: string
  readonly accountId: string
  readonly samlProvider?: string
  readonly issuer?: string
  readonly assumedRoleArn?: string
}

/** What a sign-in brings home. */
export type Assertion =
  /** The SAMLResponse as posted, base64. */
  | { readonly kind: 'saml'; readonly response: string }
  | { readonly kind: 'oidc'; readonly token: string; readonly role?: string }
  | { readonly kind: 'credentials'; readonly credentials: Credentials }

export interface Choice<T> {
  readonly value: T
  readonly label: string
  readonly hint?: string
}

/** cloudtoken asks; a plugin never reads the terminal. All reject where nobody can answer, as in a renewal. */
export interface Ask {
  text(message: string, initial?: string): Promise<string>
  secret(message: string): Promise<string>
  choose<T>(message: string, choices: readonly Choice<T>[]): Promise<T>
  confirm(message: string, initial?: boolean): Promise<boolean>
  /** Shown; no answer expected. */
  tell(message: string): void
}

/** Small private files, by name. */
export interface Store {
  read(name: string): string | undefined
  write(name: string, text: string): void
  remove(name: string): void
}

export interface Log {
  warn(message: string, hint?: string): void
  /** For a person who waits. */
  info(message: string): void
  /** Only under --debug. */
  debug(message: string): void
}

/** Redirects, cookies and time limits included; the cookies of a provider are kept for its renewals. */
export interface Http {
  request(request: {
    readonly url: string
    readonly method?: 'GET' | 'POST' | 'HEAD'
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string | Uint8Array
    /** True for a body with a secret in it: it is not resent. */
    readonly sensitive?: boolean
  }): Promise<{
    readonly url: string
    readonly status: number
    readonly headers: Headers
    readonly bytes: Uint8Array
    readonly text: string
  }>
}

/** What one plugin of the run left for those after it; a renewal replaces it in place. */
export interface DataEntry {
  readonly plugin: string
  readonly data: unknown
  readonly contains_samlresponse?: true
}

export interface PluginContext {
  readonly settings: Settings
  readonly username: string
  readonly stage: 'pre_auth' | 'auth' | 'post_auth'
  /** Results so far, in the order of the run: by position, or by name. */
  readonly data: readonly DataEntry[]
  /** Set when the daemon renews; empty on the first run. */
  readonly flags: { readonly daemon_mode?: true }
  readonly mode: 'login' | 'refresh'
  readonly ask: Ask
  readonly store: Store
  /** Aborts when cloudtoken ends. */
  readonly signal: AbortSignal
  readonly log: Log
}

export interface ProviderContext extends PluginContext {
  /** From a file, a variable, the keyring, or the person. \`refused\`: the last one was wrong. */
  password(options?: { refused?: boolean }): Promise<string>
  readonly http: Http
  /** Small files that are sealed as --secret-store says; \`write\` answers false where nothing may be kept. */
  readonly secrets: {
    read(name: string): Promise<string | undefined>
    write(name: string, text: string): Promise<boolean>
    remove(name: string): void
  }
}

export interface ExporterContext extends PluginContext, Surroundings {
  readonly credentials: Credentials
}

export interface Surroundings {
  readonly paths: { readonly home: string; readonly config: string; readonly state: string }
  readonly env: Readonly<Record<string, string | undefined>>
  /** True when the metadata daemon serves the keys. */
  readonly daemon: boolean
}

interface About {
  readonly name: string
  /** One line for lists and help. */
  readonly summary: string
  readonly options?: Readonly<Record<string, Option>>
  /** After \`cloudtoken logout\`: takes back what it left. Finding nothing is success. */
  forget?(context: PluginContext & Surroundings): Promise<void>
}

/** For plugins.auth: signs in. */
export interface ProviderPlugin extends About {
  /** The page that \`--browser\` opens in the place of the plugin's own walk. */
  entry?(settings: Settings): string
  authenticate(context: ProviderContext): Promise<Assertion>
}

/** For plugins.post_auth: hands credentials on. What it returns is data for the plugins after it. */
export interface ExporterPlugin extends About {
  write(context: ExporterContext): Promise<unknown>
}

/** For any stage: a step of its own. Rejecting ends the run. */
export interface StagePlugin extends About {
  run(context: PluginContext & { readonly credentials?: Credentials }): Promise<unknown>
}

/** The kind decides the exit code: 50, 10, 11, 12, 20, 30, 31. */
export type FailureKind = 'plugin' | 'refused' | 'person' | 'role' | 'config' | 'network' | 'sts'

export interface Api {
  /** An error for a person to read: \`throw api.failure('network', 'the VPN is down', { hint: 'connect it' })\` */
  failure(kind: FailureKind, message: string, detail?: { hint?: string; code?: string }): Error
  /** A provider that walks the pages of an identity provider by itself; it needs only the address to begin at. */
  formProvider(
    about: { readonly name: string; readonly summary: string; readonly options?: Readonly<Record<string, Option>> },
    recipe: { entry(settings: Settings): string },
  ): ProviderPlugin
  /** Runs a program to its end, without a shell. */
  run(
    command: string,
    args: readonly string[],
    options?: { readonly input?: string; readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>
  /** From here on every log shows stars for this text. */
  keepSecret(value: string): void
}
`
