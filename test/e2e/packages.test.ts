/**
 * What packages start: the words of the systemd unit.
 */
import { expect, test } from 'bun:test'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../scripts/demo-http.ts'
import { exitCodes } from '../../src/errors.ts'
import { root } from '../../scripts/tools.ts'
import { makePlace, password } from './cli.ts'

const unit = readFileSync(join(root, 'packaging', 'cloudtoken.service'), 'utf8')
const valueOf = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? ''
const [program, ...words] = valueOf('ExecStart').split(' ')

test('the unit serves after one sign-in by hand, and ends for good before it', async () => {
  const place = await makePlace()
  try {
    const [variable = '', address] = valueOf('Environment').split('=')
    expect([program, variable, address]).toEqual(['/usr/bin/cloudtoken', 'CLOUDTOKEN_LISTEN', '127.0.0.1:9911'])
    const env = { [variable]: `127.0.0.1:${await freePort()}` }
    const early = await place.run(words, { env })
    expect(early.code).toBe(exitCodes.person)
    expect(valueOf('RestartPreventExitStatus').split(' ')).toContain(String(early.code))

    const file = join(place.home, 'password')
    writeFileSync(file, password, { mode: 0o600 })
    expect((await place.run(['--role', 'User-Role', '--password-file', file])).code).toBe(0)
    rmSync(file)
    const running = place.start(words, { env: { ...env, CLOUDTOKEN_ROLE: 'User-Role' } })
    await running.seen(/-{54}/)
    running.child.kill('SIGTERM')
    expect((await running.done).code).toBe(0)
  } finally {
    await place.stop()
  }
})
