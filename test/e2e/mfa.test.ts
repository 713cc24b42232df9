/**
 * A second factor from the command line: the log-in of AD FS, a code or a push, and a renewal that asks for neither.
 */
import { expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { assertionOf } from '../../scripts/demo-idp.ts'
import { codeAdapter, startAdfs, type Adapter, type SimulatedAdfs } from '../idp-adfs.ts'
import { roles, usePlace, type Result } from './cli.ts'

const place = await usePlace()

const role = roles.slice(0, 1)
const response = Buffer.from(
  assertionOf('https://adfs.example', 'jane@example.com', { password: '', roles: role }),
).toString('base64')
const code = codeAdapter(
  'AzureMfaAuthentication',
  '<input name="VerificationCode" placeholder="Verification code">',
  '123456',
)
const push: Adapter = {
  name: 'AzureMfaAuthentication',
  show: () => '<p id="instructions">Open your Authenticator app.</p><p id="validEntropyNumber">42</p>{error}',
  judge: (_, turn) => (turn < 2 ? 'again' : 'passed'),
}

async function withAdfs(
  adapter: Adapter,
  work: (idp: SimulatedAdfs, env: Record<string, string>) => Promise<void>,
): Promise<void> {
  const idp = await startAdfs({ user: String.raw`CORP\jane`, adapters: [adapter], response })
  const env = {
    CLOUDTOKEN_PASSWORD: 'correct horse',
    CLOUDTOKEN_URL: idp.url,
    CLOUDTOKEN_USERNAME: 'jane',
    CLOUDTOKEN_DOMAIN: 'CORP',
  }
  try {
    await work(idp, env)
    expect(idp.problems).toEqual([])
  } finally {
    await idp.stop()
  }
}

test('--mfa-command brings the code; the session renews without it', () =>
  withAdfs(code, async (idp, env) => {
    const first = await place.run(['--provider', 'adfs', '--mfa-command', 'printf 123456'], { env })
    expect(first.stdout).toContain(`Using role ${role[0]}`)
    expect(first.code).toBe(0)
    const second = await place.run(['--refresh'], { env })
    expect([second.code, idp.posts()]).toEqual([0, 1])
  }))

test('X02 --mfa-code has the spelling of the original, too; without one a person is needed', () =>
  withAdfs(code, async (_, env) => {
    const nobody = await place.run([], { env })
    expect([nobody.code, nobody.stderr]).toEqual([11, expect.stringContaining('Verification code')])
    const wrong = await place.run(['--mfa-code', '000000'], { env })
    expect([wrong.code, wrong.stderr]).toEqual([11, expect.stringContaining('refused the one-time code')])
    expect(wrong.stderr).not.toContain('000000')
    expect((await place.run(['--mfa-passcode', '123456'], { env })).code).toBe(0)
  }))

test('the number to match is shown, also when nothing else is', () =>
  withAdfs(push, async (_, env) => {
    const { code: exit, stdout, stderr } = await place.run(['-q', '-l'], { env })
    expect([exit, stdout]).toEqual([0, `    1. ${role[0]}\n`])
    expect(stderr.match(/^cloudtoken: Number to match: 42$/gm)).toHaveLength(1)
  }))

test('X04 two runs at once: one password, one second factor, and both profiles', () =>
  withAdfs(code, async (idp, env) => {
    const run = (profile: string): Promise<Result> =>
      place.run(['--profile', profile, '--mfa-command', 'printf 123456'], { env })
    const runs = await Promise.all([run('one'), run('two')])
    expect(runs.map(each => each.code)).toEqual([0, 0])
    expect(runs.map(({ stderr }) => stderr).join('')).toContain('another cloudtoken is signing in with this account')
    expect([idp.posts(), idp.sent.filter(fields => fields.has('VerificationCode')).length]).toEqual([1, 1])
    const file = readFileSync(join(place.home, '.aws/credentials'), 'utf8')
    expect(file.match(/^\[\w+\]$/gm)?.toSorted()).toEqual(['[one]', '[two]'])
  }))
