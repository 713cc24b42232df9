/**
 * A person at a terminal: tmux types and reads the screen; an ordinary user, sudo, and the address.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { present } from './present.ts'
import { alice, aliceRoles } from './simplesamlphp.ts'
import { makeWorld, ordinaryUser, type World } from './world.ts'

const ready =
  (await present('simplesamlphp', 'moto', 'tmux', 'sudo', 'ip', 'openssl')) &&
  process.env['CLOUDTOKEN_NAMESPACE'] !== undefined

describe.skipIf(!ready)('at a terminal, as an ordinary user', () => {
  const person = ordinaryUser('cloudtoken-typist')
  const socket = join(person.home, 'tmux')
  const rule = '/etc/sudoers.d/cloudtoken-test'
  const program = process.env['CLOUDTOKEN_BIN'] ?? ''
  let world: World

  const tmux = (...args: readonly string[]): string =>
    execFileSync('setpriv', [`--reuid=${person.uid}`, '--clear-groups', 'tmux', '-S', socket, ...args], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: person.home, TERM: 'xterm', LANG: 'C.UTF-8' },
    })
  const screen = (): string => tmux('capture-pane', '-p', '-J', '-S', '-200').replace(/\s+$/gm, '')
  async function shows(pattern: RegExp): Promise<string> {
    for (let turn = 0; turn < 150; turn += 1) {
      const text = screen()
      if (pattern.test(text)) return text
      await Bun.sleep(100)
    }
    throw new Error(`the screen never showed ${pattern}:\n${screen()}`)
  }
  const type = (text: string, ...keys: readonly string[]): void => {
    if (text) tmux('send-keys', '-l', text)
    if (keys.length > 0) tmux('send-keys', ...keys)
  }
  /** Types a line on an empty screen, so that what is seen came after it. */
  const enter = async (line: string): Promise<void> => {
    type('clear', 'Enter')
    for (let turn = 0; turn < 100 && screen().trim() !== '$'; turn += 1) {
      await Bun.sleep(50)
      tmux('clear-history')
    }
    type(line, 'Enter')
  }
  const addresses = (): string => execFileSync('ip', ['-o', 'addr', 'show', 'dev', 'lo'], { encoding: 'utf8' })

  beforeAll(async () => {
    world = await makeWorld()
    writeFileSync(rule, `${person.name} ALL=(root) NOPASSWD: ${program}\n`)
    chmodSync(rule, 0o440)
    const variables = {
      PATH: process.env['PATH'],
      HOME: person.home,
      AWS_ENDPOINT_URL_STS: world.sts.url,
      AWS_ENDPOINT_URL_SIGNIN: 'http://127.0.0.1:9',
      CLOUDTOKEN_URL: world.idp.url,
      CLOUDTOKEN_USERNAME: 'alice',
      PS1: '$ ',
    }
    writeFileSync(
      join(person.home, 'rc'),
      Object.entries(variables)
        .map(([name, value]) => `export ${name}='${value}'\n`)
        .join(''),
    )
    chmodSync(person.home, 0o755)
    tmux('-f', '/dev/null', 'new-session', '-d', '-x', '120', '-y', '40', `bash --noprofile --rcfile ${person.home}/rc`)
    await shows(/^\$$/m)
  })

  afterAll(async () => {
    spawnSync('setpriv', [`--reuid=${person.uid}`, '--clear-groups', 'tmux', '-S', socket, 'kill-server'])
    rmSync(rule, { force: true })
    await world.stop()
    rmSync(person.home, { recursive: true, force: true })
  })

  test('password unseen, the menu narrows by typing, and the role is used', async () => {
    await enter(`${program} </dev/null | cat`)
    await shows(/Password:/)
    type(alice.password, 'Enter')
    await shows(/1\. arn:aws:iam::123456789012:role\/admin[^]*3\. arn/)
    type('develop')
    await shows(/1 match/)
    type('', 'Enter')
    const text = await shows(/Using role/)
    expect(text).toContain(`Using role ${aliceRoles[1]}`)
    expect(text).not.toContain(alice.password)
    await shows(/credentials until/)
  })

  test('eval "$(cloudtoken env)" asks on the terminal and sets the variables', async () => {
    await enter(`rm -rf ~/.local; eval "$(${program} env --role developer)"; echo "key \${AWS_ACCESS_KEY_ID:0:4}."`)
    await shows(/Password:/)
    type(alice.password, 'Enter')
    await shows(/^key ASIA\.$/m)
  })

  test('X03 Ctrl-C at the password: exit code 130, the terminal as it was', async () => {
    await enter(`rm -rf ~/.local; ${program}; echo "code $?."; stty -a | grep -o ' echo '`)
    await shows(/Password:/)
    type('', 'C-c')
    const text = await shows(/^code 130\.$/m)
    expect(text).toContain('cancelled')
    await shows(/^ echo$/m)
  })

  test('-d asks sudo, asks the person, serves at 169.254.169.254, and Ctrl-C leaves nothing behind', async () => {
    await enter(`unset AWS_ACCESS_KEY_ID; ${program} -d`)
    await shows(/Configuring link-local address on lo\.\.\.done\.[^]*Password:/)
    type(alice.password, 'Enter')
    await shows(/Available roles to choose from:[^]*3\. arn/)
    type('1', 'Enter')
    const text = await shows(/-{54}/)
    expect(text).toContain('Launching in daemon mode...')
    expect(text).toContain('Metadata proxy now available on http://169.254.169.254\n')
    const answer = await fetch('http://169.254.169.254/latest/meta-data/iam/security-credentials/')
    expect(await answer.text()).toBe('admin')
    expect(existsSync(join(person.home, '.local/state/cloudtoken'))).toBe(true)
    type('', 'C-c')
    await shows(/Unconfiguring link-local address on lo\.\.\.done\./)
    for (let turn = 0; turn < 30 && addresses().includes('169.254.'); turn += 1) await Bun.sleep(100)
    expect(addresses()).not.toContain('169.254.')
  })
})
