/**
 * A profile in the shared credentials file, which every AWS tool reads. The file belongs to other people too: one
 * section is ours, marked `cloudtoken = true`; a section of theirs in its place is renamed first and comes back by `forget`.
 */
import { bytesOf, configFile, credentialsFile, editShared, isOurs, nameIn, ownerKey, readShared } from './aws-files.ts'
import { failure } from './errors.ts'
import type { Exporter, ExporterContext } from './exporter.ts'
import {
  readSection,
  readSections,
  removeSection,
  removeSections,
  renameSection,
  sectionNames,
  setSection,
  setSections,
  type SectionEntries,
} from './ini.ts'
import { awsTime } from './tokens.ts'
import type { Credentials } from './types.ts'

export const exportAwscli: Exporter = {
  name: 'export_credentials_awscli',
  aliases: ['awscli', 'export_credentials_cli', 'awscli_exporter'],
  summary: 'a profile in ~/.aws/credentials: default, or what --profile says',
  previews: true,
  async write({ credentials, settings, paths, env, daemon, log }) {
    const profile = settings.profile || 'default'
    if (daemon && profile !== 'default') {
      const hint = 'leave out --profile, or run cloudtoken without -d'
      throw failure('usage', 'cannot run daemon mode with a custom profile', { hint })
    }
    if (daemon) {
      await editShared(credentialsFile(paths, env), stepAside)
      warnOfShadows(paths, env, log)
    } else if (!settings.temp) {
      await writeProfiles([{ profile, credentials }], { settings, paths, env, log })
    }
  },
  async forget({ paths, env }) {
    await editShared(credentialsFile(paths, env), text => {
      const own = [...readSections(text)].filter(([, section]) => isOurs(section))
      const alone = own.filter(([, section]) => !section.has(backupKey)).map(([name]) => name)
      const replaced = own.filter(([, section]) => section.has(backupKey)).map(([name]) => name)
      return replaced.reduce(takeBack, removeSections(text, new Set(alone)))
    })
  },
}

export interface ProfileKeys {
  readonly profile: string
  readonly credentials: Credentials
}

/** All of them in one change of the file; with `--dry-run` that change is shown instead. */
export async function writeProfiles(
  profiles: readonly ProfileKeys[],
  { settings, paths, env, log }: Pick<ExporterContext, 'settings' | 'paths' | 'env' | 'log'>,
): Promise<void> {
  const preview = settings.dryRun ? log.write : undefined
  const change = (text: string): string => place(text, profiles, settings.region)
  await editShared(credentialsFile(paths, env), change, { create: true, preview })
}

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

function place(text: string, profiles: readonly ProfileKeys[], region: string | undefined): string {
  const now = new Date()
  const present = readSections(text)
  const sections = new Map<string, SectionEntries>()
  let edited = text
  for (const { profile, credentials } of profiles) {
    const name = bytesOf(profile)
    const current = present.get(name)
    const foreign = current && !isOurs(current)
    const backup = foreign ? freeName(edited, name, now) : undefined
    const carried = foreign ? { region: current.get('region'), output: current.get('output') } : {}
    if (backup) edited = renameSection(edited, name, backup)
    sections.set(name, {
      aws_access_key_id: credentials.accessKeyId,
      aws_secret_access_key: credentials.secretAccessKey,
      aws_session_token: credentials.sessionToken,
      ...carried,
      ...(region && { region }),
      expiration: awsTime(credentials.expiration),
      [ownerKey]: 'true',
      ...(backup && { [backupKey]: backup }),
    })
  }
  return setSections(edited, sections)
}

/** Under the daemon no key of ours may stand before the endpoint; a section that remembers a backup stays for that. */
function stepAside(text: string): string {
  const current = readSection(text, 'default')
  if (!current || !isOurs(current)) return text
  const left = [...current.keys()].filter(key => !secretKeys.includes(key))
  if (left.every(key => key === ownerKey)) return removeSection(text, 'default')
  const none: SectionEntries = Object.fromEntries(secretKeys.map(key => [key, undefined]))
  return setSection(text, 'default', none)
}

function takeBack(text: string, name: string): string {
  const backup = readSection(text, name)?.get(backupKey)
  const without = removeSection(text, name)
  return backup && sectionNames(without).includes(backup) ? renameSection(without, backup, name) : without
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
  for (const file of [credentialsFile(paths, env), configFile(paths, env)]) {
    const text = readShared(file) ?? ''
    const names = sectionNames(text).filter(name => nameIn(name) === 'default')
    const key = sources.find(source => names.some(name => readSection(text, name)?.has(source)))
    if (!key) continue
    const hint = 'rename that section, or set AWS_PROFILE to one without keys'
    log.warn(`[default] in ${file} has ${key}: programs use that instead of the metadata endpoint`, hint)
  }
}
