/**
 * The shared config and credentials files of AWS, which belong to many programs: where they are, and how to change them.
 */
import { Buffer } from 'node:buffer'
import path from 'node:path'
import { unifiedDiff } from './diff.ts'
import { failure } from './errors.ts'
import { readBytes, readText, writeFile } from './files.ts'
import { withLock } from './lock.ts'
import type { Paths } from './paths.ts'
import { readSections } from './ini.ts'
import { redact } from './log.ts'

type Env = Readonly<Record<string, string | undefined>>

/** Key of the sections that are ours. */
export const ownerKey = 'cloudtoken'

export function credentialsFile(paths: Paths, env: Env): string {
  return awsFile('AWS_SHARED_CREDENTIALS_FILE', 'credentials', paths, env)
}

export function configFile(paths: Paths, env: Env): string {
  return awsFile('AWS_CONFIG_FILE', 'config', paths, env)
}

/** One of the two shared files: where its variable says, else in `~/.aws`. */
export function awsFile(variable: string, name: string, paths: Paths, env: Env): string {
  const chosen = env[variable]
  return chosen ? path.resolve(chosen.replace(/^~(?=$|[\\/])/, paths.home)) : path.join(paths.home, '.aws', name)
}

/** By the mark; but long-term keys (AKIA…) under it were put there by somebody else, `aws configure` for one. */
export function isOurs(section: ReadonlyMap<string, string> | undefined): boolean {
  return section?.get(ownerKey) === 'true' && !section.get('aws_access_key_id')?.startsWith('AKIA')
}

/** `NAME` of `[profile NAME]` and `[profile "NAME"]`, or of another such section; `undefined` for all else. */
export function nameIn(section: string, kind = 'profile'): string | undefined {
  const [, found, name = ''] = /^([\w-]+)\s+(.+)$/.exec(section) ?? []
  if (found === kind) return name.replace(/^(["'])(.*)\1$/, '$2')
  return section === 'default' && kind === 'profile' ? section : undefined
}

/** The profiles of the config file by name. */
export function readProfiles(file: string): Map<string, ReadonlyMap<string, string>> {
  const profiles = new Map<string, ReadonlyMap<string, string>>()
  for (const [section, keys] of readSections(readText(file) ?? '')) {
    const name = nameIn(section)
    // `[profile default]` wins.
    if (name !== undefined && !(section === 'default' && profiles.has(section))) profiles.set(name, keys)
  }
  return profiles
}

/** The text whose characters are the file's bytes; `undefined` when there is no such file. */
export function readShared(file: string): string | undefined {
  return readBytes(file)?.toString('latin1')
}

export interface Edit {
  /** Make the file where there is none. */
  readonly create?: boolean
  /** Told what would change, instead of changing it; secrets are starred. */
  readonly preview?: ((diff: string) => void) | undefined
}

/**
 * Byte for byte, whatever encoding other people's comments are in: the text's characters are the file's bytes. Answers whether
 * anything changed, or would have.
 */
export async function editShared(file: string, change: (text: string) => string, options: Edit = {}): Promise<boolean> {
  const { create, preview } = options
  if (!create && readBytes(file) === undefined) return false
  const edit = (): boolean => {
    const before = readShared(file) ?? ''
    if (before.includes('\0')) throw failure('config', `${file} is not a text file in UTF-8`)
    const after = change(before)
    if (after === before) return false
    if (preview)
      preview(withoutSecrets(Buffer.from(unifiedDiff(bytesOf(file), before, after), 'latin1').toString('utf8')))
    else writeFile(file, Buffer.from(after, 'latin1'))
    return true
  }
  return preview ? edit() : await withLock(file, edit)
}

/** Those that go, and those of others beside them, are secret as well. */
function withoutSecrets(diff: string): string {
  return redact(diff).replace(/^(.\s*aws_(?:secret_access_key|session_token|security_token)\s*=\s*)\S.*$/gim, '$1*****')
}

/** For names that go into such text. */
export function bytesOf(text: string): string {
  return Buffer.from(text).toString('latin1')
}
