/**
 * The pages of the site that no person writes: every command and every option, from the tables of the program.
 */
import { commands } from '../src/commands.ts'
import { sections } from '../src/help.ts'
import type { Option, OptionTable } from '../src/option.ts'
import { coreOptions } from '../src/options.ts'

/** One heading for each command, with the options that are its own alone. */
export function commandsPage(): string {
  const lines = ['# Commands', '', '`cloudtoken [options]` signs in, chooses a role and runs the exporters.', '']
  for (const { name, usage, summary, options } of commands) {
    lines.push(
      `## ${name}`,
      '',
      `\`${['cloudtoken', name, usage].filter(Boolean).join(' ')}\``,
      '',
      sentence(summary),
      '',
    )
    const own = Object.fromEntries(Object.entries(options).filter(([option]) => !(option in coreOptions)))
    if (Object.keys(own).length > 0) lines.push(...table(own), '')
    const shared = Object.keys(options).filter(option => option in coreOptions)
    if (shared.length > 0) lines.push(`Takes ${shared.map(option => `\`--${option}\``).join(' ')}`, '')
  }
  return lines.join('\n')
}

/** The options of the core, by subject, with their variables. */
export function optionsPage(): string {
  const lines = [
    '# Options',
    '',
    'Each may stand on the command line, in the environment, or under `defaults:` in config.yaml by its name without dashes.',
    'What has no variable is an act, which only the command line can say.',
    '',
  ]
  for (const [title, options] of sections) lines.push(`## ${title}`, '', ...table(options), '')
  return lines.join('\n')
}

function table(options: OptionTable): string[] {
  const rows = Object.entries(options).map(([name, option]) => [
    spelling(name, option),
    meaning(option),
    variable(name, option),
  ])
  return ['| option | what it does | variable |', '| --- | --- | --- |', ...rows.map(row => `| ${row.join(' | ')} |`)]
}

function spelling(name: string, { alias = [], value }: Option): string {
  const all = [...alias.map(each => (each.length === 1 ? `-${each}` : `--${each}`)), `--${name}`]
  return all.map(each => code(value === undefined ? each : `${each} ${value}`)).join(', ')
}

function meaning({ summary, default: standard, repeat, values }: Option): string {
  const more = [
    values && values.map(code).join(', '),
    standard !== undefined && `default: ${code(String(standard))}`,
    repeat && 'may be repeated',
  ].filter(Boolean)
  return [cell(summary), ...more].join('; ')
}

function variable(name: string, { act }: Option): string {
  return act ? '' : code(`CLOUDTOKEN_${name.replaceAll('-', '_').toUpperCase()}`)
}

function code(text: string): string {
  return `\`${cell(text)}\``
}

/** A bar would end the cell. */
function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`)
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`
}
