import { describe, expect, test } from 'bun:test'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { run } from '../../src/run.ts'
import { command, isDeno, password, roles, usePlace, type Result } from './cli.ts'

const [readOnly = '', sysadmin = '', userRole = ''] = roles

const place = await usePlace()

const quiet = { CLOUDTOKEN_URL: '', CLOUDTOKEN_USERNAME: '' }

/** Runs with this config.yaml, in a home where nothing else is. */
function withConfig(text: string, args: readonly string[], env = {}): Promise<Result> {
  place.move()
  mkdirSync(join(place.home, '.config/cloudtoken'), { recursive: true })
  writeFileSync(join(place.home, '.config/cloudtoken/config.yaml'), text)
  return place.run(args, { env: { ...quiet, ...env } })
}

describe('config.yaml', () => {
  test('of the original, as it stands', async () => {
    const text = `
plugins:
    pre_auth:
        - version_check
    auth:
        - idp
        - saml
    post_auth:
        - export_credentials_json
defaults:
        username: charlie
        password: '${password}'
        url: ${place.idp.url}
        role_number: 2
        refresh-interval: 2700
        saml:
            session_duration: 1800
        export_credentials_cli:
            credentials-profile: default
`
    const { stdout, code } = await withConfig(text, [])
    expect([stdout, code]).toEqual([`Using role ${roles[1]}\n`, 0])
    const tokens = place.tokens()
    expect(Date.parse(tokens.Expiration) - Date.parse(tokens.LastUpdated)).toBeLessThanOrEqual(1_801_000)
    expect(() => statSync(join(place.home, '.aws/credentials'))).toThrow()
  })

  test('identities: the only one, the named one, and one too many', async () => {
    const entry = (user: string): string => `{url: "${place.idp.url}", username: ${user}, password: "${password}"}`
    const one = await withConfig(`identities:\n  work: ${entry('dana')}\n`, [])
    expect(one.stdout).toContain(`Using role ${roles[0]}`)
    const two = `identities:\n  work: ${entry('dana')}\n  home: ${entry('charlie')}\n`
    expect((await withConfig(two, ['--identity', 'home', '-l'])).stdout.split('\n')).toHaveLength(4)
    const unclear = await withConfig(two, [])
    expect([unclear.code, unclear.stderr]).toEqual([20, expect.stringContaining('cloudtoken --identity work')])
    const wrong = await withConfig(two, ['--identity', 'wrok'])
    expect([wrong.code, wrong.stderr]).toEqual([20, expect.stringContaining('did you mean work?')])
  })

  test('precedence: flag, variable, identity, plugin, defaults', async () => {
    const text = `
identities:
  work: {url: "${place.idp.url}", username: charlie, password: "${password}", role-number: 3}
defaults:
  role-number: 1
  saml: {role-number: 2}
`
    expect((await withConfig(text, [])).stdout).toContain(userRole)
    expect((await withConfig(text, [], { CLOUDTOKEN_ROLE_NUMBER: '2' })).stdout).toContain(sysadmin)
    expect((await withConfig(text, ['-r1'], { CLOUDTOKEN_ROLE_NUMBER: '2' })).stdout).toContain(readOnly)
    expect((await withConfig(text.replace(', role-number: 3', ''), [])).stdout).toContain(sysadmin)
  })

  test.each([
    ['an unknown key', 'identites:\n  a: {}\n', 'did you mean identities?'],
    ['an unknown option', 'defaults:\n  session-durration: 900\n', 'did you mean session-duration?'],
    ['an unknown option of an identity', 'identities:\n  a: {urll: x}\n', 'did you mean url?'],
    ['a key twice', 'defaults: {}\ndefaults: {}\n', 'unique'],
    ['broken YAML', 'defaults: [\n', 'config.yaml'],
    ['a list of something else', 'plugins:\n  auth: [1]\n', 'plugins.auth'],
    ['no mapping', '- a\n', 'the file'],
    ['a number that is none', 'defaults:\n  session-duration: soon\n', '900 to 43200'],
    ['a number out of range', 'defaults:\n  session-duration: 10\n', '900 to 43200'],
    ['a plugin that is not there', 'plugins:\n  auth: [smal]\n', 'smal'],
  ])('%s is refused by name', async (_, text, words) => {
    const { code, stderr } = await withConfig(text, ['--url', place.idp.url])
    expect([code, stderr]).toEqual([20, expect.stringContaining(words)])
  })

  test('a file that was named must be there', async () => {
    const { code, stderr } = await place.run(['--config-file', '/nowhere/config.yaml'])
    expect([code, stderr]).toEqual([20, 'cloudtoken: error: Unable to load config file: /nowhere/config.yaml\n'])
  })
})

