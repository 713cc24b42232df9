/**
 * Commands that print an assertion, run for real.
 */
import process from 'node:process'
import { expect, test } from 'bun:test'
import { readConfig, resolveSettings } from '../src/config.ts'
import { normaliseArgv } from '../src/argv.ts'
import { signInOptions } from '../src/options-sign-in.ts'
import { shell } from '../src/provider-shell.ts'
import { testContext, type TestContext, type TestContextOptions } from './context.ts'
import { samlResponse } from './fake-idp.ts'

const response = samlResponse()

async function signIn(
  assertionCommand: readonly string[],
  options: TestContextOptions = {},
): Promise<{ made: TestContext; outcome: unknown }> {
  const made = await testContext({ ...options, settings: { noInput: true, assertionCommand } })
  return { made, outcome: await shell.authenticate(made.context).catch((error: unknown) => error) }
}

test('N16: the response is what the command prints, in base64 with a newline', async () => {
  const { made, outcome } = await signIn(['printf', '%s\\n', response])
  expect(outcome).toEqual({ kind: 'saml', response })
  made.context.log.debug(`it was ${response}`)
  expect(made.logged.join()).not.toContain(response)
})

test('N16: one text is split as far as quotes go, and no shell looks at it', async () => {
  expect((await signIn([`printf '%s' "${response}"`])).outcome).toEqual({ kind: 'saml', response })
  const { outcome } = await signIn(['echo $(whoami); true'])
  expect(outcome).toMatchObject({ kind: 'config', code: 'saml-invalid' })
})

for (const [name, script, kind, words] of [
  ['prints nothing', 'exit 0', 'network', 'sh printed no SAMLResponse'],
  ['exits 3', 'exit 3', 'network', 'sh ended with exit code 3'],
  ['writes to stderr', 'echo no ticket >&2; exit 1', 'network', 'sh ended with exit code 1: no ticket'],
  ['prints something else', 'echo hello', 'config', 'the output of sh'],
] as const) {
  test(`N16: a command that ${name} is named`, async () => {
    expect((await signIn(['sh', '-c', script])).outcome).toMatchObject({
      kind,
      message: expect.stringContaining(words),
      hint: expect.stringContaining('run the command by itself'),
    })
  })
}

test('N16: what goes to stderr beside a response does no harm', async () => {
  const { outcome } = await signIn(['sh', '-c', `echo working >&2; echo ${response}`])
  expect(outcome).toEqual({ kind: 'saml', response })
})

test('a command that is not there, or none, is a fault of the configuration', async () => {
  expect((await signIn(['cloudtoken-no-such-program'])).outcome).toMatchObject({ kind: 'config' })
  expect((await signIn([])).outcome).toMatchObject({ kind: 'config', code: 'command-missing' })
})

test('the command knows who signs in and whether somebody is there', async () => {
  const script = 'test "$CLOUDTOKEN_USERNAME $CLOUDTOKEN_MODE" = "jane refresh" && echo "$0"'
  const { outcome } = await signIn(['sh', '-c', script, response], { mode: 'refresh' })
  expect(outcome).toEqual({ kind: 'saml', response })
})

test('a list of config.yaml stays as it is, and no comma splits a text', () => {
  const settings = (value: unknown): readonly string[] =>
    resolveSettings(
      signInOptions,
      {},
      { config: readConfig({ defaults: { 'assertion-command': value } }, 'config.yaml') },
    ).assertionCommand
  expect(settings(['sso', '--scope=a,b', ''])).toEqual(['sso', '--scope=a,b', ''])
  expect(settings('sso --scope=a,b')).toEqual(['sso --scope=a,b'])
  expect(normaliseArgv(['--assertion-command', 'a,b', '--assertion-command', 'c'], signInOptions)).toEqual([
    '--assertion-command=c',
  ])
})

test('the command is told no secret of ours', async () => {
  const names = ['PASSWORD', 'MFA_CODE', 'MFA_PASSCODE', 'CLIENT_SECRET', 'SECRET_PASSPHRASE'].map(
    name => `CLOUDTOKEN_${name}`,
  )
  for (const name of names) process.env[name] = 'hunter22'
  try {
    const { outcome } = await signIn(['sh', '-c', `env | grep -q hunter22 || echo ${response}`])
    expect(outcome).toEqual({ kind: 'saml', response })
  } finally {
    for (const name of names) delete process.env[name]
  }
})
