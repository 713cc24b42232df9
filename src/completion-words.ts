/**
 * The words of the command line, as completions need them.
 */
import type { CommandSummary } from './help.ts'
import type { Option, OptionTable } from './option.ts'

export interface CommandWords extends CommandSummary {
  readonly options: OptionTable
}

export interface Grammar {
  readonly commands: readonly CommandWords[]
  /** Of the command without a name. */
  readonly options: OptionTable
}

/** What follows an option: nothing, one of these, a file, a folder, anything. */
export type Value = { kind: 'none' | 'file' | 'folder' | 'any' } | { kind: 'words'; words: readonly string[] }

export function valueOf(option: Option): Value {
  if (option.type === 'boolean') return { kind: 'none' }
  if (option.values) return { kind: 'words', words: option.values }
  if (option.value === 'FILE') return { kind: 'file' }
  return { kind: option.value === 'DIR' ? 'folder' : 'any' }
}

/** `--username` and `-u`; the older long spellings are understood, but not offered. */
export function spellingsOf(name: string, option: Option): string[] {
  return [`--${name}`, ...letters(option).map(letter => `-${letter}`)]
}

export function letters(option: Option): string[] {
  return (option.alias ?? []).filter(alias => alias.length === 1)
}

/** The words that may follow a command, as its usage has them: `up|down|status`. */
export function argumentsOf(command: CommandSummary): string[] {
  return /^[a-z-]+(\|[a-z-]+)+$/.test(command.usage ?? '') ? (command.usage ?? '').split('|') : []
}

/** Every option there is, once. */
export function allOptions(grammar: Grammar): OptionTable {
  return Object.assign({}, ...grammar.commands.map(command => command.options), grammar.options) as OptionTable
}

/** For shells that quote with `'` and know no escape inside. */
export function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}
