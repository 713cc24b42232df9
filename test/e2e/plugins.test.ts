/** Plugins as their users and their authors meet them. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { until } from '../until.ts'
import { password, roles, usePlace, withPassword, type Result } from './cli.ts'

const examples = join(import.meta.dirname, '../../examples/plugins')

const place = await usePlace()
let intranet: Server
beforeAll(async () => {
  intranet = createServer(socket => socket.end()).listen(0, '127.0.0.1')
})
beforeEach(() => {
  mkdirSync(join(place.home, '.config/cloudtoken/plugins'), { recursive: true, mode: 0o700 })
})
afterAll(() => void intranet.close())

const folder = (): string => join(place.home, '.config/cloudtoken/plugins')
const inside = (): string => `127.0.0.1:${(intranet.address() as AddressInfo).port}`
const run = (args: readonly string[], env: Record<string, string> = {}, cwd = place.home): Promise<Result> =>
  place.run(args, { env: { ...withPassword, ...env }, cwd })
const configure = (text: string): void => writeFileSync(join(place.home, '.config/cloudtoken/config.yaml'), text)
const example = (...names: string[]): void => {
  for (const name of names) copyFileSync(join(examples, name), join(folder(), name))
}
/** An executable of this text. */
function executable(name: string, text: string): string {
  const file = join(folder(), `cloudtoken-plugin-${name}`)
  writeFileSync(file, text, { mode: 0o700 })
  return file
}
/** A provider in sh that describes itself and then does this. */
const provider = (name: string, script: string): string =>
  executable(
    name,
    `#!/bin/sh\n[ "$1" = --describe ] && { echo '{"protocol":1,"kind":"provider","summary":"a test"}'; exit; }\nread -r hello\n${script}\n`,
  )

describe('the three examples together', () => {
  beforeEach(() => {
    example('cloudtoken-plugin-corp', 'cloudtoken-plugin-netrc', 'vpn-reachable.ts')
    configure(`
plugins:
    pre_auth: [vpn-reachable]
    auth: [corp, saml]
    post_auth: [export_credentials_json, netrc]
defaults:
    vpn_host: '${inside()}'
    netrc:
        netrc-file: ${place.home}/netrc
`)
  })

  test('check, sign in, hand on, and forget', async () => {
    const { code, stdout, stderr } = await run(['-r', '2', '--debug'])
    expect([code, stdout]).toEqual([0, expect.stringContaining(`Using role ${roles[1]}`)])
    const tokens = place.tokens()
    const netrc = readFileSync(join(place.home, 'netrc'), 'utf8')
    expect(netrc).toContain(`login ${tokens.AccessKeyId}\npassword ${tokens.SecretAccessKey}\n`)
    expect(statSync(join(place.home, 'netrc')).mode & 0o777).toBe(0o600)
    for (const secret of [password, tokens.SecretAccessKey, tokens.Token]) expect(stderr).not.toContain(secret)
    const wrong = await run(['-r', '1'], { CLOUDTOKEN_PASSWORD: 'wrong horse', CLOUDTOKEN_USERNAME: 'dana' })
    expect([wrong.code, wrong.stderr]).toEqual([
      10,
      expect.stringContaining('plugin corp: the identity provider refused the password'),
    ])
    const out = await run(['-U'])
    expect([out.code, existsSync(join(place.home, 'netrc'))]).toEqual([0, false])
    expect(
      readdirSync(join(place.home, '.local/state/cloudtoken/identities')).filter(name => name.includes('charlie')),
    ).toEqual([])
  })

  test('their options are options: flag, variable, config.yaml and --help', async () => {
    const help = await run(['--help'])
    expect(help.stdout).toContain('Plugin vpn-reachable: a check that the VPN is up, before the sign-in')
    expect(help.stdout).toMatch(/--netrc-file FILE +where to write it/)
    expect((await run(['roles', '--help'])).stdout).toContain('--corp-realm NAME')
    const flag = await run(['-r', '1', '--vpn-host', '127.0.0.1:1'])
    expect([flag.code, flag.stderr]).toEqual([
      30,
      'cloudtoken: error: plugin vpn-reachable: 127.0.0.1:1 does not answer\ncloudtoken: hint: connect the VPN\n',
    ])
    expect((await run(['-r', '1'], { CLOUDTOKEN_VPN_HOST: '127.0.0.1:1' })).code).toBe(30)
    expect((await run(['-r', '1', '--netrc-file', join(place.home, 'other')])).code).toBe(0)
    expect(existsSync(join(place.home, 'other'))).toBe(true)
    const wrong = await run(['--vpn-hots', 'x'])
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('did you mean --vpn-host?')])
  })

  test('the daemon renews with them, without the check and without a password', async () => {
    const passwords = place.idp.passwords()
    const daemon = await place.daemon(['-r', '1', '--refresh-interval', '1', '--debug'])
    const first = readFileSync(join(place.home, 'netrc'), 'utf8')
    const said = await daemon.seen(/(?:running netrc[^]*){3}/)
    expect(said.match(/running vpn-reachable/g)).toHaveLength(1)
    expect(readFileSync(join(place.home, 'netrc'), 'utf8')).not.toBe(first)
    expect(place.idp.passwords()).toBe(passwords + 1)
    daemon.child.kill('SIGTERM')
    expect((await daemon.done).code).toBe(0)
  })
})

