/**
 * `tokens.shell`: assignments for shells that source it, and `tokens.tmp` for one shell only.
 */
import { realpathSync, statSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { roleName } from './arn.ts'
import { failure, type Failure } from './errors.ts'
import type { Exporter, ExporterContext } from './exporter.ts'
import { checkPrivate, readText, remove, writeFile } from './files.ts'
import type { Settings } from './options.ts'
import { assignments, detectShell, shellNamed, shells, type Shell } from './shell.ts'
import { awsTime } from './tokens.ts'
import type { Credentials } from './types.ts'

type Env = ExporterContext['env']

export const exportShell: Exporter = {
  name: 'export_credentials_shell',
  aliases: ['shell', 'shell_exporter'],
  summary: 'tokens.shell in the configuration folder, to be sourced; with --temp tokens.tmp',
  async write({ credentials, settings, paths, env, daemon }) {
    const shell = shellOf(settings, env)
    const first = firstLine(shell, env)
    const lines = assignments(shell, daemon ? facts(credentials) : shellVariables(credentials))
    const file = path.join(paths.config, settings.temp ? 'tokens.tmp' : 'tokens.shell')
    writeFile(file, `${first}${lines}`, shell === 'fish' ? 0o700 : 0o600)
  },
  async forget({ paths }) {
    for (const name of ['tokens.shell', 'tokens.tmp']) {
      const file = path.join(paths.config, name)
      if (readText(file) !== undefined) remove(realpathSync(file))
    }
  },
}

/** What `--shell` says, else the shell that runs. Rejects by `usage` for one that is not known. */
export function shellOf(settings: Pick<Settings, 'shell'>, env: Env): Shell {
  if (!settings.shell) return detectShell(env, process.platform)
  const shell = shellNamed(settings.shell)
  if (shell) return shell
  throw failure('usage', `no such shell: ${JSON.stringify(settings.shell)}`, { hint: `--shell ${shells.join('|')}` })
}

/**
 * The ten variables. `AWS_SECURITY_TOKEN` and `AWS_DELEGATION_TOKEN` are what old SDKs call the session token;
 * `AWS_EXPIRATION` and `AWS_LASTUPDATED` are UTC times as in tokens.json; `AWS_EXPIRATION_TIMESTAMP` is seconds since the epoch.
 */
export function shellVariables(credentials: Credentials): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SECURITY_TOKEN: credentials.sessionToken,
    AWS_SESSION_TOKEN: credentials.sessionToken,
    AWS_EXPIRATION: awsTime(credentials.expiration),
    AWS_DELEGATION_TOKEN: credentials.sessionToken,
    ...facts(credentials),
  }
}

/** The names of `shellVariables`. */
export const shellVariableNames = [
  ...['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SECURITY_TOKEN', 'AWS_SESSION_TOKEN', 'AWS_EXPIRATION'],
  ...['AWS_DELEGATION_TOKEN', 'AWS_EXPIRATION_TIMESTAMP', 'AWS_ACCOUNT_ID', 'AWS_LASTUPDATED', 'AWS_ROLE_NAME'],
] as const

/** The four that hold no secret: all a file may say while the metadata service hands out the keys. */
function facts(credentials: Credentials): Record<string, string> {
  return {
    AWS_EXPIRATION_TIMESTAMP: String(Math.floor(credentials.expiration.getTime() / 1000)),
    AWS_ACCOUNT_ID: credentials.accountId,
    AWS_LASTUPDATED: awsTime(credentials.issued),
    AWS_ROLE_NAME: roleName(credentials.roleArn),
  }
}

interface ExportContext {
  readonly settings: Pick<Settings, 'temp'>
  readonly paths: Pick<ExporterContext['paths'], 'config'>
  /** Milliseconds since the epoch. */
  readonly now: number
}

/**
 * What `-e` prints: the file of the last run without its comment lines, line ends included.
 * Fails with `person` when it is missing or its time is over; a stale one is removed.
 */
export function readExport({ settings, paths, now }: ExportContext): string {
  const file = path.join(paths.config, settings.temp ? 'tokens.tmp' : 'tokens.shell')
  const text = readText(file)
  if (text === undefined) throw signIn('there are no credentials of an earlier run', 'no-credentials')
  // The caller hands this to eval.
  checkPrivate(file, 0o022)
  if (isOver(text, file, now)) {
    remove(file)
    throw signIn('the credentials of the last run have expired', 'credentials-expired')
  }
  const lines = text.split('\n').filter(line => !line.startsWith('#'))
  return lines.join('\n')
}

function signIn(message: string, code: string): Failure {
  return failure('person', message, { hint: 'cloudtoken', code })
}

/** By what the file says; one that does not say is good for an hour. */
function isOver(text: string, file: string, now: number): boolean {
  const stated = /AWS_EXPIRATION_TIMESTAMP\W+(\d{9,11})\b/.exec(text)?.[1]
  if (stated) return Number(stated) * 1000 <= now
  return statSync(file).mtimeMs + 3_600_000 <= now
}

/** `#!` and the person's shell where the file is for that one; nothing where `#` starts no comment. */
function firstLine(shell: Shell, env: Env): string {
  if (shell === 'cmd' || shell === 'json') return ''
  const own = env['SHELL'] ?? ''
  // One line that a kernel takes: an absolute path, nothing else.
  if (/^\/[\w./+-]+$/.test(own) && (shellNamed(own) ?? 'sh') === shell) return `#!${own}\n`
  const fallback: Partial<Record<Shell, string>> = { fish: '/usr/bin/env fish', powershell: '/usr/bin/env pwsh' }
  return `#!${fallback[shell] ?? '/bin/sh'}\n`
}
