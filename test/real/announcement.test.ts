/**
 * The announcement, word for word: a person with a SimpleSAMLphp account and three roles, the real address, the real clients.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { execFileSync } from 'node:child_process'
import { chownSync, copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { present } from './present.ts'
import { aliceRoles } from './simplesamlphp.ts'
import { makeWorld, ordinaryUser, whoAmI, type Started, type World } from './world.ts'

const ready = await present('simplesamlphp', 'moto', 'boto3', 'aws', 'curl', 'ip', 'openssl')

/** A Session made anew each time, so that the credentials are asked for each time. */
const boto = `
import boto3, json
session = boto3.Session(region_name='us-east-1')
frozen = session.get_credentials().get_frozen_credentials()
print(json.dumps([session.get_credentials().method, frozen.access_key, session.client('sts').get_caller_identity()['Arn']]))
`

/** Passwords sent. */
const posts = (world: World): number => world.idp.requests().filter(line => /^POST .*loginuserpass/.test(line)).length

describe.skipIf(!ready)('cloudtoken, then the AWS CLI', () => {
  let world: World
  beforeAll(async () => {
    world = await makeWorld()
  })
  afterAll(() => world.stop())

  test('a password, a role by number, and both clients work with no other configuration', async () => {
    const { code, stdout } = await world.run([], { input: '2\n' })
    expect([code, stdout.split('\n').at(-2)]).toEqual([0, `Using role ${aliceRoles[1]}`])
    const cli = await world.client('aws', whoAmI(world))
    expect(cli.stderr).toBe('')
    expect(JSON.parse(cli.stdout).Arn).toBe('arn:aws:sts::123456789012:assumed-role/developer/alice@example.org')
    const [method, key] = JSON.parse((await world.client('python3', ['-c', boto])).stdout)
    expect([method, key]).toEqual([
      'shared-credentials-file',
      JSON.parse(readFileSync(join(world.home, '.config/cloudtoken/tokens.json'), 'utf8')).AccessKeyId,
    ])
  })

  test('credential_process in ~/.aws/config', async () => {
    const config = join(world.home, 'aws-config')
    const program = process.env['CLOUDTOKEN_BIN'] ?? `${process.execPath} ${join(import.meta.dir, '../../src/main.ts')}`
    writeFileSync(
      config,
      `[profile work]\ncredential_process = ${program} credential-process --role ${aliceRoles[0]}\nregion = us-east-1\n`,
    )
    const env = {
      ...world.env,
      AWS_CONFIG_FILE: config,
      AWS_PROFILE: 'work',
      AWS_SHARED_CREDENTIALS_FILE: join(world.home, 'none'),
    }
    const first = await world.client('aws', whoAmI(world), env)
    expect(JSON.parse(first.stdout).Arn).toContain(':assumed-role/admin/')
    const assumed = world.sts.assumed().length
    const [method] = JSON.parse((await world.client('python3', ['-c', boto], env)).stdout)
    expect([method, world.sts.assumed().length]).toEqual(['custom-process', assumed])
  })

  test('eval "$(cloudtoken env)" in a shell', async () => {
    const program = process.env['CLOUDTOKEN_BIN'] ?? `${process.execPath} ${join(import.meta.dir, '../../src/main.ts')}`
    const line = `eval "$(${program} env --role ${aliceRoles[0]})" && aws ${whoAmI(world).join(' ')}`
    const { stdout } = await world.client('bash', ['-c', line], {
      ...world.env,
      AWS_SHARED_CREDENTIALS_FILE: join(world.home, 'none'),
    })
    expect(JSON.parse(stdout).Arn).toContain(':assumed-role/admin/')
  })

  test('a wrong password is said once and posted once', async () => {
    const before = posts(world)
    const wrong = { CLOUDTOKEN_PASSWORD_FILE: '', CLOUDTOKEN_PASSWORD: 'not it', HOME: join(world.home, 'other') }
    const { code, stderr } = await world.run(['-r', '1'], { env: wrong })
    expect([code, stderr]).toEqual([10, expect.stringContaining('Incorrect username or password')])
    expect(posts(world) - before).toBe(1)
  })
})

