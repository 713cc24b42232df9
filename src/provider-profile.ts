/**
 * Keys in a profile of ~/.aws/credentials, with the role that ~/.aws/config may name for it.
 */
import process from 'node:process'
import { configFile, credentialsFile } from './aws-files.ts'
import { readSourceProfile, type SourceProfile } from './aws-profile.ts'
import { findPaths } from './paths.ts'
import type { Settings } from './options.ts'
import type { Provider } from './provider.ts'

export const profile: Provider = {
  name: 'profile',
  summary: 'keys of a profile under ~/.aws, for its role_arn, --chain or a session of the user',
  dependsOn: () => {
    const paths = findPaths(process.env)
    return [credentialsFile(paths, process.env), configFile(paths, process.env)]
  },
  variant(settings) {
    try {
      const { key, roles } = sourceOf(settings)
      return JSON.stringify([key.accessKeyId, roles])
    } catch {
      return ''
    }
  },
  async authenticate({ settings }) {
    const { mfaSerial, ...found } = sourceOf(settings)
    const from = `profile ${nameOf(settings)}`
    return { kind: 'keys', ...found, from, mfaSerial: settings.mfaSerial ?? mfaSerial }
  },
}

function sourceOf(settings: Settings): SourceProfile {
  return readSourceProfile(nameOf(settings), findPaths(process.env), process.env)
}

function nameOf({ sourceProfile = 'default' }: Settings): string {
  return sourceProfile
}
