/**
 * For fish.
 */
import { argumentsOf, letters, valueOf, type Grammar } from './completion-words.ts'
import type { Option, OptionTable } from './option.ts'

export function fishCompletion(grammar: Grammar): string {
  const names = grammar.commands.map(command => command.name).join(' ')
  const bare = `not __fish_seen_subcommand_from ${names}`
  const lines = ['# fish completion for cloudtoken', 'complete -c cloudtoken -f']
  for (const command of grammar.commands) {
    lines.push(`complete -c cloudtoken -n __fish_is_first_arg -a ${command.name} -d ${quoted(command.summary)}`)
  }
  lines.push(...optionLines(grammar.options, bare))
  for (const command of grammar.commands) {
    const seen = `__fish_seen_subcommand_from ${command.name}`
    const words = argumentsOf(command).join(' ')
    if (words !== '') lines.push(`complete -c cloudtoken -n ${quoted(seen)} -a ${quoted(words)}`)
    lines.push(...optionLines(command.options, seen))
  }
  return lines.join('\n')
}

function optionLines(table: OptionTable, condition: string): string[] {
  return Object.entries(table).map(([name, option]) =>
    [
      `complete -c cloudtoken -n ${quoted(condition)} -l ${name}`,
      ...letters(option).map(letter => `-s ${letter}`),
      value(option),
      `-d ${quoted(option.summary)}`,
    ]
      .filter(Boolean)
      .join(' '),
  )
}

function value(option: Option): string {
  const follows = valueOf(option)
  if (follows.kind === 'none') return ''
  if (follows.kind === 'words') return `-x -a ${quoted(follows.words.join(' '))}`
  if (follows.kind === 'folder') return "-x -a '(__fish_complete_directories)'"
  return follows.kind === 'file' ? '-r -F' : '-x'
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, String.raw`\$&`)}'`
}
