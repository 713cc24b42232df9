/**
 * Ctrl-C wherever cloudtoken asks or waits: exit code 130, the terminal as it was, nothing half-written.
 */
import { expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { startAdfs, type Adapter } from '../idp-adfs.ts'
import { command, password, usePlace, withPassword } from './cli.ts'
import { atTerminal } from './screen.ts'

const place = await usePlace()

/** Says the exit code and whether the terminal shows what is typed. */
const program = [
  'bash',
  '-c',
  `trap : INT; ${command.join(' ')}; echo "code $?."; stty -a | grep -o ' echo ' && echo 'shown.'`,
]

test('X03 Ctrl-Z at the menu of roles, then fg: it goes on and is answered', async () => {
  const screen = atTerminal(place, ['bash', '--norc', '--noediting', '-i'], withPassword)
  await screen.type(`${command.join(' ')}\r`)
  await screen.seen(/to search/)
  await screen.type('\x1A')
  await screen.seen(/Stopped/)
  await screen.type('fg\r')
  await screen.seen(/fg\s.*\S\s/s)
  await Bun.sleep(300)
  await screen.type('Sys')
  await screen.seen(/1 match/)
  await screen.type('\r')
  await screen.seen(/Using role \S+Sysadmin-Role/)
  await screen.type('exit\r')
  expect(await screen.ended).toBe(0)
}, 20_000)

/** Files that hold credentials, or the beginning of some, and locks that the next run would wait for. */
function left(): string[] {
  const files = readdirSync(place.home, { recursive: true, encoding: 'utf8' }).filter(
    file => !file.startsWith('.cache/'),
  )
  return files.filter(file => /(?:^|\/)(?:tokens\.|credentials|\.[\w.-]+\.tmp)|\.lock$/.test(file))
}

async function interrupts(
  env: Readonly<Record<string, string>>,
  until: (typed: ReturnType<typeof atTerminal>) => Promise<void>,
): Promise<void> {
  const screen = atTerminal(place, program, env)
  await until(screen)
  await screen.type('\x03')
  await screen.seen(/code 130\./)
  await screen.seen(/shown\./)
  expect(await screen.ended).toBe(0)
  expect(left()).toEqual([])
}

test('X03 Ctrl-C at the password', () =>
  interrupts({}, async screen => {
    await screen.seen(/signing in as charlie at 127\.0\.0\.1:\d+\s+.*Password/s)
    await screen.type('half')
  }))

test('X03 Ctrl-C at the menu of roles', () =>
  interrupts({ CLOUDTOKEN_PASSWORD: password }, screen => screen.seen(/Enter number of role/)))

test('X03 Ctrl-C while a push is waited for', async () => {
  const push: Adapter = {
    name: 'AzureMfaAuthentication',
    show: () => '<p id="instructions">Approve.</p>',
    judge: () => 'again',
  }
  const idp = await startAdfs({ adapters: [push] })
  const env = { CLOUDTOKEN_PROVIDER: 'adfs', CLOUDTOKEN_URL: idp.url, CLOUDTOKEN_PASSWORD: 'correct horse' }
  try {
    await interrupts({ ...env, CLOUDTOKEN_USERNAME: 'jane' }, screen => screen.seen(/Approve\./))
    expect(idp.problems).toEqual([])
  } finally {
    await idp.stop()
  }
})
