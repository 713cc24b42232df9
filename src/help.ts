/**
 * `--help`, made from the option table and the list of commands.
 */
import {
  daemonOptions,
  exporterOptions,
  generalOptions,
  roleOptions,
  signInOptions,
  type Option,
  type OptionTable,
} from './options.ts'

export interface CommandSummary {
  readonly name: string
  /** What follows the name on the command line. */
  readonly usage?: string
  readonly summary: string
}

const sections: readonly (readonly [title: string, table: OptionTable])[] = [
  ['Signing in', signInOptions],
  ['The role', roleOptions],
  ['Where credentials go', exporterOptions],
  ['The daemon', daemonOptions],
  ['General', generalOptions],
]

/** Width of the left column, marks included. */
const column = 34

export function helpText(commands: readonly CommandSummary[]): string {
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
  return start.length < column ? `${start.padEnd(column)}  ${right}` : `${start}\n${' '.repeat(column + 2)}${right}`
}
