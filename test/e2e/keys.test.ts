import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startFakeIam, type FakeIam } from '../fake-iam.ts'
import { usePlace, type Result } from './cli.ts'

const ada = {
  accessKeyId: 'AKIAADA0000000000001',
  secretAccessKey: 'secret/of+ada0000000000000000000000000001',
  arn: 'arn:aws:iam::123456789012:user/eng/ada',
  mfaSerial: 'arn:aws:iam::123456789012:mfa/ada',
}
const admin = 'arn:aws:iam::210987654321:role/ops/Admin'
const audit = 'arn:aws:iam::333333333333:role/Audit'

const place = await usePlace()
let iam: FakeIam
beforeEach(async () => {
  iam = await startFakeIam([ada])
  mkdirSync(join(place.home, '.aws'))
  aws('credentials', `[base]\naws_access_key_id = ${ada.accessKeyId}\naws_secret_access_key = ${ada.secretAccessKey}\n`)
})
afterEach(() => iam.stop())

function aws(name: string, text: string): void {
  writeFileSync(join(place.home, '.aws', name), text)
}

const environment = (more: Record<string, string> = {}): Record<string, string> => ({
  AWS_ENDPOINT_URL_STS: iam.origin,
  CLOUDTOKEN_URL: '',
  ...more,
})
const run = (words: readonly string[], more: Record<string, string> = {}): Promise<Result> =>
  place.run(words, { env: environment(more) })
const base = ['--provider', 'profile', '--source-profile', 'base']
const secretsOn = (result: Result): boolean => (result.stdout + result.stderr).includes(ada.secretAccessKey)

