import { describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cookieValues } from '../sealed.ts'
import { password, roles, usePlace, withPassword } from './cli.ts'

const place = await usePlace()

/** Another home within a test, so that no run depends on what the last one left. */
function fresh(): typeof withPassword {
  place.move()
  return withPassword
}

describe('the bare command', () => {
  test('prints the transcript, takes the role whose number is piped in, and writes the files', async () => {
    const { code, stdout, stderr } = await place.run([], { env: withPassword, input: '1\n' })
    expect(stderr).toMatch(/^cloudtoken: credentials until /)
    expect(stdout).toBe(
      [
        'Available roles to choose from:',
        '    1. arn:aws:iam::123456789012:role/Read-Only-Role',
        '    2. arn:aws:iam::123456789012:role/Sysadmin-Role',
        '    3. arn:aws:iam::123456789012:role/User-Role',
        '',
        '',
        'Enter number of role you want: 1',
        'Using role arn:aws:iam::123456789012:role/Read-Only-Role',
        '',
      ].join('\n'),
    )
    expect(code).toBe(0)
    const tokens = place.tokens()
    expect(Object.keys(tokens).sort()).toEqual([
      ...['AccessKeyId', 'AccountId', 'Code', 'Expiration', 'Issuer', 'LastRole', 'LastUpdated'],
      ...['SAMLProvider', 'SecretAccessKey', 'Token', 'Type'],
    ])
    expect(tokens.LastRole).toBe(roles[0] ?? '')
    for (const file of ['.config/cloudtoken/tokens.json', '.config/cloudtoken/tokens.shell', '.aws/credentials']) {
      expect(statSync(join(place.home, file)).mode & 0o777).toBe(0o600)
    }
    expect(readFileSync(join(place.home, '.aws/credentials'), 'utf8')).toContain(
      `aws_access_key_id = ${tokens.AccessKeyId}`,
    )
  })

  test('asks again after a number that is none, and gives up at the end of stdin', async () => {
    const good = await place.run([], { env: fresh(), input: 'x\n9\n2\n' })
    expect(good.stdout.match(/Select a valid option\./g)).toHaveLength(2)
    expect(good.stdout).toContain(`Using role ${roles[1]}`)
    const bad = await place.run([], { env: fresh(), input: '9\n' })
    expect(bad.code).toBe(11)
    expect(bad.stderr).toContain('cloudtoken: hint: cloudtoken --role arn:aws:iam::')
  })

  test('a single role is taken without a question', async () => {
    const { code, stdout } = await place.run(['-u', 'dana'], { env: fresh() })
    expect(stdout).toBe(`Auto selecting matching role: ${roles[0]}\nUsing role ${roles[0]}\n`)
    expect(code).toBe(0)
  })

  test('-f narrows, -r counts in the narrowed list, --role is exact', async () => {
    const filtered = await place.run(['-f', 'sysadmin'], { env: fresh() })
    expect(filtered.stdout).toContain(`Auto selecting matching role: ${roles[1]}`)
    const numbered = await place.run(['-f', 'r-role', '-r', '1'], { env: fresh() })
    expect(numbered.stdout).toBe(`Using role ${roles[2]}\n`)
    const named = await place.run(['--role', 'User-Role'], { env: fresh() })
    expect(named.stdout).toBe(`Using role ${roles[2]}\n`)
    const unknown = await place.run(['--role', 'User'], { env: fresh() })
    expect(unknown.code).toBe(12)
    expect((await place.run(['-f', '('], { env: fresh() })).code).toBe(2)
    expect((await place.run(['-r', '7'], { env: fresh() })).code).toBe(12)
  })

  test('-l, -n and roles --json list and take nothing', async () => {
    const before = place.sts.assumed().length
    expect((await place.run(['-l'], { env: fresh() })).stdout.split('\n')).toHaveLength(4)
    expect((await place.run(['-l', '-u', 'dana'], { env: fresh() })).stdout).toBe(`    1. ${roles[0]}\n`)
    expect((await place.run(['-n'], { env: fresh() })).stdout).toBe('1\n2\n3\n')
    const { stdout } = await place.run(['roles', '--json', '-f', 'user'], { env: fresh() })
    expect(JSON.parse(stdout)).toMatchObject([{ number: 1, roleArn: roles[2], account: '123456789012' }])
    expect(place.sts.assumed().length).toBe(before)
  })

  test('the session at the identity provider is used again: one password for two runs; --refresh takes the same role', async () => {
    const before = place.idp.passwords()
    await place.run(['-r', '2'], { env: withPassword })
    const again = await place.run(['--refresh'])
    expect(again.stdout).toBe(`Using role ${roles[1]}\n`)
    expect(place.idp.passwords()).toBe(before + 1)
  })

  test('a password that was refused is sent once, however many programs ask for credentials', async () => {
    const own = { CLOUDTOKEN_PASSWORD: 'hunter22' }
    const before = place.idp.passwords()
    const first = await place.run(['credential-process', '--role', roles[0] ?? ''], { env: own })
    expect(first.stderr).toContain('refused the user name or the password')
    const others = [['credential-process', '--role', roles[1] ?? ''], ['--list'], ['env', '--role', roles[0] ?? '']]
    for (const args of others) {
      const { code, stderr } = await place.run(args, { env: own })
      expect(stderr).toContain('it is not sent again until')
      expect([code, place.idp.passwords()]).toEqual([10, before + 1])
    }
    const right = await place.run(['--list'], { env: withPassword })
    expect([right.code, place.idp.passwords()]).toEqual([0, before + 2])
  })

  test('-e prints the assignments, -t writes for this shell only, -U removes all without a password', async () => {
    await place.run(['-r', '1', '-t'], { env: withPassword })
    expect(existsSync(join(place.home, '.config/cloudtoken/tokens.tmp'))).toBe(true)
    expect(existsSync(join(place.home, '.config/cloudtoken/tokens.json'))).toBe(false)
    await place.run(['-r', '1'], { env: withPassword })
    const printed = await place.run(['-e'])
    expect(printed.stdout).toMatch(/^export AWS_ACCESS_KEY_ID=ASIA/m)
    expect(printed.stdout).not.toContain('#')
    const env = await place.run(['env', '--shell', 'dotenv'])
    expect(env.stdout).toMatch(/^AWS_ACCESS_KEY_ID=/m)
    const removed = await place.run(['-U'])
    expect(removed.code).toBe(0)
    expect(existsSync(join(place.home, '.config/cloudtoken/tokens.json'))).toBe(false)
    expect(readFileSync(join(place.home, '.aws/credentials'), 'utf8')).not.toContain('aws_access_key_id')
    expect((await place.run(['-e'])).code).toBe(11)
    expect((await place.run(['-l'])).code).toBe(11)
  })

  test('--json: the result on stdout, the transcript on stderr', async () => {
    const { stdout, stderr } = await place.run(['--json'], { env: fresh(), input: '3\n' })
    expect(JSON.parse(stdout)).toEqual({
      roleArn: roles[2],
      accountId: '123456789012',
      assumedRoleArn: expect.stringContaining(':assumed-role/User-Role/'),
      expiration: expect.stringMatching(/Z$/),
    })
    expect(stderr).toContain('Enter number of role you want: 3\nUsing role ')
  })

  test('-U needs no configuration at all', async () => {
    await place.run(['-r', '1'], { env: withPassword })
    const { code } = await place.run(['-U'], { env: { CLOUDTOKEN_URL: '' } })
    expect(code).toBe(0)
    expect(existsSync(join(place.home, '.config/cloudtoken/tokens.json'))).toBe(false)
    expect((await place.run(['-l'])).code).toBe(11)
  })

  test('--profile keeps to its own section, and every other byte stays', async () => {
    const foreign = '# mine\r\n[default]\naws_access_key_id=AKIAMINE\n\n[other]\n  s3 =\n    max = 1\nlast = x'
    mkdirSync(join(place.home, '.aws'))
    writeFileSync(join(place.home, '.aws/credentials'), foreign)
    await place.run(['-r', '1', '--profile', 'work'], { env: withPassword })
    expect(readFileSync(join(place.home, '.aws/credentials'), 'utf8')).toStartWith(foreign)
    await place.run(['-U', '--profile', 'work'], { env: withPassword })
    expect(readFileSync(join(place.home, '.aws/credentials'), 'utf8').trimEnd()).toBe(foreign)
  })

  test('whoami asks STS', async () => {
    await place.run(['-r', '3'], { env: withPassword })
    const { stdout } = await place.run(['whoami', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ account: '123456789012' })
    expect(stdout).toContain(':assumed-role/User-Role/')
  })
})

