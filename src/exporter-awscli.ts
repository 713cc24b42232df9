/**
 * A profile in the shared credentials file, which every AWS tool reads. The file belongs to other people too: one
 * section is ours, marked `cloudtoken = true`; a section of theirs in its place is renamed first and comes back by `forget`.
 */
import { Buffer } from 'node:buffer'
import path from 'node:path'
import { failure } from './errors.ts'
import type { Exporter, ExporterContext } from './exporter.ts'
import { readBytes, withLock, writeFile } from './files.ts'
import { readSection, removeSection, renameSection, sectionNames, setSection, type SectionEntries } from './ini.ts'
import { awsTime } from './tokens.ts'
import type { Credentials } from './types.ts'

export const exportAwscli: Exporter = {
  name: 'export_credentials_awscli',
  aliases: ['awscli', 'export_credentials_cli', 'awscli_exporter'],
  summary: 'a profile in ~/.aws/credentials: default, or what --profile says',
  async write({ credentials, settings, paths, env, daemon, log }) {
    const profile = settings.profile || 'default'
    if (daemon && profile !== 'default') {
      const hint = 'leave out --profile, or run cloudtoken without -d'
      throw failure('usage', 'cannot run daemon mode with a custom profile', { hint })
    }
    const file = credentialsFile(paths, env)
    if (daemon) {
      await edit(file, text => stepAside(text))
      warnOfShadows(paths, env, log)
    } else if (!settings.temp) {
      const region = settings.region
      await edit(file, text => place(text, bytesOf(profile), { credentials, region, now: new Date() }), true)
    }
  },
  async forget({ paths, env }) {
    await edit(credentialsFile(paths, env), text =>
      sectionNames(text)
        .filter(name => isOurs(readSection(text, name)))
        .reduce(takeBack, text),
    )
  },
}

interface Placing {
  readonly credentials: Credentials
  readonly region: string | undefined
  readonly now: Date
}

const owner = 'cloudtoken'
/** Names the section that was renamed to make room. */
const backupKey = 'cloudtoken_backup'
const secretKeys = ['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token', 'expiration']
/** A key from which an SDK makes credentials before it asks the metadata endpoint. */
const sources = [
  'aws_access_key_id',
  'credential_process',
  'role_arn',
  'sso_session',
  'sso_start_url',
  'web_identity_token_file',
]

function place(text: string, profile: string, { credentials, region, now }: Placing): string {
  const current = readSection(text, profile)
  const foreign = current && !isOurs(current)
  const backup = foreign ? freeName(text, profile, now) : undefined
  const carried = foreign ? { region: current.get('region'), output: current.get('output') } : {}
  return setSection(backup ? renameSection(text, profile, backup) : text, profile, {
    aws_access_key_id: credentials.accessKeyId,
    aws_secret_access_key: credentials.secretAccessKey,
    aws_session_token: credentials.sessionToken,
    ...carried,
    ...(region && { region }),
    expiration: awsTime(credentials.expiration),
    [owner]: 'true',
    ...(backup && { [backupKey]: backup }),
  })
}

/** Under the daemon no key of ours may stand before the endpoint; a section that remembers a backup stays for that. */
function stepAside(text: string): string {
  const current = readSection(text, 'default')
  if (!current || !isOurs(current)) return text
  const left = [...current.keys()].filter(key => !secretKeys.includes(key))
  if (left.every(key => key === owner)) return removeSection(text, 'default')
  const none: SectionEntries = Object.fromEntries(secretKeys.map(key => [key, undefined]))
  return setSection(text, 'default', none)
}

function takeBack(text: string, name: string): string {
  const backup = readSection(text, name)?.get(backupKey)
  const without = removeSection(text, name)
  return backup && sectionNames(without).includes(backup) ? renameSection(without, backup, name) : without
}

/** By the mark; but long-term keys (AKIA…) under it were put there by somebody else, `aws configure` for one. */
function isOurs(section: ReadonlyMap<string, string> | undefined): boolean {
  return section?.get(owner) === 'true' && !section.get('aws_access_key_id')?.startsWith('AKIA')
}

function freeName(text: string, profile: string, now: Date): string {
  const taken = new Set(sectionNames(text))
  const stamped = `${profile}_backup_${awsTime(now).replace(/[-:]/g, '')}`
  let name = taken.has(`${profile}_backup`) ? stamped : `${profile}_backup`
  for (let count = 2; taken.has(name); count += 1) name = `${stamped}_${count}`
  return name
}

function warnOfShadows(
  paths: ExporterContext['paths'],
  env: ExporterContext['env'],
  log: ExporterContext['log'],
): void {
  for (const file of [credentialsFile(paths, env), awsFile('AWS_CONFIG_FILE', 'config', paths, env)]) {
    const text = readBytes(file)?.toString('latin1') ?? ''
    const names = sectionNames(text).filter(name => /^(profile[ \t]+)?default$/.test(name))
    const key = sources.find(source => names.some(name => readSection(text, name)?.has(source)))
    if (!key) continue
    const hint = 'rename that section, or set AWS_PROFILE to one without keys'
    log.warn(`[default] in ${file} has ${key}: programs use that instead of the metadata endpoint`, hint)
  }
}

function credentialsFile(paths: ExporterContext['paths'], env: ExporterContext['env']): string {
  return awsFile('AWS_SHARED_CREDENTIALS_FILE', 'credentials', paths, env)
}

/** One of the two shared files: where its variable says, else in `~/.aws`. */
export function awsFile(
  variable: string,
  name: string,
  paths: ExporterContext['paths'],
  env: ExporterContext['env'],
): string {
  const chosen = env[variable]
  return chosen ? path.resolve(chosen.replace(/^~(?=$|[\\/])/, paths.home)) : path.join(paths.home, '.aws', name)
}

/** Byte for byte, whatever encoding other people's comments are in: the text's characters are the file's bytes. */
async function edit(file: string, change: (text: string) => string, create = false): Promise<void> {
  if (!create && readBytes(file) === undefined) return
  await withLock(file, () => {
    const before = readBytes(file)?.toString('latin1') ?? ''
    if (before.includes('\0')) throw failure('config', `${file} is not a text file in UTF-8`)
    const after = change(before)
    if (after !== before) writeFile(file, Buffer.from(after, 'latin1'))
  })
}

function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1')
}
