/**
 * Keys of a user that no file of AWS holds: typed once, then kept where the other secrets are.
 */
import { failure } from './errors.ts'
import { readFields } from './json.ts'
import { isKey } from './tokens.ts'
import type { Provider, ProviderContext, Secrets } from './provider.ts'
import type { AccessKey, KeySource } from './types.ts'

const file = 'access-key'

export const keys: Provider = {
  name: 'keys',
  summary: 'an access key that you type once, for --chain or a session of the user',
  async authenticate(context) {
    const { settings, secrets } = context
    const kept = settings.passwordPrompt ? undefined : readKey(await secrets.read(file))
    const from = 'the secret store'
    const common = { kind: 'keys', mfaSerial: settings.mfaSerial, roles: [] } as const
    return kept ? { ...common, key: kept, from } : { ...common, key: await askForKey(context), from, typed: true }
  },
}

/** Answers whether it is there the next time. */
export async function keepKey(secrets: Secrets, { accessKeyId, secretAccessKey }: KeySource['key']): Promise<boolean> {
  if (!(await secrets.guarded())) return false
  return await secrets.write(file, JSON.stringify({ accessKeyId, secretAccessKey }))
}

async function askForKey({ ask, username }: ProviderContext): Promise<AccessKey> {
  for (;;) {
    const accessKeyId = (await ask.text(`Access key ID of ${username}`)).trim()
    if (/^(?!ASIA)[A-Z0-9]{16,128}$/.test(accessKeyId)) {
      const secretAccessKey = (await ask.secret('Secret access key')).trim()
      if (/^[!-~]{16,256}$/.test(secretAccessKey)) return { accessKeyId, secretAccessKey }
      ask.tell('that is no secret access key')
    } else if (accessKeyId.startsWith('ASIA')) {
      throw failure('usage', 'that is the key of a session, which ends', { hint: '--provider environment' })
    } else ask.tell('an access key ID has capital letters and digits, such as AKIAIOSFODNN7EXAMPLE')
  }
}

function readKey(text: string | undefined): AccessKey | undefined {
  const { accessKeyId, secretAccessKey } = readFields(text)
  return isKey(accessKeyId) && isKey(secretAccessKey) ? { accessKeyId, secretAccessKey } : undefined
}
