/**
 * `setup-profiles`: for each role a profile in ~/.aws/config whose credentials come from `credential-process`.
 */
import process from 'node:process'
import { configFile, credentialsFile, editShared, readShared } from './aws-files.ts'
import type { Context } from './command-context.ts'
import { offeredProfiles } from './command-profiles.ts'
import { saidWords } from './command-said.ts'
import { failure } from './errors.ts'
import { readSection } from './ini.ts'
import { generalOptions } from './options-general.ts'
import { chainOptions, roleOptions } from './options-role.ts'
import { networkOptions } from './options-network.ts'
import { signInOptions } from './options-sign-in.ts'
import { ownSections, placeProfiles, removeProfiles, type Placed, type Profile } from './profiles.ts'
import { selfCommand } from './runtime-self.ts'

export async function setupProfilesCommand(context: Context): Promise<number> {
  const { settings, paths, env, flags, log } = context
  const file = configFile(paths, env)
  const preview = settings.dryRun ? log.write : undefined
  if (flags['remove']) {
    const removed = ownSections(readShared(file) ?? '').map(name => name.replace(/^profile\s+/, ''))
    const changed = await editShared(file, removeProfiles, { preview })
    if (!changed) log.info(`no profile in ${file} is of cloudtoken`)
    else if (!preview) log.info(`removed from ${file}:`)
    if (settings.json) log.print(JSON.stringify({ removed }, undefined, 2))
    else if (!preview) for (const name of removed) log.print(name)
    return 0
  }
  const { profiles } = await offeredProfiles(context, new AbortController().signal)
  const words = [...ownWords(), 'credential-process', ...identityWords(context)]
  const command = (profile: Profile): string => [...words, '--role', profile.role.roleArn].map(quoted).join(' ')
  let placed: Placed | undefined
  const change = (text: string): string => (placed = placeProfiles(text, profiles, command, settings.region)).text
  const changed = await editShared(file, change, { create: true, preview })
  if (!changed) log.info(`${file} has them all`)
  report(context, placed?.written ?? [], placed?.foreign ?? [])
  return 0
}

function report({ settings, paths, env, log }: Context, written: readonly string[], foreign: readonly string[]): void {
  const keys = readShared(credentialsFile(paths, env)) ?? ''
  for (const name of written) {
    if (readSection(keys, name)?.has('aws_access_key_id'))
      log.warn(`~/.aws/credentials has keys for ${name}: programs use those`, 'remove that section')
  }
  for (const name of foreign)
    log.warn(`the profile ${name} is not of cloudtoken and stays as it is`, 'choose other names with --profile-name')
  if (settings.dryRun) return
  if (settings.json) log.print(JSON.stringify({ profiles: written, left: foreign }, undefined, 2))
  else for (const name of written) log.print(name)
}

function ownWords(): string[] {
  const { command, args } = selfCommand()
  return [command, ...args]
}

/** What the profile has to say again. */
function identityWords(context: Context): string[] {
  const { 'config-dir': configDir, 'config-file': file } = generalOptions
  const { 'session-duration': duration, region } = roleOptions
  return saidWords(context, {
    'config-dir': configDir,
    'config-file': file,
    ...signInOptions,
    ...networkOptions,
    ...chainOptions,
    'session-duration': duration,
    region,
  })
}

/** Some SDKs split the line themselves, others give it to a shell: only what all of them read alike. */
function quoted(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word
  const plain = process.platform === 'win32' ? /^[^"$`%!]*$/ : /^[^"$`\\!]*$/
  if (plain.test(word)) return `"${word}"`
  throw failure('config', `${JSON.stringify(word)} cannot stand in a credential_process`, {
    hint: 'put it into config.yaml, and name it with --identity',
  })
}