describe('a profile', () => {
  test('with keys and nothing else: a session of the user, for everything that asks', async () => {
    const result = await run(base)
    expect([result.code, result.stdout, secretsOn(result)]).toEqual([0, `Using role ${ada.arn}\n`, false])
    expect(iam.actions()).toEqual(['GetCallerIdentity', 'GetSessionToken'])
    expect(place.tokens()).toMatchObject({ AccountId: '123456789012', LastRole: ada.arn })
    expect((await run(['whoami'])).stdout).toStartWith(`${ada.arn}\naccount 123456789012\n`)
    const first = await run(['credential-process', ...base])
    const before = iam.requests.length
    expect((await run(['credential-process', ...base, '--debug'])).stdout).toBe(first.stdout)
    expect(iam.requests.length).toBe(before)
  })

  test('--chain and --role: the keys sign, and the first session may be longer than an hour', async () => {
    await run([...base, '--role', admin, '--chain', audit, '--session-duration', '7200'])
    expect(iam.requests.map(({ parameters, by }) => [parameters['Action'], parameters['DurationSeconds'], by])).toEqual(
      [
        ['GetCallerIdentity', undefined, ada.arn],
        ['AssumeRole', '7200', ada.arn],
        ['AssumeRole', '3600', expect.stringMatching(/^arn:aws:sts::210987654321:assumed-role\/Admin\//)],
      ],
    )
    expect(place.tokens()).toMatchObject({ LastRole: audit, AccountId: '333333333333' })
  })

  test('its role, external id, name and device are understood; one code is enough for the day', async () => {
    iam.wantCode(admin)
    aws(
      'config',
      `[profile admin]\nrole_arn = ${admin}\nsource_profile = base\nexternal_id = ext/1\nrole_session_name = ada-s\n` +
        `duration_seconds = 900\nmfa_serial = ${ada.mfaSerial}\nregion = eu-west-1\n`,
    )
    const words = ['--provider', 'profile', '--source-profile', 'admin']
    const alone = await run(words)
    expect([alone.code, alone.stderr]).toEqual([11, expect.stringContaining('MFA code')])
    const first = await run([...words, '--mfa-code', iam.code()])
    expect([first.code, first.stdout]).toEqual([0, `Using role ${admin}\n`])
    expect(iam.requests.at(-1)).toEqual({
      by: ada.arn,
      parameters: {
        Action: 'AssumeRole',
        Version: '2011-06-15',
        RoleArn: admin,
        RoleSessionName: 'ada-s',
        ExternalId: 'ext/1',
        DurationSeconds: '900',
      },
    })
    const before = iam.requests.length
    expect((await run([...words, '--chain', audit])).code).toBe(0)
    expect(iam.actions().slice(before)).toEqual(['GetCallerIdentity', 'AssumeRole', 'AssumeRole'])
    const state = join(place.home, '.local/state/cloudtoken')
    for (const entry of readdirSync(state, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) expect(readFileSync(join(entry.parentPath, entry.name), 'utf8')).not.toContain('mfaSerial')
    }
  })

  test('a wrong code: refused, and said so; without one where one is wanted, the hint names the option', async () => {
    iam.wantCode(admin)
    const wrong = await run([...base, '--mfa-serial', ada.mfaSerial, '--mfa-code', '000000', '--chain', admin])
    expect([wrong.code, wrong.stderr]).toEqual([
      10,
      expect.stringContaining(`AWS refused the code of ${ada.mfaSerial}`),
    ])
    const without = await run([...base, '--chain', admin])
    expect([without.code, without.stderr]).toEqual([31, expect.stringContaining('--mfa-serial ARN')])
  })

  test('--mfa-command makes the codes, in renewals too', async () => {
    const file = join(place.home, 'code')
    writeFileSync(file, iam.code())
    const words = [...base, '--mfa-serial', ada.mfaSerial, '--mfa-command', `cat ${file}`, '--chain', admin]
    expect((await run(words)).code).toBe(0)
    expect(iam.actions()).toEqual(['GetCallerIdentity', 'GetSessionToken', 'AssumeRole'])
  })

  test.each([
    ['bsae', '', 20, 'did you mean base?'],
    ['ours', '[profile ours]\ncloudtoken = true\naws_access_key_id = ASIAX\n', 20, 'cloudtoken itself writes'],
    ['p', '[profile p]\ncredential_process = /bin/false\n', 20, 'by credential_process, which'],
    ['p', '[profile p]\nsso_session = corp\n', 20, 'by sso_session, which'],
    ['p', '[profile p]\nregion = x\n', 20, 'it has no access key'],
    ['p', `[profile p]\nrole_arn = ${admin}\n`, 20, 'but no source_profile'],
    ['p', `[profile p]\nrole_arn = nonsense\nsource_profile = base\n`, 20, 'is no ARN of a role'],
    [
      'p',
      `[profile p]\nrole_arn = ${admin}\nsource_profile = q\n[profile q]\nrole_arn = ${audit}\nsource_profile = p\n`,
      20,
      'leads back',
    ],
    ['p', `[profile p]\nrole_arn = ${admin}\ncredential_source = Ec2InstanceMetadata\n`, 20, 'is not supported'],
  ])('%s that cannot be used says why: %j', async (name, text, code, said) => {
    aws('config', text)
    const result = await run(['--provider', 'profile', '--source-profile', name])
    expect([result.code, result.stderr]).toEqual([code, expect.stringContaining(said)])
    expect(iam.requests).toEqual([])
  })

  test('two roles in a row, a role with keys of its own, and a change that is noticed', async () => {
    const own = readFileSync(join(place.home, '.aws/credentials'), 'utf8')
    aws(
      'config',
      `[profile one]\nrole_arn = ${admin}\nsource_profile = base\n[profile two]\nrole_arn = ${audit}\nsource_profile = one\n` +
        `[profile self]\nrole_arn = ${audit}\nsource_profile = self\n`,
    )
    aws('credentials', `${own}${own.replace('[base]', '[self]')}`)
    const ask = ['credential-process', '--provider', 'profile', '--source-profile']
    expect(JSON.parse((await run([...ask, 'two'])).stdout).AccountId).toBe('333333333333')
    expect(iam.actions()).toEqual(['GetCallerIdentity', 'AssumeRole', 'AssumeRole'])
    expect(JSON.parse((await run([...ask, 'self'])).stdout).AccountId).toBe('333333333333')
    expect(JSON.parse((await run([...ask, 'one'])).stdout).AccountId).toBe('210987654321')
    aws('config', `[profile one]\nrole_arn = ${audit}\nsource_profile = base\n`)
    expect(JSON.parse((await run([...ask, 'one'])).stdout).AccountId).toBe('333333333333')
  })

  test('keys that AWS does not know, and a secret that is another', async () => {
    aws(
      'credentials',
      `[base]\naws_access_key_id = AKIANOBODY0000000001\naws_secret_access_key = ${ada.secretAccessKey}\n`,
    )
    const unknown = await run([...base, '--chain', admin])
    expect([unknown.code, unknown.stderr]).toEqual([31, expect.stringContaining('access key AKIANOBODY0000000001')])
    aws('credentials', `[base]\naws_access_key_id = ${ada.accessKeyId}\naws_secret_access_key = something/else\n`)
    const other = await run([...base, '--chain', admin])
    expect([other.code, other.stderr]).toEqual([31, expect.stringContaining(`not the one of ${ada.accessKeyId}`)])
  })

  test('the daemon renews a chain without another code until the session with the code has ended', async () => {
    iam.wantCode(admin)
    iam.shorten(64)
    const words = [...base, '--mfa-serial', ada.mfaSerial, '--mfa-code', iam.code(), '--chain', admin]
    const env = environment({ CLOUDTOKEN_PASSWORD: '' })
    const daemon = await place.daemon(['--refresh-interval', '1', ...words], { env })
    const first = iam.requests.length
    await daemon.seen(/needs a code of arn:aws:iam::123456789012:mfa\/ada/)
    const later = iam.actions().slice(first)
    expect(later.length).toBeGreaterThan(0)
    // A sign-in process asks once whose the keys are.
    expect(new Set(later.filter(action => action !== 'GetCallerIdentity'))).toEqual(new Set(['AssumeRole']))
    const { stdout } = await run(['status'])
    expect(stdout).toContain('a person is needed')
  }, 60_000)
})

describe('the environment', () => {
  const keys = { AWS_ACCESS_KEY_ID: ada.accessKeyId, AWS_SECRET_ACCESS_KEY: ada.secretAccessKey }
  const words = ['--provider', 'environment']

  test('keys of a user: on to a role, each time anew, for nobody else', async () => {
    const first = await run(['credential-process', ...words, '--chain', admin], keys)
    expect(JSON.parse(first.stdout).AccountId).toBe('210987654321')
    const nobody = await run(['credential-process', ...words, '--chain', admin])
    expect([nobody.code, nobody.stderr]).toEqual([20, expect.stringContaining('are not set')])
    const other = { AWS_ACCESS_KEY_ID: 'AKIAOTHER', AWS_SECRET_ACCESS_KEY: 'x'.repeat(40) }
    expect((await run(['credential-process', ...words, '--chain', admin], other)).code).toBe(31)
  })

  test('a session: on to a role; as it is only when it says its end', async () => {
    const { stdout } = await run(['credential-process', ...base])
    const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = JSON.parse(stdout)
    const session = {
      AWS_ACCESS_KEY_ID: AccessKeyId,
      AWS_SECRET_ACCESS_KEY: SecretAccessKey,
      AWS_SESSION_TOKEN: SessionToken,
    }
    expect((await run([...words, '--chain', admin], session)).stdout).toBe(`Using role ${admin}\n`)
    const bare = await run(words, session)
    expect([bare.code, bare.stderr]).toEqual([20, expect.stringContaining('does not say when it ends')])
    const whole = await run(words, { ...session, AWS_CREDENTIAL_EXPIRATION: Expiration })
    expect([whole.stdout, place.tokens().AccessKeyId, place.tokens().Expiration]).toEqual([
      `Using role ${ada.arn}\n`,
      AccessKeyId,
      Expiration,
    ])
    const ended = await run(words, { ...session, AWS_CREDENTIAL_EXPIRATION: '2020-01-01T00:00:00Z' })
    expect([ended.code, ended.stderr]).toEqual([11, expect.stringContaining('ended at 2020-01-01')])
    const coded = await run([...words, '--mfa-serial', ada.mfaSerial], session)
    expect([coded.code, coded.stderr]).toEqual([20, expect.stringContaining('codes go with the key of a user')])
  })
})

test('keys: nobody there to type them', async () => {
  const result = await run(['--provider', 'keys'])
  expect([result.code, iam.requests]).toEqual([11, []])
})
