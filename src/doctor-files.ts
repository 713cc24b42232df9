/**
 * Sections of the shared files of AWS that win over the daemon, or that a profile is missing from.
 */
import { statSync } from 'node:fs'
import process from 'node:process'
import { configFile, credentialsFile, isOurs, readProfiles } from './aws-files.ts'
import { ok, type Env, type Finding } from './doctor.ts'
import { readText } from './files.ts'
import type { Paths } from './paths.ts'
import { readSections } from './ini.ts'
import { quote } from './shell.ts'

const check = 'shared files'

type Section = ReadonlyMap<string, string>

/** `serving`: a daemon runs, so that a section that wins over it does harm. */
export function judgeFiles(paths: Paths, env: Env, serving: boolean, now: number): Finding[] {
  const file = credentialsFile(paths, env)
  const credentials = readSections(readText(file) ?? '')
  const config = readProfiles(configFile(paths, env))
  const wanted = env['AWS_PROFILE'] || env['AWS_DEFAULT_PROFILE']
  const name = wanted ?? 'default'
  const keys = credentials.get(name)
  const settings = config.get(name)
  const found: Finding[] = [...judgeMode(file)]
  if (wanted && !keys && !settings) {
    const message = `AWS_PROFILE names ${JSON.stringify(wanted)}, which is in no file: clients fail instead of asking the daemon`
    found.push({ check, verdict: 'problem', message, hint: 'unset AWS_PROFILE' })
  }
  if (keys?.has('aws_access_key_id')) found.push(...judgeKeys(file, name, keys, serving, now))
  const source = sources.find(key => settings?.has(key))
  if (source && serving) {
    const message = `the profile ${JSON.stringify(name)} has ${source}: clients take credentials from there, not from the daemon`
    found.push({ check, verdict: 'warning', message, hint: wanted ? 'unset AWS_PROFILE' : configFile(paths, env) })
  }
  return found.length === 0 ? [ok(check, `nothing in ${file} wins over the metadata service`)] : found
}

/** What makes a profile bring credentials of its own. */
const sources = ['credential_process', 'sso_session', 'sso_start_url', 'web_identity_token_file', 'aws_access_key_id']

function judgeKeys(file: string, name: string, section: Section, serving: boolean, now: number): Finding[] {
  const where = `[${name}] in ${file}`
  if (!isOurs(section)) {
    const message = `${where} has keys of its own, which win over the daemon`
    const hint = `remove the section, or use another profile: export AWS_PROFILE=NAME`
    return [{ check, verdict: serving ? 'problem' : 'warning', message, hint }]
  }
  const end = Date.parse(section.get('aws_expiration') ?? section.get('expiration') ?? '')
  if (Number.isNaN(end) || end > now) return []
  return [
    {
      check,
      verdict: 'problem',
      message: `the keys that cloudtoken wrote to ${where} have expired`,
      hint: 'cloudtoken',
    },
  ]
}

function judgeMode(file: string): Finding[] {
  try {
    if (process.platform === 'win32' || (statSync(file).mode & 0o077) === 0) return []
  } catch {
    return []
  }
  const message = `other users of this machine can read ${file}`
  return [{ check, verdict: 'warning', message, hint: `chmod 600 ${quote('sh', file)}` }]
}