describe('the command line', () => {
  test.each([
    [['--filtr', 'x'], 'did you mean --filter?'],
    [['--role'], '--role needs a value'],
    [['--session-duration', '1h'], '900 to 43200 (seconds)'],
    [['extra'], 'no command extra'],
    [['-l', 'extra'], 'unexpected argument "extra"'],
    [['--consent', 'maybe'], 'ask, accept, refuse'],
    [['roles', '--daemon'], 'unknown option --daemon'],
    [['status', '--role', 'x'], 'hint: cloudtoken status --help'],
    [['status', 'extra'], 'hint: cloudtoken status --help'],
    [['--json', 'status'], 'hint: the command comes before its options: cloudtoken status …'],
    [['login'], 'hint: cloudtoken\n'],
    [['configure'], 'hint: cloudtoken init\n'],
    [['list'], 'hint: cloudtoken roles\n'],
    // A variable of a script that was never set.
    [['--role', ''], '--role needs a value'],
    [['exec', '--role=', '--', 'true'], '--role needs a value'],
    [['--session-policy', ''], '--session-policy needs a value'],
    [['--background'], 'hint: cloudtoken -d --background\n'],
    [['--listen', '127.0.0.1:9911'], 'hint: cloudtoken -d --listen 127.0.0.1:9911\n'],
  ])('%p is a usage error', async (args, words) => {
    const { code, stderr } = await place.run(args)
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)])
  })

  test('a variable that nobody reads is told', async () => {
    const { stderr } = await place.run(['-l'], { env: { CLOUDTOKEN_SESION_DURATION: '900' } })
    expect(stderr).toContain('did you mean CLOUDTOKEN_SESSION_DURATION?')
  })

  test('--version, -V, -v and version; --help, -h and help', async () => {
    for (const word of ['--version', '-V', '-v', 'version']) {
      expect((await place.run([word])).stdout).toMatch(/^cloudtoken \d+\.\d+\.\d+\n$/)
    }
    const help = (await place.run(['--help'])).stdout
    for (const word of ['-h', 'help']) expect((await place.run([word])).stdout).toBe(help)
    for (const option of ['--session-duration', '--allow-from', '--role-number', 'credential-process']) {
      expect(help).toContain(option)
    }
    expect((await place.run(['credential-process', '--help'])).stdout).toStartWith('cloudtoken credential-process')
  })
})

describe('init', () => {
  test('writes skeletons once and shell additions always, all private', async () => {
    const first = await place.run(['--init'], { env: quiet })
    const folder = join(place.home, '.config/cloudtoken')
    expect(first.stderr).toEndWith('will be kept encrypted, with a key of this machine and user\n')
    expect(first.stdout.split('\n')).toEqual([
      `Creating ${folder} directory.`,
      `Populating ${folder} with skeleton configuration files.`,
      'Initialisation complete.',
      'Please see the documentation for instructions on completing shell integration.',
      `Shell additions and configuration files have been placed in ${folder}.`,
      '',
    ])
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    const file = join(folder, 'config.yaml')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    writeFileSync(file, 'defaults:\n')
    const second = await place.run(['init'], { env: quiet })
    expect(second.stdout).toContain(`${file} already exists. Skipping.`)
    expect(readFileSync(file, 'utf8')).toBe('defaults:\n')
  })

  test('--url goes into it, and the next run needs nothing more; a file that is there stays', async () => {
    const env = { ...quiet, CLOUDTOKEN_PASSWORD: password }
    const { code } = await place.run(['init', '--url', place.idp.url, '--username', 'dana'], { env })
    expect(code).toBe(0)
    expect((await place.run([], { env })).stdout).toContain(`Using role ${roles[0]}`)
    const again = await place.run(['init', '--url', 'https://idp.example.com/'], { env })
    expect(again.stderr).toContain('warning: --url is not in it')
    expect((await place.run(['-l'], { env })).code).toBe(0)
  })

  test('without it nobody is asked at an example', async () => {
    const env = quiet
    const { stderr } = await place.run(['init'], { env })
    expect(stderr).toContain(`name your identity provider in ${join(place.home, '.config/cloudtoken/config.yaml')}`)
    const { code, stderr: said } = await place.run([], { env })
    expect([code, said]).toEqual([20, expect.stringContaining('no identity provider is configured')])
  })

  test('what it writes can be read again', async () => {
    await place.run(['init'], { env: quiet })
    const url = ['--url', place.idp.url, '-u', 'dana']
    const run = await place.run(url, { env: { ...quiet, CLOUDTOKEN_PASSWORD: password } })
    expect([run.stdout, run.code]).toEqual([expect.stringContaining(`Using role ${roles[0]}`), 0])
  })
})

// As in a container that is started with a number for a user.
test.skipIf(process.geteuid?.() !== 0 || process.platform !== 'linux' || isDeno)(
  'a user whom the system does not know',
  async () => {
    const person = ['--reuid=54321', '--regid=54321', '--clear-groups']
    const { code, stderr } = await run('setpriv', [...person, ...command, 'roles'], {
      env: { PATH: process.env['PATH'], CLOUDTOKEN_NO_INPUT: 'true' },
      cwd: '/',
    })
    expect([code, stderr]).toEqual([
      20,
      'cloudtoken: error: this user has no home folder\ncloudtoken: hint: set HOME to a folder of your own\n',
    ])
  },
)
