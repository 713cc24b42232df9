/**
 * Assignments for the shells people use: what is printed here, the shell reads back as exactly the same value.
 */
import { failure } from './errors.ts'

/** `sh` stands for bash, zsh, dash and the rest of that family; the last two are file formats. */
export const shells = ['sh', 'fish', 'powershell', 'cmd', 'dotenv', 'json'] as const

export type Shell = (typeof shells)[number]

const aliases: Readonly<Record<string, Shell>> = {
  bash: 'sh',
  zsh: 'sh',
  dash: 'sh',
  ksh: 'sh',
  ash: 'sh',
  pwsh: 'powershell',
  env: 'dotenv',
}

/** The family of what `--shell` says (`bash`, `pwsh`, `/usr/bin/fish`, `cmd.exe`); `undefined` for one that is not known. */
export function shellNamed(name: string): Shell | undefined {
  const base = (name.split(/[\\/]/).at(-1) ?? '').toLowerCase().replace(/\.exe$/, '')
  return shells.find(shell => shell === base) ?? (Object.hasOwn(aliases, base) ? aliases[base] : undefined)
}

/** The shell this process was most likely started from; `sh` and, on Windows, `powershell` or `cmd` when nothing tells. */
export function detectShell(env: Readonly<Record<string, string | undefined>>, platform: string): Shell {
  const named = env['SHELL'] ? shellNamed(env['SHELL']) : undefined
  if (named === 'sh' || named === 'fish' || named === 'powershell') return named
  const modules = env['PSModulePath']
  if (platform !== 'win32') return !env['SHELL'] && modules ? 'powershell' : 'sh'
  // Windows sets two folders for everyone; PowerShell puts the user's own before them.
  return (modules?.split(';').filter(Boolean).length ?? 0) > 2 ? 'powershell' : 'cmd'
}

/**
 * One line for each variable (several where a value has line breaks), each ended; an `undefined` value unsets.
 * Rejects by a `config` failure a name that is none, and a value the shell has no way to write: NUL anywhere,
 * line breaks in cmd, three kinds of quotes at once in dotenv.
 */
export function assignments(shell: Shell, entries: Readonly<Record<string, string | undefined>>): string {
  for (const name of Object.keys(entries)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      throw failure('config', `${JSON.stringify(name)} is not the name of a variable`)
  }
  if (shell === 'json') {
    for (const value of Object.values(entries)) if (value !== undefined) checkValue(value)
    const nulls = Object.entries(entries).map(([name, value]) => [name, value ?? null])
    return `${JSON.stringify(Object.fromEntries(nulls), undefined, 2)}\n`
  }
  const dialect = dialects[shell]
  const lines = Object.entries(entries).map(([name, value]) =>
    value === undefined ? dialect.unset(name) : dialect.set(name, quote(shell, value)),
  )
  return lines.map(line => `${line}\n`).join('')
}

/** A value as it stands in an assignment of that shell. */
export function quote(shell: Shell, value: string): string {
  checkValue(value)
  return shell === 'json' ? JSON.stringify(value) : dialects[shell].quote(value)
}

interface Dialect {
  quote(value: string): string
  set(name: string, quoted: string): string
  unset(name: string): string
}

const dialects: Readonly<Record<Exclude<Shell, 'json'>, Dialect>> = {
  sh: {
    quote: value => (isPlain(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`),
    set: (name, quoted) => `export ${name}=${quoted}`,
    unset: name => `unset ${name}`,
  },
  fish: {
    quote: value => (isPlain(value) ? value : `'${value.replace(/[\\']/g, '\\$&')}'`),
    // Not universal: that would write the secret to disk and hand it to every other session.
    set: (name, quoted) => `set -gx ${name} ${quoted}`,
    unset: name => `set -e ${name}`,
  },
  powershell: {
    quote: powershell,
    set: (name, quoted) => `$env:${name} = ${quoted}`,
    unset: name => `$env:${name} = $null`,
  },
  cmd: {
    quote: cmd,
    set: (name, quoted) => (quoted.startsWith('"') ? `set "${name}=${quoted.slice(1)}` : `set ${name}=${quoted}`),
    unset: name => `set "${name}="`,
  },
  dotenv: {
    quote: dotenv,
    set: (name, quoted) => `${name}=${quoted}`,
    unset: name => `${name}=`,
  },
}

/** Letters that no shell looks at, so that ordinary values read as they always did; `=` is one only at the end, and not after a colon. */
function isPlain(value: string): boolean {
  return /^[\w/+.,@-][\w/+.,@:-]*=*$/.test(value) && !value.includes(':=')
}

/**
 * ASCII on one line, whatever the value: a pipe into Invoke-Expression hands over line by line and, in Windows
 * PowerShell, in the console's code page. Typographic quotes would end the literal too.
 */
function powershell(value: string): string {
  const parts = value.match(/[ -~]+|[^ -~]/g) ?? []
  const terms = parts.map(part =>
    /^[ -~]/.test(part) ? `'${part.replaceAll("'", "''")}'` : `[char]${part.charCodeAt(0)}`,
  )
  if (terms.length === 0) return "''"
  if (terms.length === 1 && terms[0]?.startsWith("'")) return terms[0]
  return `(${terms[0]?.startsWith("'") ? '' : "'' + "}${terms.join(' + ')})`
}

/** For a batch file that is run with `call`. Quoted, or by carets where the value has quotes itself. */
function cmd(value: string): string {
  if (/[\r\n]/.test(value))
    throw failure('config', 'cmd cannot set a value with line breaks', { hint: '--shell powershell' })
  const doubled = value.replaceAll('%', '%%')
  return value.includes('"') ? doubled.replace(/[\^&|<>()"]/g, '^$&') : `"${doubled}"`
}

/** The kinds of quotes that the parsers in use read literally; none of them has an escape that all know. */
function dotenv(value: string): string {
  if (isPlain(value)) return value
  const mark = value.includes('\r') ? undefined : ["'", '`', '"'].find(candidate => !value.includes(candidate))
  if (!mark || (mark === '"' && value.includes('\\'))) {
    throw failure('config', 'a dotenv file cannot carry this value', { hint: '--shell json' })
  }
  return `${mark}${value}${mark}`
}

function checkValue(value: string): void {
  if (value.includes('\0')) throw failure('config', 'an environment variable cannot hold a NUL character')
}