describe.skipIf(!ready)('pages of SimpleSAMLphp modules', () => {
  test('consent: asked, refused, and accepted by option; choice of source by option and by name', async () => {
    const world = await makeWorld({ consent: 'each time', multiauth: true })
    try {
      const own = (name: string): { HOME: string } => ({ HOME: join(world.home, name) })
      const unasked = await world.run(['-r', '1', '--no-input', '--auth-source', 'staff'], { env: own('a') })
      expect([unasked.code, unasked.stderr]).toEqual([11, expect.stringMatching(/consent|release|attribute/i)])
      const refused = await world.run(['-r', '1', '--auth-source', 'staff', '--consent', 'refuse'], { env: own('b') })
      expect(refused.code).toBe(10)
      const nobody = await world.run(['-r', '1', '--no-input', '--consent', 'accept'], { env: own('c') })
      expect(nobody.code).toBe(11)
      const done = await world.run(['-r', '1', '--auth-source', 'staff', '--consent', 'accept'], { env: own('d') })
      expect([done.code, done.stdout]).toEqual([0, `Using role ${aliceRoles[0]}\n`])
    } finally {
      await world.stop()
    }
  })
})

describe.skipIf(!ready || process.env['CLOUDTOKEN_NAMESPACE'] === undefined)(
  'cloudtoken -d at 169.254.169.254, as root',
  () => {
    let world: World
    let running: Started | undefined
    const person = ordinaryUser()
    const addresses = (): string => execFileSync('ip', ['-o', 'addr', 'show', 'dev', 'lo'], { encoding: 'utf8' })

    beforeAll(async () => {
      world = await makeWorld()
      const folder = join(person.home, '.config/cloudtoken')
      mkdirSync(folder, { recursive: true })
      const secret = join(person.home, 'password')
      copyFileSync(join(world.home, 'password'), secret)
      writeFileSync(
        join(folder, 'config.yaml'),
        `identities:\n  work: {url: "${world.idp.url}", username: alice, password-file: ${secret}}\n`,
      )
      execFileSync('chown', ['-R', person.name, person.home])
      execFileSync('chmod', ['600', secret])
    })
    afterEach(async () => {
      running?.child.kill('SIGKILL')
      await running?.ended
      running = undefined
      for (let turn = 0; turn < 50 && addresses().includes('169.254.'); turn += 1) await Bun.sleep(100)
    })
    afterAll(async () => {
      await world.stop()
      rmSync(person.home, { recursive: true, force: true })
    })

    /** Root's own surroundings: nothing of the person's is in them. */
    const env = (): Record<string, string> => ({
      ...Object.fromEntries(Object.keys(world.env).map(name => [name, ''])),
      PATH: world.env['PATH'] ?? '',
      HOME: '/root',
      AWS_ENDPOINT_URL_STS: world.sts.url,
      CLOUDTOKEN_SKIP_KEYRING: 'true',
    })

    async function daemon(args: readonly string[] = [], input = '1\n'): Promise<string> {
      running = world.start(['-d', '--system-username', person.name, ...args], { env: env(), input })
      return await running.seen(/-{54}\n/)
    }

    test('the transcript, the 21 lines, and the clients, for longer than a session lasts', async () => {
      const started = await daemon(['--refresh-interval', '4'])
      expect(started.split('\n').filter(line => !line.startsWith('cloudtoken: '))).toEqual([
        'Launching in daemon mode...',
        'Configuring link-local address on lo...done.',
        'Available roles to choose from:',
        ...aliceRoles.map((role, index) => `    ${index + 1}. ${role}`),
        '',
        '',
        'Enter number of role you want: 1',
        `Using role ${aliceRoles[0]}`,
        'Metadata proxy now available on http://169.254.169.254',
        '-'.repeat(54),
        '',
      ])
      const curl = await world.client('curl', ['-s', 'http://169.254.169.254/latest/meta-data'])
      expect(curl.stdout.split('\n')).toEqual([
        ...[
          'ami-id',
          'ami-launch-index',
          'ami-manifest-path',
          'block-device-mapping/',
          'hostname',
          'iam/',
          'instance-action',
        ],
        ...['instance-id', 'instance-type', 'kernel-id', 'local-hostname', 'local-ipv4', 'mac', 'metrics/', 'network/'],
        ...['placement/', 'profile', 'public-keys/', 'reservation-id', 'security-groups', 'services/'],
      ])
      const clean = { HOME: join(world.home, 'nobody') }
      const cli = await world.client('aws', whoAmI(world), clean)
      expect(JSON.parse(cli.stdout || 'null')?.Arn).toBe(
        'arn:aws:sts::123456789012:assumed-role/admin/alice@example.org',
      )
      const [method, first] = JSON.parse((await world.client('python3', ['-c', boto], clean)).stdout)
      expect(method).toBe('iam-role')
      await Bun.sleep(6000)
      const [, second, arn] = JSON.parse((await world.client('python3', ['-c', boto], clean)).stdout)
      expect(second).not.toBe(first)
      expect(arn).toContain(':assumed-role/admin/')
      const strict = { ...clean, AWS_EC2_METADATA_V1_DISABLED: 'true' }
      expect((await world.client('python3', ['-c', boto], strict)).code).toBe(0)
      expect(posts(world)).toBe(1)
    })

    test('root is given up before anything of the person is read; files are theirs; nobody else may come back', async () => {
      await daemon()
      const status = readFileSync(`/proc/${running?.child.pid}/status`, 'utf8')
      expect(/^Uid:\t(\d+)\t(\d+)\t(\d+)\t(\d+)/m.exec(status)?.slice(1)).toEqual(Array(4).fill(String(person.uid)))
      expect(/^CapEff:\t(\w+)/m.exec(status)?.[1]).toBe('0000000000000000')
      const tokens = statSync(join(person.home, '.config/cloudtoken/tokens.json'))
      expect([tokens.uid, tokens.mode & 0o777]).toEqual([person.uid, 0o600])
    })

    test.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)('#92 %s leaves nothing behind', async signal => {
      await daemon()
      expect(addresses()).toContain('169.254.169.254/32')
      running?.child.kill(signal)
      const { code, stdout } = await (running as Started).ended
      for (let turn = 0; turn < 30 && addresses().includes('169.254.'); turn += 1) await Bun.sleep(100)
      expect(addresses()).not.toContain('169.254.')
      if (signal === 'SIGKILL') return
      expect(code).toBe(0)
      expect(stdout).toEndWith('Unconfiguring link-local address on lo...done.\n')
    })

    test('--ipv6: both addresses, and a kill leaves neither', async () => {
      const started = await daemon(['--ipv6'])
      expect(started.match(/Configuring link-local address/g)).toHaveLength(1)
      await running?.seen(/AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6/)
      const mode = { HOME: join(world.home, 'nobody'), AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: 'IPv6' }
      const [method] = JSON.parse((await world.client('python3', ['-c', boto], mode)).stdout)
      expect(method).toBe('iam-role')
      running?.child.kill('SIGKILL')
      await (running as Started).ended
      for (let turn = 0; turn < 30 && /169\.254\.|fd00:/.test(addresses()); turn += 1) await Bun.sleep(100)
      expect(addresses()).not.toMatch(/169\.254\.|fd00:/)
    })

    test('#92 an address that is there already is used and stays', async () => {
      execFileSync('ip', ['addr', 'add', '169.254.169.254/32', 'dev', 'lo'])
      try {
        await daemon()
        running?.child.kill('SIGTERM')
        await (running as Started).ended
        expect(addresses()).toContain('169.254.169.254')
      } finally {
        execFileSync('ip', ['addr', 'del', '169.254.169.254/32', 'dev', 'lo'])
      }
    })

    test('a wrong password takes the address away again', async () => {
      const secret = join(person.home, 'wrong')
      writeFileSync(secret, 'wrong')
      chownSync(secret, person.uid, person.uid)
      running = world.start(
        ['-d', '--system-username', person.name, '--username', 'mallory', '--password-file', secret],
        { env: env() },
      )
      const { code } = await running.ended
      expect([code, addresses().includes('169.254.')]).toEqual([20, false])
      execFileSync('chmod', ['600', secret])
      running = world.start(
        ['-d', '--system-username', person.name, '--username', 'mallory', '--password-file', secret],
        { env: env() },
      )
      expect([(await running.ended).code, addresses().includes('169.254.')]).toEqual([10, false])
    })

    test('a metadata service that is already there is respected, unless forced', async () => {
      execFileSync('ip', ['addr', 'add', '169.254.169.254/32', 'dev', 'lo'])
      const other = Bun.serve({
        hostname: '169.254.169.254',
        port: 80,
        fetch: () => new Response('EC2', { headers: { server: 'EC2ws' } }),
      })
      try {
        running = world.start(['-d', '--system-username', person.name], { env: env() })
        const { code, stderr } = await running.ended
        expect([code, stderr]).toEqual([40, expect.stringContaining('EC2ws')])
      } finally {
        await other.stop(true)
        execFileSync('ip', ['addr', 'del', '169.254.169.254/32', 'dev', 'lo'])
      }
    })
  },
)