describe('data and order', () => {
  test('by position and by name, in the order of config.yaml, and replaced on renewal', async () => {
    const log = join(place.home, 'order')
    const stage = (name: string): void => {
      writeFileSync(
        join(folder(), `${name}.js`),
        `import { appendFileSync } from 'node:fs'
export default { name: '${name}', summary: 'a test', async run({ stage, data, flags, credentials, store }) {
  const turn = Number(store.read('turn') ?? 0) + 1
  store.write('turn', String(turn))
  appendFileSync('${log}', JSON.stringify({ name: '${name}', stage, flags, keys: Object.keys(credentials ?? {}).length > 0,
    data: data.map(each => [each.plugin, typeof each.data === 'string' ? 'assertion' : (each.data.turn ?? 'tokens')]) }) + '\\n')
  return { turn }
} }`,
      )
    }
    for (const name of ['first', 'second', 'between', 'late', 'last']) stage(name)
    configure(`
plugins:
    pre_auth: [second, first]
    auth: [between, simplesamlphp, saml, late]
    post_auth: [export_credentials_json, last]
`)
    const daemon = await place.daemon(['-r', '1', '--refresh-interval', '1', '--debug'])
    await daemon.seen(/(?:running last[^]*){2}/)
    daemon.child.kill('SIGTERM')
    await daemon.done
    const lines = readFileSync(log, 'utf8')
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(lines.slice(0, 8).map(line => line.name)).toEqual([
      ...['second', 'first', 'between', 'late', 'last'],
      ...['between', 'late', 'last'],
    ])
    expect(lines[2]).toMatchObject({
      stage: 'auth',
      flags: {},
      keys: false,
      data: [
        ['second', 1],
        ['first', 1],
      ],
    })
    expect(lines[4]).toMatchObject({ stage: 'post_auth', keys: true })
    const first = ['second', 1] as const
    expect(lines[4].data).toEqual([first, ['first', 1], ['between', 1], ['saml', 'tokens'], ['late', 1]])
    expect(lines[7]).toMatchObject({ flags: { daemon_mode: true } })
    expect(lines[7].data).toEqual([first, ['first', 1], ['between', 2], ['saml', 'tokens'], ['late', 2], ['last', 1]])
  })

  test('a plugin in the wrong stage, two sign-ins, an unknown name', async () => {
    example('vpn-reachable.ts', 'cloudtoken-plugin-netrc', 'cloudtoken-plugin-corp')
    const cases: [string, string][] = [
      ['plugins: {pre_auth: [netrc]}', 'plugin netrc is an exporter and cannot run in pre_auth'],
      ['plugins: {auth: [netrc, saml]}', 'plugin netrc is an exporter and cannot run in auth'],
      ['plugins: {auth: [corp, simplesamlphp, saml]}', 'plugins.auth names two sign-ins: corp and simplesamlphp'],
      ['plugins: {pre_auth: [nonsense]}', 'Unable to load plugin: nonsense'],
      ['plugins: {post_auth: [export_json]}', 'Unable to load plugin: export_json'],
      ['plugins: {pre_auth: [../evil]}', '"../evil" is no name for a plugin'],
    ]
    for (const [text, message] of cases) {
      configure(text)
      const { code, stdout, stderr } = await run(['-r', '1'])
      expect([code, stdout, stderr]).toEqual([20, '', expect.stringContaining(message)])
    }
  })

  test('options that clash are told at the start', async () => {
    const declare = (name: string, options: object): string =>
      executable(
        name,
        `#!/bin/sh\necho '${JSON.stringify({ protocol: 1, kind: 'stage', summary: 'a test', options })}'\n`,
      )
    declare('one', { level: { type: 'integer', summary: 'how much' } })
    declare('two', { level: { type: 'string', summary: 'how much' } })
    configure('plugins: {pre_auth: [one, two]}')
    const both = await run(['-r', '1'])
    expect([both.code, both.stderr]).toEqual([
      20,
      expect.stringContaining('--level means one thing to plugin one and another to plugin two'),
    ])
    declare('two', { urls: { type: 'string', summary: 'x', alias: ['u'] } })
    const core = await run(['-r', '1'])
    expect([core.code, core.stderr]).toEqual([20, expect.stringContaining('-u means one thing to cloudtoken')])
  })
})

