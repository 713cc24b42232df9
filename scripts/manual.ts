/**
 * The manual page, from the same tables as the help. (man(7), roff)
 */
import { commands } from '../src/commands.ts'
import { exitCodes } from '../src/errors.ts'
import { sections } from '../src/help.ts'
import type { Option, OptionTable } from '../src/option.ts'
import { upgradeOptions } from '../src/options-general.ts'

const meanings: Readonly<Record<keyof typeof exitCodes, string>> = {
  unexpected: 'an unforeseen error',
  usage: 'the command line is wrong',
  'no-daemon': 'no daemon runs',
  refused: 'the identity provider refused, or a signature is not good',
  person: 'a person is needed and there is no terminal',
  role: 'the role was not found, or the pattern fits several',
  config: 'the configuration is wrong',
  plugin: 'a plugin crashed, hung, or broke its contract',
  network: 'the network or the identity provider is out of order',
  sts: 'AWS refused the role',
  address: 'the address, the port or the privilege is missing',
  cancelled: 'cancelled at a question',
}

/** `date` is the day of the release: 2026-11-22. */
export function manualPage(version: string, date: string): string {
  const lines = [
    `.TH CLOUDTOKEN 1 ${quoted(date)} ${quoted(`cloudtoken ${version}`)}`,
    '.SH NAME',
    String.raw`cloudtoken \- sign in at the identity provider once; every AWS tool has fresh credentials`,
    '.SH SYNOPSIS',
    ...[
      '[options]',
      ...commands.map(({ name, usage }) => [name, usage, '[options]'].filter(Boolean).join(' ')),
    ].flatMap(words => ['.B cloudtoken', roff(words), '.br']),
    '.SH COMMANDS',
    ...commands.flatMap(({ name, usage, summary }) => [
      '.TP',
      `.B ${roff([name, usage].filter(Boolean).join(' '))}`,
      roff(summary),
    ]),
    '.SH OPTIONS',
    roff('Every option may also stand in the environment (CLOUDTOKEN_SESSION_DURATION=3600)'),
    roff('or under defaults: in config.yaml (session-duration: 3600).'),
    ...sections.flatMap(([title, table]) => [`.SS ${roff(title)}`, ...optionLines(table)]),
    '.SS upgrade',
    ...optionLines(upgradeOptions),
    '.SH EXIT STATUS',
    '.TP\n.B 0\ndone',
    ...Object.entries(exitCodes).flatMap(([kind, code]) => [
      '.TP',
      `.B ${code}`,
      roff(meanings[kind as keyof typeof exitCodes]),
    ]),
    '.SH FILES',
    '.TP\n.I ~/.config/cloudtoken/config.yaml\nconfiguration; \\fBcloudtoken init\\fR writes one to edit',
    '.TP\n.I ~/.local/state/cloudtoken\nthe session at the identity provider and the last role, readable by nobody else',
    '',
  ]
  return lines.join('\n')
}

function optionLines(table: OptionTable): string[] {
  return Object.entries(table).flatMap(([name, option]) => ['.TP', spelling(name, option), roff(sentence(option))])
}

function spelling(name: string, option: Option): string {
  const aliases = (option.alias ?? []).map(alias => (alias.length === 1 ? `-${alias}` : `--${alias}`))
  const value = option.value === undefined ? '' : ` \\fI${roff(option.value)}\\fR`
  return [...aliases, `--${name}`].map(each => `\\fB${roff(each)}\\fR${value}`).join(', ')
}

function sentence(option: Option): string {
  const more = [
    option.default !== undefined && `default: ${String(option.default)}`,
    option.repeat && 'may be repeated',
  ].filter(Boolean)
  return more.length === 0 ? option.summary : `${option.summary} (${more.join('; ')})`
}

/** Hyphens as they are typed; a line that begins with a dot or a quote is text. */
function roff(text: string): string {
  return text
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replace(/^(?=[.'])/, String.raw`\&`)
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', "'")}"`
}
