/**
 * What an option is, and what a table of options is once it is resolved. A provider's or exporter's own options have
 * the same shape as those of the core.
 */

export type OptionValue = string | number | boolean | readonly string[]

export interface Option {
  readonly type: 'boolean' | 'string' | 'integer'
  readonly summary: string
  /** One-letter spellings and older long ones. */
  readonly alias?: readonly string[]
  /** Name of the value in the help: `--url URL`. */
  readonly value?: string
  readonly default?: OptionValue
  /** May be given several times; the value is a list. */
  readonly repeat?: true
  /** Said again, the value goes to this list, in tables that have it. */
  readonly again?: string
  /** With `repeat`: a list of config.yaml as it stands, else the one value; never split at commas. */
  readonly verbatim?: true
  /** Given as '', it takes back what config.yaml says. */
  readonly mayBeEmpty?: true
  /** Never echoed, never handed to another process. */
  readonly secret?: true
  /** Only the command line may say it: an act, not a setting. */
  readonly act?: true
  /** The only values allowed. */
  readonly values?: readonly string[]
  /** Bounds of an integer, both allowed. */
  readonly range?: readonly [number, number]
}

export type OptionTable = Readonly<Record<string, Option>>

/** `session-duration` and `session_duration` are `sessionDuration` in code. */
export function camelCase(name: string): string {
  return name.replace(/[-_]+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

type Camel<S extends string> = S extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S
type ValueOf<O extends Option> = O extends { repeat: true }
  ? readonly string[]
  : O['type'] extends 'boolean'
    ? boolean
    : O extends { default: string }
      ? string
      : O extends { default: number }
        ? number
        : (O['type'] extends 'integer' ? number : string) | undefined

/** A table resolved: camelCase names; booleans are never undefined, lists never absent. */
export type Resolved<T extends OptionTable> = {
  readonly [K in keyof T & string as Camel<K>]: ValueOf<T[K]>
}