describe('plugins that break their word', () => {
  const cases: [string, string, RegExp, number][] = [
    ['crashes', 'exit 3', /plugin crashes ended with exit code 3 before it gave a result/, 50],
    ['killed', 'kill -SEGV $$', /plugin killed was ended by SIGSEGV/, 50],
    ['hangs', 'sleep 60', /plugin hangs gave no result within 1 s/, 50],
    ['floods', 'yes', /plugin floods wrote a line that is not JSON/, 50],
    ['floods-one-line', 'yes | tr -d "\\n"', /plugin floods-one-line wrote a line of more than 1 MiB/, 50],
    ['floods-in-form', `yes '{"type":"x"}'`, /plugin floods-in-form wrote more than 8 MiB/, 50],
    ['rubbish', 'echo hello', /plugin rubbish wrote a line that is not JSON/, 50],
    ['empty', `echo '{"type":"result"}'`, /plugin empty gave a result without an assertion/, 50],
    [
      'expired',
      `echo '{"type":"result","assertion":{"kind":"credentials","credentials":{"AccessKeyId":"ASIAX","SecretAccessKey":"s","Token":"t","LastRole":"arn:aws:iam::123456789012:role/R","Expiration":"2020-01-01T00:00:00Z"}}}'`,
      /plugin expired brought credentials that ended at 2020-01-01/,
      50,
    ],
    ['refuses', `echo '{"type":"error","kind":"refused","message":"no"}'`, /plugin refuses: no/, 10],
    ['asks', `echo '{"type":"ask","kind":"text","message":"Code"}'; read -r a`, /plugin asks asks “Code”/, 11],
  ]
  for (const [name, script, message, exit] of cases) {
    test(name, async () => {
      provider(name, script)
      const patience = name === 'hangs' ? '1' : '60'
      const { code, stderr } = await run(['--provider', name, '-r', '1', '--plugin-timeout', patience])
      expect([code, stderr]).toEqual([exit, expect.stringMatching(message)])
    })
  }

  test('Ctrl-C ends it with us', async () => {
    provider('slow', `echo $$ > ${place.home}/pid; sleep 60`)
    const running = place.start(['--provider', 'slow'])
    await until(
      () => existsSync(join(place.home, 'pid')) && readFileSync(join(place.home, 'pid'), 'utf8') !== '',
      'its id',
    )
    running.child.kill('SIGINT')
    await running.done
    expect(running.child.signalCode).toBe('SIGINT')
    const pid = readFileSync(join(place.home, 'pid'), 'utf8').trim()
    await until(
      () => !existsSync(`/proc/${pid}`) || readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '),
      'its end',
    )
  })

  test('an interpreter that is not there', async () => {
    executable('odd', '#!/no/such/interpreter\n')
    const { code, stderr } = await run(['--provider', 'odd'])
    expect([code, stderr]).toEqual([50, expect.stringContaining('plugin odd')])
  })

  test('in the daemon: told once, and the valid set stays', async () => {
    const role = roles[0] ?? ''
    const set = `{"AccessKeyId":"ASIAFIRST","SecretAccessKey":"first-secret","Token":"first-token","LastRole":"${role}","Expiration":"2040-01-01T00:00:00Z"}`
    provider(
      'once',
      `case $hello in *'"mode":"login"'*) echo '{"type":"result","assertion":{"kind":"credentials","credentials":${set}}}';;
*) echo '{"type":"ask","kind":"text","message":"Code"}'; read -r a; exit 1;; esac`,
    )
    const daemon = await place.daemon(['--provider', 'once', '--refresh-interval', '1'])
    const said = await daemon.seen(/cannot renew/)
    expect(said).toContain('plugin once asks “Code”')
    expect(await daemon.credentials('Read-Only-Role')).toMatchObject({ Code: 'Success', AccessKeyId: 'ASIAFIRST' })
  })
})

