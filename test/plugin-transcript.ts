/** The sessions that docs/plugins.md shows, had again: the examples, a real sign-in page, and every line between. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { startDemoIdp } from '../scripts/demo-idp.ts'
import { failure, isFailure } from '../src/errors.ts'
import { createLog } from '../src/log.ts'
import type { PluginContext } from '../src/plugin.ts'
import { converse } from '../src/plugin-exchange.ts'
import { conversationOf, describeExecutable, helloOf } from '../src/plugin-executable.ts'
import { folderStore } from '../src/store.ts'
import { toTokens } from '../src/tokens.ts'
import { testSettings } from './context.ts'

export interface Sessions {
  /** Block by block as in the document; `>` from cloudtoken, `<` from the plugin. */
  readonly blocks: string[]
  /** Every line, parsed. */
  readonly lines: { readonly from: 'host' | 'plugin'; readonly value: unknown }[]
  readonly descriptions: unknown[]
}

const examples = join(import.meta.dirname, '../examples/plugins')

export async function haveSessions(): Promise<Sessions> {
  const home = mkdtempSync(join(tmpdir(), 'cloudtoken-transcript-'))
  const role = 'arn:aws:iam::123456789012:role/Admin'
  const idp = await startDemoIdp({ charlie: { password: 'correct horse', roles: [role] } })
  const sessions: Sessions = { blocks: [], lines: [], descriptions: [] }
  const log = createLog({ stdout: () => {}, stderr: () => {} })
  const running = { env: { PATH: process.env['PATH'], HOME: home }, log, debug: false, timeoutMs: 30_000 }
  const person = (): Promise<never> => Promise.reject(failure('person', 'nobody may be asked in the background'))
  const ask = { text: person, secret: person, choose: person, confirm: person, tell: () => {} }
  const tidy = (line: string): string =>
    line
      .replaceAll(home, '/home/charlie')
      .replaceAll(idp.url, 'https://idp.example.com/sso')
      .replace(/"response": ?"[^"]*"/, '"response": "PHNhbWxwOlJlc3BvbnNlIC4uLg=="')

  const talk = async (
    name: string,
    context: Partial<PluginContext>,
    more: object,
    password?: string,
  ): Promise<void> => {
    const found = { name, path: join(examples, `cloudtoken-plugin-${name}`), form: 'executable' } as const
    const description = await describeExecutable(found, running.env)
    sessions.descriptions.push({ protocol: 1, ...description })
    const folder = join(home, '.local/state/cloudtoken/identities/charlie', `plugin-${name}`)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const whole = {
      settings: testSettings({ url: idp.url, extra: { netrcFile: join(home, 'netrc') } }),
      username: 'charlie',
      stage: 'auth',
      data: [],
      flags: {},
      mode: 'login',
      ask,
      store: folderStore(folder),
      folder,
      signal: new AbortController().signal,
      log,
      password: () => (password === undefined ? person() : Promise.resolve(password)),
      ...context,
    } as const
    const block: string[] = []
    const hello = helloOf(whole, description, more)
    await converse({
      ...conversationOf(found, hello, whole, running),
      trace(from, line) {
        sessions.lines.push({ from, value: JSON.parse(line) })
        block.push(`${from === 'host' ? '>' : '<'} ${tidy(line)}`)
      },
    }).catch((error: unknown) => {
      if (!isFailure(error) || error.kind !== 'person') throw error
    })
    sessions.blocks.push(block.join('\n'))
  }

  try {
    const checked = [{ plugin: 'vpn-reachable', data: { reached: 'intranet.example.com:443', ms: 12 } }]
    await talk('corp', { data: checked }, {}, 'correct horse')
    idp.endSessions()
    await talk('corp', { data: checked, mode: 'refresh', flags: { daemon_mode: true } }, {})
    const credentials = toTokens({
      accessKeyId: 'ASIAEXAMPLEEXAMPLE12',
      secretAccessKey: 'EXAMPLEKEY',
      sessionToken: 'EXAMPLETOKEN',
      expiration: new Date('2030-01-01T01:00:00Z'),
      issued: new Date('2030-01-01T00:00:00Z'),
      roleArn: role,
      accountId: '123456789012',
      samlProvider: 'arn:aws:iam::123456789012:saml-provider/example',
      issuer: 'https://idp.example.com',
    })
    await talk('netrc', { stage: 'post_auth' }, { daemon: false, credentials })
    await talk('netrc', { stage: 'post_auth' }, { action: 'forget' })
    return sessions
  } finally {
    await idp.stop()
    rmSync(home, { recursive: true, force: true })
  }
}
