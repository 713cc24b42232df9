/** Options of plugins among those of the core, and what is known of a plugin without starting it. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { failure } from '../src/errors.ts'
import { findPaths } from '../src/paths.ts'
import { createLog } from '../src/log.ts'
import type { Option, OptionTable } from '../src/option.ts'
import { coreOptions } from '../src/options.ts'
import type { Description } from '../src/plugin.ts'
import { addedOptions, openPlugins, type Plugins } from '../src/plugins.ts'
import { sudoCommand } from '../src/privilege-sudo.ts'
import { run } from '../src/run.ts'

let home: string
let folder: string
beforeAll(() => {
  home = mkdtempSync(path.join(tmpdir(), 'cloudtoken-plugins-'))
  folder = path.join(home, '.config/cloudtoken/plugins')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

const person = (): Promise<never> => Promise.reject(failure('person', 'nobody is there'))
const nobody = { text: person, secret: person, choose: person, confirm: person, tell: () => {} }
const log = createLog({ stdout: () => {}, stderr: () => {} })
const open = (): Plugins => {
  const env = { HOME: home, PATH: process.env['PATH'] }
  return openPlugins({ paths: findPaths(env), env, ask: nobody, log, debug: false, timeoutSeconds: 60 })
}

describe('options', () => {
  const described = (name: string, options: Record<string, Option>): Description => ({
    name,
    kind: 'stage',
    summary: 'a test',
    options,
  })
  const text = (more: Partial<Option> = {}): Option => ({ type: 'string', summary: 'a test', ...more })

  test('of several plugins come together; the same one may be declared twice, or be one of the core', () => {
    const one = described('one', { 'vpn-host': text(), url: text({ summary: 'another word for it' }) })
    const two = described('two', { 'vpn-host': text({ default: 'a' }), level: { type: 'integer', summary: 'x' } })
    expect(Object.keys(addedOptions(coreOptions, [one, two]))).toEqual(['vpn-host', 'level'])
  })

  test('that mean different things are refused, by name and by short form', () => {
    const cases: [Record<string, Option>, Record<string, Option>, string][] = [
      [
        { x: text() },
        { x: { type: 'boolean', summary: 'x' } },
        '--x means one thing to plugin one and another to plugin two',
      ],
      [{ x: text({ values: ['a'] }) }, { x: text() }, '--x means'],
      [{ x: text({ default: 'a' }) }, { x: text({ default: 'b' }) }, '--x means'],
      [{ x: text({ alias: ['y'] }) }, { z: text({ alias: ['y'] }) }, '-y means'],
      [{ x: text({ alias: ['zed'] }) }, { zed: text() }, '--zed means'],
      [
        {},
        { role: { type: 'integer', summary: 'x' } },
        '--role means one thing to cloudtoken and another to plugin two',
      ],
      [{}, { realm: text({ alias: ['r'] }) }, '-r means one thing to cloudtoken'],
      // Neither a password nor an act of the core can be had by declaring it.
      [{}, { password: text({ secret: true }) }, '--password means'],
      [{}, { unset: { type: 'boolean', summary: 'x' } }, '--unset means'],
    ]
    for (const [first, second, message] of cases) {
      expect(() => addedOptions(coreOptions, [described('one', first), described('two', second)])).toThrow(message)
    }
  })

  test('leave the words for sudo, which starts a root that knows no plugin', async () => {
    const fake = path.join(home, 'sudo')
    writeFileSync(fake, '', { mode: 0o700 })
    const table: OptionTable = { ...coreOptions, 'vpn-host': text({ secret: true }) }
    const self = { command: 'cloudtoken', args: [] }
    const sudo = sudoCommand(self, ['--daemon=true', '--vpn-host=a b'], {}, { folder: home, table, path: [home] })
    const handover = sudo.args.find(arg => arg.startsWith('--handover='))?.slice('--handover='.length) ?? ''
    expect([sudo.args.join(' ').includes('vpn'), JSON.parse(readFileSync(handover, 'utf8'))]).toEqual([
      false,
      { CLOUDTOKEN_VPN_HOST: 'a b' },
    ])
    sudo.forget()
  })
})

describe('what a plugin says of itself', () => {
  test('is asked once for each state of the file', async () => {
    const file = path.join(folder, 'cloudtoken-plugin-asked')
    const starts = path.join(home, 'starts')
    const script = (summary: string): string =>
      `#!/bin/sh\necho x >> ${starts}\necho '{"protocol":1,"kind":"stage","summary":"${summary}"}'\n`
    writeFileSync(file, script('first'), { mode: 0o700 })
    const summary = async (): Promise<string | undefined> => {
      const plugins = open()
      const found = plugins.find('asked')
      return found && (await plugins.describe(found)).summary
    }
    expect([await summary(), await summary()]).toEqual(['first', 'first'])
    expect(readFileSync(starts, 'utf8')).toBe('x\n')
    writeFileSync(file, script('other'), { mode: 0o700 })
    utimesSync(file, 1, 1)
    expect([await summary(), readFileSync(starts, 'utf8')]).toEqual(['other', 'x\nx\n'])
  })

  const broken: [string, string, RegExp][] = [
    ['no-json', '#!/bin/sh\necho hello\n', /wrote a line that is not JSON to describe itself/],
    ['two-lines', '#!/bin/sh\necho "{}"; echo "{}"\n', /wrote a line that is not JSON to describe itself/],
    ['older', `#!/bin/sh\necho '{"kind":"stage","summary":"x"}'\n`, /not of protocol 1/],
    ['fails', '#!/bin/sh\nexit 3\n', /ended with exit code 3 when it was to describe itself/],
    [
      'odd-option',
      `#!/bin/sh\necho '{"protocol":1,"kind":"stage","summary":"x","options":{"../x":{}}}'\n`,
      /an option with the name/,
    ],
  ]
  for (const [name, script, message] of broken) {
    test(`${name} is named`, async () => {
      writeFileSync(path.join(folder, `cloudtoken-plugin-${name}`), script, { mode: 0o700 })
      const plugins = open()
      const found = plugins.find(name)
      const error = found && (await plugins.describe(found).catch((thrown: unknown) => thrown))
      expect(String(error)).toContain(`plugin ${name}`)
      expect(error).toMatchObject({ kind: 'plugin', message: expect.stringMatching(message) })
    })
  }
})

describe('modules', () => {
  const cases: [string, string, RegExp][] = [
    ['no-default', 'export const x = 1\n', /has no default export/],
    ['throws', 'throw new Error("at once")\n', /cannot be loaded: at once/],
    ['syntax', 'export default {{\n', /cannot be loaded/],
    ['package', `import 'no-such-package'\nexport default {}\n`, /cannot be loaded/],
    [
      'bad-options',
      `export default { summary: 'x', options: { x: { type: 'date' } }, async run() {} }\n`,
      /declares an option x with a wrong "type"/,
    ],
  ]
  for (const [name, text, message] of cases) {
    test(`${name} is named`, async () => {
      writeFileSync(path.join(folder, `${name}.js`), text)
      const plugins = open()
      const found = plugins.find(name)
      const error = found && (await plugins.describe(found).catch((thrown: unknown) => thrown))
      expect(error).toMatchObject({ kind: 'plugin', message: expect.stringMatching(message) })
    })
  }

  test('the same file works under Deno', async () => {
    const deno = path.join(import.meta.dirname, '../node_modules/.bin/deno')
    const root = path.join(import.meta.dirname, '..')
    const text = readFileSync(path.join(root, 'examples/plugins/vpn-reachable.ts'), 'utf8')
    writeFileSync(path.join(folder, 'vpn-reachable.ts'), text)
    writeFileSync(path.join(home, '.config/cloudtoken/config.yaml'), 'plugins: {pre_auth: [vpn-reachable]}\n')
    const env = {
      HOME: home,
      PATH: process.env['PATH'],
      DENO_NO_UPDATE_CHECK: '1',
      CLOUDTOKEN_URL: 'https://127.0.0.1:9/',
      CLOUDTOKEN_NO_INPUT: 'true',
    }
    const { code, stderr } = await run(
      deno,
      ['run', '-A', '--quiet', path.join(root, 'src/main.ts'), '-l', '--vpn-host', '127.0.0.1:1'],
      { env },
    )
    expect([code, stderr]).toEqual([30, expect.stringContaining('plugin vpn-reachable: 127.0.0.1:1 does not answer')])
  }, 60_000)
})