describe('trust', () => {
  test('what others can change is refused, and the working directory is never looked into', async () => {
    const file = provider('loose', 'exit 1')
    chmodSync(file, 0o777)
    const writable = await run(['--provider', 'loose'])
    expect([writable.code, writable.stderr]).toEqual([20, expect.stringContaining(`hint: chmod go-w ${file}`)])
    chmodSync(file, 0o700)
    chmodSync(folder(), 0o777)
    expect((await run(['--provider', 'loose'])).stderr).toContain(`hint: chmod go-w ${folder()}`)
    chmodSync(folder(), 0o700)

    const here = mkdtempSync(join(place.home, 'here-'))
    mkdirSync(join(here, 'plugins'))
    for (const to of [here, join(here, 'plugins')]) {
      copyFileSync(join(examples, 'cloudtoken-plugin-corp'), join(to, 'cloudtoken-plugin-corp'))
    }
    const path = `:.:plugins:${process.env['PATH'] ?? ''}`
    const local = await run(['--provider', 'corp', '-r', '1'], { PATH: path }, here)
    expect([local.code, local.stderr]).toEqual([20, expect.stringContaining('corp')])
    const onPath = await run(['--provider', 'corp', '-r', '1'], { PATH: `${here}:${path}` })
    expect(onPath.code).toBe(0)
  })

  test('a pinned plugin that changes is not run before somebody looked at it', async () => {
    const file = provider('good', `echo '{"type":"error","kind":"refused","message":"it ran"}'`)
    const pinned = await run(['plugins', 'trust', 'good'])
    expect(pinned.stdout).toMatch(new RegExp(`^[0-9a-f]{64}  ${file}\n$`))
    expect((await run(['--provider', 'good'])).stderr).toContain('it ran')
    provider('good', `echo '{"type":"error","kind":"refused","message":"it ran again"}'`)
    const changed = await run(['--provider', 'good'])
    expect([changed.code, changed.stderr]).toEqual([11, expect.stringContaining('cloudtoken plugins trust good')])
    expect(changed.stderr).not.toContain('it ran')
    expect((await run(['plugins', 'list'])).stdout).toContain('it has changed since it was trusted')
    await run(['plugins', 'trust', 'good'])
    expect((await run(['--provider', 'good'])).stderr).toContain('it ran again')
    await run(['plugins', 'new', 'mod', '--kind', 'provider', '--lang', 'ts'])
    await run(['plugins', 'trust', 'mod'])
    provider('mod', `echo '{"type":"error","message":"it ran"}'`)
    const before = await run(['--provider', 'mod'])
    expect([before.code, before.stderr]).toEqual([11, expect.stringContaining('is not the one that was trusted')])
    writeFileSync(join(place.home, '.local/state/cloudtoken/trusted-plugins.json'), '{')
    expect((await run(['--provider', 'mod'])).stderr).toContain('trusted-plugins.json is damaged')
  })

  test('no secret of ours is in its environment, and its arguments are none', async () => {
    provider('nosy', `{ env; echo "$#"; pwd; ls -A; } > ${place.home}/seen; exit 1`)
    await run(['--provider', 'nosy'], { AWS_SECRET_ACCESS_KEY: 'an-old-secret' })
    const seen = readFileSync(join(place.home, 'seen'), 'utf8')
    expect(seen).toContain(`HOME=${place.home}`)
    for (const text of [password, 'an-old-secret', 'CLOUDTOKEN_']) expect(seen).not.toContain(text)
    expect(seen).toMatch(/\n0\n\S*cloudtoken-\w+\n$/)
  })
})

