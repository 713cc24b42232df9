/** `cloudtoken --browser` as a person and as a service run it, with Chromium. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../until.ts'
import { command, makePlace, password, roles, type Place, type Result } from '../e2e/cli.ts'
import { processesWith, sitDown, wrapChromium, type Person } from './chromium.ts'
import { present } from './present.ts'

const here = await present('chromium')

describe.skipIf(!here)('cloudtoken --browser', () => {
  let place: Place
  let env: Record<string, string>
  beforeAll(async () => {
    place = await makePlace()
    env = { CLOUDTOKEN_BROWSER: 'true', CLOUDTOKEN_BROWSER_PATH: wrapChromium(place.home), DISPLAY: ':none' }
  })
  afterAll(() => place.stop())

  const identities = (): string => join(place.home, '.local/state/cloudtoken/identities')
  const profile = (): Promise<string> =>
    until(() => {
      const [folder] = existsSync(identities()) ? readdirSync(identities()) : []
      return folder === undefined ? undefined : join(identities(), folder, 'browser')
    }, 'a profile')

  /** On a terminal of its own: stdin, stdout and stderr are one there. */
  function atTerminal(words: readonly string[]): Promise<Result> {
    const line = [...command, ...words].map(word => `'${word}'`).join(' ')
    const child = spawn('script', ['-qefc', line, '/dev/null'], {
      env: { ...place.env, ...env, CLOUDTOKEN_NO_INPUT: 'false' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    return new Promise(resolve => child.on('close', code => resolve({ code, stdout, stderr: '' })))
  }

  async function charlie(): Promise<Person> {
    const person = await sitDown(await profile())
    await person.fills({ 'input[name=username]': 'charlie', 'input[name=password]': password })
    await person.presses('#submit_button')
    return person
  }

  test('a person signs in once; after that the session serves programs and the daemon', async () => {
    const before = place.idp.passwords()
    const going = atTerminal(['--role', 'User-Role'])
    const person = await charlie()
    const { code, stdout } = await going
    person.leaves()
    expect(stdout).toContain('in the window of chromium')
    expect(stdout).toContain(`Using role ${roles[2]}`)
    expect(code).toBe(0)

    const again = await place.run(['env', '--role', 'Sysadmin-Role', '--shell', 'dotenv'], { env })
    expect(again).toMatchObject({ code: 0, stderr: '' })
    expect(again.stdout).toMatch(/^AWS_ACCESS_KEY_ID=ASIA/m)

    const words = ['-d', '--listen', '127.0.0.1:0', '--refresh', '--refresh-interval', '3']
    const daemon = place.start(words, { env })
    await daemon.seen(/Metadata proxy now available/)
    const assumed = place.sts.assumed().length
    await until(() => place.sts.assumed().length > assumed, 'a renewal')
    daemon.child.kill('SIGTERM')
    await daemon.done
    expect(place.idp.passwords()).toBe(before + 1)
  })

  test('without a session and without a terminal it asks nobody: exit code 11', async () => {
    place.idp.endSessions()
    const { code, stderr } = await place.run(['-l'], { env })
    expect(stderr).toMatch(/error: the session at 127\.0\.0\.1:\d+ has ended[^\n]*\ncloudtoken: hint: cloudtoken\n$/)
    expect(code).toBe(11)
  })

  test('the browser is gone when cloudtoken was killed', async () => {
    place.idp.endSessions()
    const running = place.start(['-l'], { env })
    const text = await profile()
    const person = await sitDown(text)
    await person.sees('input[name=password]')
    person.leaves()
    expect(processesWith(text).length).toBeGreaterThan(1)
    running.child.kill('SIGKILL')
    await until(() => processesWith(text).length === 0, 'the end of the browser')
  })

  test('logout removes the profile', async () => {
    const folder = await profile()
    expect(existsSync(folder)).toBe(true)
    expect((await place.run(['logout'], { env })).code).toBe(0)
    expect(existsSync(folder)).toBe(false)
  })

  test('what has no page, and what has no screen, says so', async () => {
    const given = await place.run(['-l', '--saml-response', 'x'], { env })
    expect(given.stderr).toContain('saml-response has no page to open in a browser')
    expect(given.code).toBe(20)
    const dark = { ...env, DISPLAY: '', CLOUDTOKEN_NO_INPUT: 'false' }
    const blind = execFileSync('script', ['-qfc', `${command.join(' ')} -l; true`, '/dev/null'], {
      env: { ...place.env, ...dark },
      stdio: ['ignore', 'pipe', 'inherit'],
      encoding: 'utf8',
    })
    expect(blind).toContain('a browser window needs a screen')
  })
})
