/**
 * Keys in the environment, such as an older job has them, or a session that another program has put there.
 */
import process from 'node:process'
import { environmentKey } from './aws-profile.ts'
import { failure } from './errors.ts'
import type { Provider } from './provider.ts'

export const environment: Provider = {
  name: 'environment',
  summary: 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, for --chain or a session of the user',
  // Another shell may have those of somebody else.
  ephemeral: true,
  async authenticate({ settings }) {
    const key = environmentKey(process.env)
    if (key) return { kind: 'keys', key, from: 'the environment', mfaSerial: settings.mfaSerial, roles: [] }
    throw failure('config', 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set', {
      hint: '--provider profile --source-profile NAME, or --provider keys',
      code: 'keys-missing',
    })
  },
}
