/** Makes the requests that a test tells it to, in whatever runtime it was started in, and prints what became of each. */
import process from 'node:process'
import { isFailure } from '../src/errors.ts'
import { createHttp } from '../src/http.ts'
import { openNetwork, type NetworkSettings } from '../src/http-network.ts'

export interface Attempt {
  readonly url: string
  readonly method?: 'GET' | 'POST'
  readonly settings?: NetworkSettings
  readonly env?: Readonly<Record<string, string>>
  readonly passphrase?: string
}

export interface Outcome {
  readonly text?: string
  readonly code?: string | undefined
  readonly message?: string
  readonly hint?: string | undefined
}

async function attempt({ url, method = 'GET', settings = {}, env = {}, passphrase }: Attempt): Promise<Outcome> {
  try {
    const plain = openNetwork(settings, env)
    const network = await plain.withCertificate(async () => passphrase ?? '')
    const http = createHttp({ network, timeoutMs: 5000, clock: { now: () => Date.now(), sleep: async () => {} } })
    return { text: (await http.request({ url, method, ...(method === 'POST' && { body: 'a=b' }) })).text }
  } catch (error) {
    if (!isFailure(error)) return { message: String(error) }
    return { code: error.code, message: error.message, hint: error.hint }
  }
}

const outcomes: Outcome[] = []
for (const each of JSON.parse(process.argv[2] ?? '[]') as Attempt[]) outcomes.push(await attempt(each))
console.log(JSON.stringify(outcomes))