describe('cost and rights', () => {
  /** Counts its starts. */
  const counting = (name: string): string => {
    provider(name, `echo '{"type":"error","kind":"refused","message":"it ran"}'`)
    const file = join(folder(), `cloudtoken-plugin-${name}`)
    const counter = join(place.home, `${name}-starts`)
    writeFileSync(file, readFileSync(file, 'utf8').replace('#!/bin/sh', `#!/bin/sh\necho "$@" >> ${counter}`), {
      mode: 0o700,
    })
    return counter
  }

  test('a plugin that is configured and not used is not started; it describes itself once', async () => {
    const counter = counting('idle')
    configure('plugins: {auth: [idle, saml]}')
    for (const args of [['--version'], ['link', 'status'], ['plugins', 'types'], ['init']]) await run(args)
    expect(existsSync(counter)).toBe(false)
    for (let turn = 0; turn < 3; turn += 1) await run(['--help'])
    expect(readFileSync(counter, 'utf8')).toBe('--describe\n')
    await run(['-l'])
    expect(readFileSync(counter, 'utf8')).toBe('--describe\n\n')
  })

  test.skipIf(process.geteuid?.() !== 0)(
    'root for somebody else: executables are that user, modules do not run',
    async () => {
      const open = mkdtempSync('/tmp/cloudtoken-open-')
      try {
        const file = provider('who', `id -u > ${open}/who; echo '{"type":"error","message":"it ran"}'`)
        const bin = join(open, 'bin')
        mkdirSync(bin)
        copyFileSync(file, join(bin, 'cloudtoken-plugin-as-user'))
        chmodSync(join(bin, 'cloudtoken-plugin-as-user'), 0o755)
        for (const each of [open, bin]) chmodSync(each, 0o755)
        writeFileSync(join(open, 'who'), '')
        chmodSync(join(open, 'who'), 0o666)
        const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}`, SUDO_UID: '1000', SUDO_GID: '1000' }
        expect((await run(['--provider', 'as-user'], env)).stderr).toContain('plugin as-user: it ran')
        expect(readFileSync(join(open, 'who'), 'utf8')).toBe('1000\n')
        example('vpn-reachable.ts')
        configure('plugins: {pre_auth: [vpn-reachable]}')
        const module = await run(['-l'], { SUDO_UID: '1000' })
        expect([module.code, module.stderr]).toEqual([
          20,
          expect.stringContaining('modules do not run as root for somebody'),
        ])
      } finally {
        rmSync(open, { recursive: true, force: true })
      }
    },
  )
})

describe('for authors', () => {
  test('as docs/plugins.md shows it', async () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/plugins.md'), 'utf8')
    const shown = /^```text\n(.*?)^```/ms.exec(page)?.[1]
    const made = await run(['plugins', 'new', 'office', '--kind', 'stage', '--lang', 'sh'])
    const tested = await run(['plugins', 'test', 'office'])
    expect((made.stdout + tested.stdout).replaceAll(place.home, '/home/charlie')).toBe(shown as string)
    const again = await run(['plugins', 'new', 'office', '--kind', 'stage', '--lang', 'sh'])
    expect([again.code, again.stderr]).toEqual([20, expect.stringContaining('is there already')])
    const vague = await run(['plugins', 'new', 'other'])
    expect([vague.code, vague.stderr]).toEqual([2, expect.stringContaining('--kind provider|exporter|stage')])
  })

  test('a module of TypeScript with the types beside it', async () => {
    await run(['plugins', 'new', 'mine', '--kind', 'exporter', '--lang', 'ts'])
    expect(readdirSync(folder()).toSorted()).toEqual(['cloudtoken.d.ts', 'mine.ts'])
    const tested = await run(['plugins', 'test', 'mine'])
    expect([tested.code, tested.stdout]).toEqual([0, expect.not.stringContaining('failed')])
  })

  test('a new provider signs in', async () => {
    await run(['plugins', 'new', 'paste', '--kind', 'provider', '--lang', 'sh'])
    const { code, stderr } = await run(['--provider', 'paste', '--paste-file', join(place.home, 'none')])
    expect([code, stderr]).toEqual([20, expect.stringContaining('plugin paste: the file cannot be read')])
  })

  test('test finds what is wrong', async () => {
    executable(
      'bad',
      `#!/bin/sh\necho '{"protocol":1,"kind":"exporter","summary":"x"}'; umask 0; echo x > "$HOME/open"\n`,
    )
    const { code, stdout } = await run(['plugins', 'test', 'bad'])
    expect([code, stdout]).toEqual([50, expect.stringContaining('failed')])
  })

  test('list, as text and as JSON; types', async () => {
    example('cloudtoken-plugin-netrc', 'vpn-reachable.ts', 'cloudtoken.d.ts')
    const { stdout } = await run(['plugins'])
    expect(stdout).toMatch(/^netrc +exporter +not pinned +a file like/m)
    const rows = JSON.parse((await run(['plugins', 'list', '--json'])).stdout) as { name: string; sha256: string }[]
    expect(rows.filter(row => row.sha256).map(row => row.name)).toEqual(['netrc', 'vpn-reachable'])
    expect(rows.map(row => row.name)).toContain('export_credentials_json')
    expect((await run(['plugins', 'types'])).stdout).toBe(readFileSync(join(examples, 'cloudtoken.d.ts'), 'utf8'))
    expect((await run(['plugins', 'trust', 'none'])).stderr).toContain('Unable to load plugin: none')
    expect((await run(['plugins', 'lsit'])).code).toBe(2)
  })
})
