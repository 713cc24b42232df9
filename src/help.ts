/**
 * `--help`, made from the option table and the list of commands.
 */
import type { Option, OptionTable } from './option.ts'
import { daemonOptions } from './options-daemon.ts'
import { generalOptions } from './options-general.ts'
import { networkOptions } from './options-network.ts'
import { consoleOptions, exporterOptions, profileOptions } from './options-output.ts'
import { chainOptions, roleOptions } from './options-role.ts'
import { signInOptions, tokenOptions } from './options-sign-in.ts'

export interface CommandSummary {
  readonly name: string
  /** What follows the name on the command line. */
  readonly usage?: string
  readonly summary: string
}

/** The options of the command without a name, by subject. */
export const sections: readonly (readonly [title: string, table: OptionTable])[] = [
  ['Signing in', signInOptions],
  ['Signing in as a job (web-identity)', tokenOptions],
  ['The network', networkOptions],
  ['The role', roleOptions],
  ['From role to role', chainOptions],
  ['Where credentials go', exporterOptions],
  ['Many roles at once', profileOptions],
  ['The AWS console', consoleOptions],
  ['The daemon', daemonOptions],
  ['General', generalOptions],
]

/** Width of the left column, marks included, and of a line. */
const column = 34
const width = 110

/** What a plugin adds to the help. */
export interface PluginHelp {
  readonly name: string
  readonly summary: string
  readonly options: OptionTable
  readonly help?: string
}

export function helpText(commands: readonly CommandSummary[], plugins: readonly PluginHelp[] = []): string {
  const lines = [
    "cloudtoken: sign in at your company's identity provider, take an AWS role, use it everywhere.",
    '',
    'Usage:',
    '  cloudtoken [options]              sign in, choose a role, run the exporters',
    '  cloudtoken -d [options]           the same, then be the EC2 metadata service',
    ...commands.map(command =>
      row(`cloudtoken ${[command.name, command.usage].filter(Boolean).join(' ')}`, command.summary),
    ),
  ]
  for (const [title, table] of sections) lines.push('', `${title}:`, ...optionLines(table))
  for (const { name, summary, options, help } of plugins) {
    const more = help?.split('\n').map(line => `  ${line}`) ?? []
    lines.push('', `Plugin ${name}: ${summary}`, ...more, ...optionLines(options))
  }
  lines.push(
    '',
    'Every option may also stand in the environment (CLOUDTOKEN_SESSION_DURATION=3600)',
    'or under defaults: in config.yaml (session-duration: 3600).',
  )
  return lines.join('\n')
}

export function commandHelp({ name, usage, summary }: CommandSummary, table: OptionTable): string {
  const words = ['cloudtoken', name, usage, usage?.includes('[options]') ? '' : '[options]'].filter(Boolean).join(' ')
  return [`${words}: ${summary}`, '', 'Options:', ...optionLines(table)].join('\n')
}

function optionLines(table: OptionTable): string[] {
  return Object.entries(table).map(([name, option]) => row(spelling(name, option), description(option)))
}

function spelling(name: string, option: Option): string {
  const letters = (option.alias ?? []).filter(alias => alias.length === 1).map(letter => `-${letter}`)
  const long = option.value === undefined ? `--${name}` : `--${name} ${option.value}`
  return letters.length === 0 ? `    ${long}` : `${letters.join(', ')}, ${long}`
}

function description(option: Option): string {
  const more = [
    option.default !== undefined && `default: ${String(option.default)}`,
    option.repeat && 'may be repeated',
    ...(option.alias ?? []).filter(alias => alias.length > 1).map(alias => `also --${alias}`),
  ].filter(Boolean)
  return more.length === 0 ? option.summary : `${option.summary} (${more.join('; ')})`
}

function row(left: string, right: string): string {
  const start = `  ${left}`
  const indent = ' '.repeat(column + 2)
  const text = wrapped(right, width - indent.length).join(`\n${indent}`)
  return start.length < column ? `${start.padEnd(column)}  ${text}` : `${start}\n${indent}${text}`
}

function wrapped(text: string, most: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > most) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