describe('what goes wrong has a message, a hint and an exit code', () => {
  test('wrong password: posted once', async () => {
    const before = place.idp.passwords()
    const { code, stderr } = await place.run([], { env: { ...fresh(), CLOUDTOKEN_PASSWORD: 'wrong one' } })
    expect(code).toBe(10)
    expect(stderr).toMatch(/refused the user name or the password.*\ncloudtoken: hint: /)
    expect(stderr).not.toContain('wrong one')
    expect(place.idp.passwords()).toBe(before + 1)
  })

  test('X02 nobody to ask', async () => {
    const { code, stderr } = await place.run([])
    expect(code).toBe(11)
    expect(stderr).toContain('--password-file')
  })

  test('no roles, no identity provider there, page that is none, wrong service', async () => {
    expect((await place.run(['-u', 'nobody'], { env: fresh() })).code).toBe(12)
    const down = await place.run(['--url', 'http://127.0.0.1:9/simplesaml'], { env: fresh() })
    expect([down.code, down.stderr]).toEqual([30, expect.stringContaining('127.0.0.1:9')])
    const lost = await place.run(['--url', place.idp.url.replace('webservices', 'nothing')], { env: fresh() })
    expect([lost.code, lost.stderr]).toEqual([20, expect.stringContaining('entity id of AWS')])
  })

  test('STS that refuses', async () => {
    const { code, stderr } = await place.run(['-r', '1'], {
      env: { ...fresh(), AWS_ENDPOINT_URL_STS: place.idp.origin },
    })
    expect([30, 31]).toContain(code ?? 0)
    expect(stderr).toStartWith('cloudtoken: error: ')
  })

  test('a password file that others can read', async () => {
    const file = join(place.home, 'password')
    writeFileSync(file, `${password}\n`, { mode: 0o644 })
    const loose = await place.run(['-r', '1', '--password-file', file])
    expect([loose.code, loose.stderr]).toEqual([20, expect.stringContaining('chmod')])
  })

  test('X08 --debug shows every step and no secret', async () => {
    const { stderr } = await place.run(['--debug', '-r', '1'], { env: withPassword })
    const tokens = place.tokens()
    const state = join(place.home, '.local/state/cloudtoken/identities')
    const [identity = ''] = readdirSync(state)
    const cookies = await cookieValues(join(state, '..'), join(state, identity))
    expect(cookies).not.toEqual([])
    expect(stderr).toContain('credentials')
    // The beginning of a response, in base64.
    const assertion = Buffer.from('<samlp:Respon').toString('base64').slice(0, 16)
    const encoded = encodeURIComponent(password)
    for (const secret of [password, encoded, tokens.SecretAccessKey, tokens.Token, assertion, ...cookies]) {
      expect(stderr).not.toContain(secret)
    }
  })
})

describe('--saml-response', () => {
  test('from stdin and from a file, once', async () => {
    const { response } = await import('./saml-response.ts').then(({ fetchResponse }) =>
      fetchResponse(place.idp.url, password),
    )
    const piped = await place.run(['--saml-response', '-', '--role', 'User-Role'], {
      input: response,
    })
    expect([piped.stdout, piped.code]).toEqual([`Using role ${roles[2]}\n`, 0])
    const file = join(place.home, 'response')
    writeFileSync(file, response.replace(/(.{60})/g, '$1\r\n'))
    expect((await place.run(['--saml-response', file, '-r', '1'])).code).toBe(0)
    writeFileSync(file, 'not a response')
    const broken = await place.run(['--saml-response', file, '-r', '1'])
    expect(broken.code).not.toBe(0)
    expect(broken.stderr).toContain('cloudtoken: error: ')
  })
})
