import { describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { command, isDeno, password, roles, usePlace, withPassword, type Result } from './cli.ts'
import { atTerminal } from './screen.ts'

const place = await usePlace()

type Env = Readonly<Record<string, string>>

const role = ['--role', roles[1] ?? '']

function exec(args: readonly string[], env: Env = {}, input?: string): Promise<Result> {
  const options = { env: { ...withPassword, ...env } }
  return place.run(['exec', ...role, ...args], input === undefined ? options : { ...options, input })
}

/** A program for `--`: it may use `env`, `get(path?)` for its endpoint, and `say(value)`. */
function script(body: string): string[] {
  const prelude = `
    const { readFileSync, statSync } = require('node:fs')
    const env = process.env
    const say = value => console.log(JSON.stringify(value))
    const get = async () => {
      const headers = { authorization: readFileSync(env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, 'utf8') }
      return await (await fetch(env.AWS_CONTAINER_CREDENTIALS_FULL_URI, { headers })).json()
    }
    /** The key ids that the endpoint shows, that many of them. */
    const watch = async count => {
      const seen = new Set()
      for (const end = Date.now() + 40_000; seen.size < count && Date.now() < end; await Bun.sleep(50)) {
        const { AccessKeyId, code } = await get()
        seen.add(AccessKeyId ?? code)
      }
      return [...seen]
    }
  `
  return ['--', process.execPath, '-e', `${prelude};${body}`]
}

describe('exec', () => {
  test('the command has keys, and no credentials of anybody else', async () => {
    const foreign = {
      AWS_PROFILE: 'mine',
      AWS_ACCESS_KEY_ID: 'AKIAOLD',
      AWS_SECURITY_TOKEN: 'old',
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:9/',
      AWS_WEB_IDENTITY_TOKEN_FILE: '/nowhere',
      AWS_CONFIG_FILE: '/my/config',
      OTHER: 'kept',
    }
    const { code, stdout, stderr } = await exec(['--region', 'eu-west-1', ...script('say(env)')], foreign)
    expect(code).toBe(0)
    const env = JSON.parse(stdout)
    expect(
      Object.keys(env)
        .filter(name => name.startsWith('AWS_') && !name.startsWith('AWS_ENDPOINT'))
        .sort(),
    ).toEqual([
      ...['AWS_ACCESS_KEY_ID', 'AWS_ACCOUNT_ID', 'AWS_CONFIG_FILE', 'AWS_CREDENTIAL_EXPIRATION', 'AWS_DEFAULT_REGION'],
      ...['AWS_REGION', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'],
    ])
    expect(env).toMatchObject({ AWS_REGION: 'eu-west-1', AWS_DEFAULT_REGION: 'eu-west-1', OTHER: 'kept' })
    expect(env.AWS_ACCESS_KEY_ID).toStartWith('ASIA')
    expect(env.AWS_CREDENTIAL_EXPIRATION).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(stdout).not.toContain('tr0ub4dor')
    expect(stderr).toBe(
      'cloudtoken: the command does not see AWS_CONTAINER_CREDENTIALS_FULL_URI, AWS_PROFILE, AWS_SECURITY_TOKEN, ' +
        'AWS_WEB_IDENTITY_TOKEN_FILE\n',
    )
  })

  test('words, stdin and stdout are its own, and nothing else is said', async () => {
    const { stdout, stderr } = await exec(
      ['--', 'sh', '-c', 'cat; printf "%s|" "$@"', 'sh', '--role', '', 'a b'],
      {},
      'in',
    )
    expect([stdout, stderr]).toEqual(['in--role||a b|', ''])
  })

  test('X06 its exit code is ours; 128 and the number after a signal', async () => {
    expect((await exec(['--', 'sh', '-c', 'exit 42'])).code).toBe(42)
    expect((await exec(['--', 'sh', '-c', 'kill -9 $$'])).code).toBe(137)
    expect((await exec(['--serve', '--', 'sh', '-c', 'kill -USR1 $$'])).code).toBe(138)
  })

  test('127 for what is not there, before anybody signs in; 126 for what does not run', async () => {
    const before = place.idp.passwords()
    const missing = await exec(['--', 'no-such-program'])
    expect([missing.code, missing.stderr]).toEqual([127, 'cloudtoken: error: no-such-program: command not found\n'])
    expect(place.idp.passwords()).toBe(before)
    writeFileSync(join(place.home, 'plain'), 'echo hi\n', { mode: 0o644 })
    writeFileSync(join(place.home, 'script'), 'echo hi\n', { mode: 0o755 })
    writeFileSync(join(place.home, 'lost'), '#!/no/such/shell\n', { mode: 0o755 })
    // Deno starts a file without #! as execvp(3) does: with sh.
    for (const name of isDeno ? ['plain', 'lost'] : ['plain', 'script', 'lost']) {
      const { code, stderr } = await exec(['--', join(place.home, name)])
      expect([code, stderr]).toEqual([126, expect.stringMatching(/^cloudtoken: error: .*\ncloudtoken: hint: .*\n$/)])
    }
    expect((await exec(['--serve', '--', join(place.home, 'plain')])).code).toBe(126)
    expect(readdirSync(join(place.home, '.local/state/cloudtoken/exec'))).toEqual([])
  })

  test('no command, or one without --: what to type', async () => {
    for (const args of [['exec'], ['exec', '--']]) expect((await place.run(args)).code).toBe(2)
    const { code, stderr } = await place.run(['exec', 'aws', 's3'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('hint: cloudtoken exec -- aws s3')])
    expect((await place.run(['exec', 'aws', '--', 's3'])).code).toBe(2)
  })

  test('signals go to the command, which decides', async () => {
    for (const mode of [[], ['--serve']]) {
      const body = 'trap "echo usr2" USR2; trap "echo term; exit 9" TERM; echo ready; while :; do sleep 0.05; done'
      const env = withPassword
      const running = place.start(['exec', ...mode, ...role, '--', 'sh', '-c', body], { env })
      await running.seen(/ready/)
      running.child.kill('SIGUSR2')
      await running.seen(/usr2/)
      running.child.kill('SIGTERM')
      const { code, stdout } = await running.done
      expect([code, stdout]).toEqual([9, 'ready\nusr2\nterm\n'])
    }
  })
})

describe('exec --serve', () => {
  test('an endpoint of its own: no keys, a private token without a line end, and nothing left behind', async () => {
    const body = `
      const file = env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE
      const [token, { mode }] = [readFileSync(file, 'utf8'), statSync(file)]
      const refused = await fetch(env.AWS_CONTAINER_CREDENTIALS_FULL_URI)
      say({ env, token, mode: mode & 0o777, file, refused: refused.status, set: await get() })
    `
    const { stdout, stderr } = await exec(['--serve', ...script(body)], { AWS_SESSION_TOKEN: 'old' })
    const { env, token, mode, file, refused, set } = JSON.parse(stdout)
    expect(
      Object.keys(env)
        .filter(name => /^AWS_(?!ENDPOINT)/.test(name))
        .sort(),
    ).toEqual([...['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE', 'AWS_CONTAINER_CREDENTIALS_FULL_URI']])
    expect(env.AWS_CONTAINER_CREDENTIALS_FULL_URI).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/role\/Sysadmin-Role$/)
    expect([token, mode, refused]).toEqual([expect.stringMatching(/^[\w-]{43}$/), 0o600, 401])
    expect(set).toMatchObject({
      AccountId: '123456789012',
      RoleArn: roles[1],
      AccessKeyId: expect.stringMatching(/^ASIA/),
    })
    expect(JSON.stringify(env)).not.toContain(set.SecretAccessKey)
    expect(existsSync(file)).toBe(false)
    expect(await fetch(env.AWS_CONTAINER_CREDENTIALS_FULL_URI).catch(() => 'closed')).toBe('closed')
    expect(stderr).toBe('cloudtoken: the command does not see AWS_SESSION_TOKEN\n')
  })

  test('renews while the command runs, silently; two of them do not sign in twice as often', async () => {
    const before = place.idp.passwords()
    const args = ['--serve', '--refresh-interval', '1', ...script('say(await watch(5))')]
    const [one, two] = await Promise.all([exec(args), exec(args)])
    const [first, second] = [one, two].map(({ stdout }) => new Set<string>(JSON.parse(stdout)))
    expect(first?.size).toBeGreaterThan(2)
    expect(second?.size).toBeGreaterThan(2)
    expect([...(first ?? [])].filter(key => second?.has(key)).length).toBeGreaterThan(1)
    expect(place.idp.passwords()).toBe(before + 1)
    expect([one?.stderr, two?.stderr]).toEqual(['', ''])
  }, 60_000)

  test('when a person is needed it says so once, and serves what it has; a sign-in elsewhere is enough', async () => {
    await exec(['--', 'true'])
    const body = `
      const first = await get()
      say('ready')
      let set = first
      while (set.AccessKeyId === first.AccessKeyId) { await Bun.sleep(100); set = await get() }
      say(set)
    `
    const running = place.start(['exec', '--serve', '--refresh-interval', '1', ...role, ...script(body)])
    place.idp.endSessions()
    await running.seen(/hint: run cloudtoken in another terminal/)
    await Bun.sleep(1500)
    await place.run(['-r', '1'], { env: withPassword })
    const { stdout, stderr } = await running.done
    expect(stderr.match(/cannot renew/g)).toHaveLength(1)
    expect(stdout).toContain(`"RoleArn":"${roles[1]}"`)
  }, 60_000)

  test('[default] in the shared files would win, so the command sees them without; no other byte changes', async () => {
    mkdirSync(join(place.home, '.aws'))
    const mine =
      '# mine\r\n[default]\naws_access_key_id = AKIAMINE\naws_secret_access_key=x\n[other]\naws_access_key_id = AKIAOTHER'
    const config = '[default]\nregion = eu-west-1\ncredential_process = false\ns3 =\n  max = 1\n'
    writeFileSync(join(place.home, '.aws/credentials'), mine)
    writeFileSync(join(place.home, '.aws/config'), config)
    const body = `say([env.AWS_SHARED_CREDENTIALS_FILE, env.AWS_CONFIG_FILE].map(file => [statSync(file).mode & 0o777, readFileSync(file, 'utf8')]))`
    const { stdout, stderr } = await exec(['--serve', ...script(body)])
    expect(JSON.parse(stdout)).toEqual([
      [0o600, '# mine\r\n[default]\n[other]\naws_access_key_id = AKIAOTHER'],
      [0o600, '[default]\nregion = eu-west-1\ns3 =\n  max = 1\n'],
    ])
    expect(stderr.match(/a copy of .* without the credentials of \[default\]/g)).toHaveLength(2)
    expect(readFileSync(join(place.home, '.aws/credentials'), 'utf8')).toBe(mine)
    expect(readFileSync(join(place.home, '.aws/config'), 'utf8')).toBe(config)
  })

  test('what the command writes to its copy is kept beside the file', async () => {
    const file = join(place.home, '.aws/config')
    mkdirSync(join(place.home, '.aws'))
    writeFileSync(file, '[default]\ncredential_process = false\n')
    const line = 'printf "[profile new]\\nregion = x\\n" >>"$AWS_CONFIG_FILE"'
    const { stderr } = await exec(['--serve', '--', 'sh', '-c', line])
    const [kept = ''] = readdirSync(join(place.home, '.aws')).filter(name => name.startsWith('config.of-'))
    expect(readFileSync(join(place.home, '.aws', kept), 'utf8')).toBe('[default]\n[profile new]\nregion = x\n')
    expect(stderr).toContain(`it is in ${join(place.home, '.aws', kept)}\n`)
    expect(readFileSync(file, 'utf8')).toBe('[default]\ncredential_process = false\n')
  })
})

describe('at a terminal', () => {
  test.each([[[]], [['--serve']]])(
    'exec %p: after our question every key and Ctrl-C, once, is the command’s',
    async mode => {
      const body = `
      n=0; trap 'n=$((n+1)); echo "interrupt $n"' INT
      stty size; echo ready; read a; echo "first <$a>"; read b; echo "second <$b>"
      while [ $n = 0 ]; do sleep 0.05; done; sleep 0.5; echo "count $n"; exit 7
    `
      const screen = atTerminal(place, [...command, 'exec', ...mode, '--', 'sh', '-c', body])
      await screen.seen(/Password/)
      await screen.type(`${password}\r`)
      await screen.seen(/Enter number of role/)
      await screen.type('2')
      await screen.seen(/Sysadmin-Role/)
      await screen.type('\r')
      await screen.seen(/33 91\s+ready/)
      await screen.type('hello you\n')
      await screen.seen(/first <hello you>/)
      await screen.type('again\n')
      await screen.seen(/second <again>/)
      await screen.type('\x03')
      await screen.seen(/interrupt 1/)
      await screen.seen(/count 1\r\n/)
      expect(await screen.ended).toBe(7)
    },
  )

  test('Ctrl-C at our question: 130, and the command never starts', async () => {
    const screen = atTerminal(place, [...command, 'exec', ...role, '--', 'echo', 'started'])
    await screen.seen(/Password/)
    await screen.type('half\x03')
    expect(await screen.ended).toBe(130)
    await expect(screen.seen(/started/, 0)).rejects.toThrow('never saw')
  })

  test('X01 eval "$(cloudtoken env)" asks at the terminal, and the next line typed is the shell’s', async () => {
    const env = { COMMAND: command.join(' '), ROLE: roles[1] ?? '' }
    const screen = atTerminal(place, ['bash', '--norc', '-i'], env)
    await screen.seen(/\$ $/)
    await screen.type('eval "$($COMMAND env --role $ROLE)"\n')
    await screen.seen(/Password/)
    await screen.type(`${password}\r`)
    await screen.seen(/\$ $/)
    await screen.type('echo "role <$AWS_ROLE_NAME>"; exit\n')
    await screen.seen(/role <Sysadmin-Role>/)
    await screen.ended
  })

  test('job control: stopped, listed, continued, interrupted', async () => {
    const env = {
      CLOUDTOKEN_PASSWORD: password,
      COMMAND: [...command, 'exec', '--serve', ...role].join(' '),
    }
    const screen = atTerminal(place, ['bash', '--norc', '-i'], env)
    await screen.seen(/\$ $/)
    const body = 'trap "echo con""tinued" CONT; trap "exit 5" INT; echo rea""dy; while :; do sleep 0.05; done'
    await screen.type(`$COMMAND -- sh -c '${body}'\n`)
    await screen.seen(/ready/)
    await screen.type('\x1a')
    await screen.seen(/Stopped[^]*\$ $/)
    await screen.type('fg\n')
    await screen.seen(/continued/)
    await screen.type('\x03')
    await screen.seen(/\$ $/)
    await screen.type('echo "code <$?>"; exit\n')
    await screen.seen(/code <5>/)
    await screen.ended
  })
})
