/**
 * What a profile under ~/.aws says about its credentials: keys, or a role that is assumed with the keys of another profile.
 * Nothing is run and nobody is asked for it.
 */
import { isRoleArn } from './arn.ts'
import { configFile, credentialsFile, isOurs, readProfiles } from './aws-files.ts'
import { failure } from './errors.ts'
import { readText } from './files.ts'
import type { Paths } from './paths.ts'
import { readSections } from './ini.ts'
import { unknownName } from './names.ts'
import { parseTime } from './tokens.ts'
import type { AccessKey, SourceRole } from './types.ts'

type Env = Readonly<Record<string, string | undefined>>
type Section = ReadonlyMap<string, string>

export interface SourceProfile {
  readonly key: AccessKey
  /** In the order in which they are assumed. */
  readonly roles: readonly SourceRole[]
  readonly mfaSerial: string | undefined
  readonly region: string | undefined
}

/** Credentials that come by a way that is not ours to go. */
const foreign = ['credential_process', 'sso_session', 'sso_start_url', 'web_identity_token_file', 'login_session']

/** Fails with `config` for a profile that is not there, is ours, has no keys, or gets them in a way of its own. */
export function readSourceProfile(name: string, paths: Paths, env: Env): SourceProfile {
  const credentials = readSections(readText(credentialsFile(paths, env)) ?? '')
  const config = readProfiles(configFile(paths, env))
  return follow(name, [])

  /** The credentials file wins, key by key. */
  function find(wanted: string): Section {
    const own = credentials.get(wanted)
    const more = config.get(wanted)
    if (!own && !more) {
      const known = [...credentials.keys(), ...config.keys()]
      throw unknownName(`there is no profile ${JSON.stringify(wanted)} under ~/.aws`, wanted, known)
    }
    if (isOurs(own) || isOurs(more)) {
      throw failure('config', `cloudtoken itself writes the profile ${wanted}: there are no keys to begin with`, {
        hint: '--source-profile NAME',
      })
    }
    return new Map([...(more ?? []), ...(own ?? [])])
  }

  function follow(wanted: string, seen: readonly string[]): SourceProfile {
    const section = find(wanted)
    const value = (key: string): string | undefined => section.get(key) || undefined
    const roleArn = value('role_arn')
    const own = { mfaSerial: value('mfa_serial'), region: value('region') }
    if (roleArn === undefined || seen.includes(wanted)) return { key: keyOf(wanted, section, env), roles: [], ...own }
    if (!isRoleArn(roleArn)) throw strange(wanted, `role_arn ${JSON.stringify(roleArn)} is no ARN of a role`)
    const source = sourceOf(wanted, section, [...seen, wanted])
    const role = {
      roleArn,
      externalId: value('external_id'),
      sessionName: value('role_session_name'),
      duration: seconds(wanted, value('duration_seconds')),
    }
    return {
      key: source.key,
      roles: [...source.roles, role],
      // The device belongs to the key, whichever profile names it.
      mfaSerial: own.mfaSerial ?? source.mfaSerial,
      region: own.region ?? source.region,
    }
  }

  function sourceOf(wanted: string, section: Section, seen: readonly string[]): SourceProfile {
    const [profile, place] = [section.get('source_profile'), section.get('credential_source')]
    // A profile may assume its role with its own keys.
    if (profile !== undefined && (profile === wanted || !seen.includes(profile))) return follow(profile, seen)
    if (profile !== undefined) throw strange(wanted, `its source_profile ${profile} leads back to it`)
    if (place === 'Environment') {
      const key = environmentKey(env)
      if (key) return { key, roles: [], mfaSerial: undefined, region: undefined }
      throw strange(wanted, 'credential_source is Environment, and AWS_ACCESS_KEY_ID is not set')
    }
    if (place !== undefined) throw strange(wanted, `credential_source ${place} is not supported`)
    throw strange(wanted, foreignIn(section) ?? 'it has a role_arn, but no source_profile')
  }
}

/** AWS_ACCESS_KEY_ID and those beside it; `undefined` where one is missing. */
export function environmentKey(env: Env): AccessKey | undefined {
  return asKey({
    accessKeyId: env['AWS_ACCESS_KEY_ID'],
    secretAccessKey: env['AWS_SECRET_ACCESS_KEY'],
    sessionToken: env['AWS_SESSION_TOKEN'],
    expiration: env['AWS_CREDENTIAL_EXPIRATION'],
  })
}

function keyOf(name: string, section: Section, env: Env): AccessKey {
  const key = asKey({
    accessKeyId: section.get('aws_access_key_id'),
    secretAccessKey: section.get('aws_secret_access_key'),
    sessionToken: section.get('aws_session_token'),
    // Programs agree on no name for it.
    expiration:
      section.get('aws_session_expiration') ?? section.get('x_security_token_expires') ?? section.get('expiration'),
  })
  if (key) return key
  if (section.get('credential_source') === 'Environment') {
    const given = environmentKey(env)
    if (given) return given
  }
  throw strange(name, foreignIn(section) ?? 'it has no access key')
}

function asKey(
  texts: Readonly<Record<'accessKeyId' | 'secretAccessKey' | 'sessionToken' | 'expiration', string | undefined>>,
): AccessKey | undefined {
  const { accessKeyId, secretAccessKey, sessionToken } = texts
  const expiration = parseTime(texts.expiration ?? '')
  if (!accessKeyId || !secretAccessKey) return undefined
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken && { sessionToken }),
    ...(sessionToken && expiration && { expiration }),
  }
}

function foreignIn(section: Section): string | undefined {
  const way = foreign.find(key => section.has(key))
  return way && `it gets its credentials by ${way}, which cloudtoken does not follow`
}

function seconds(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const number = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (number >= 900 && number <= 43_200) return number
  throw strange(name, `duration_seconds ${JSON.stringify(text)} is not 900 to 43200`)
}

function strange(name: string, reason: string): Error {
  return failure('config', `the profile ${name} cannot be used: ${reason}`, {
    hint: 'name a profile with keys: --source-profile NAME',
    code: 'profile-unusable',
  })
}
