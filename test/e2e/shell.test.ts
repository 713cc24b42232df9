/**
 * A command of one's own in the place of a provider, and a renewal through it.
 */
import { expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assertionOf } from '../../scripts/demo-idp.ts'
import { roles, usePlace } from './cli.ts'

const place = await usePlace()

test('the words of config.yaml are run, and what they print is taken to AWS', async () => {
  const xml = assertionOf('https://idp.example', 'jane@example.com', { password: '', roles: roles.slice(0, 1) })
  const config = join(place.home, '.config/cloudtoken')
  mkdirSync(config, { recursive: true, mode: 0o700 })
  const words = ['sh', '-c', 'echo "for $CLOUDTOKEN_USERNAME" >&2; echo "$0"', Buffer.from(xml).toString('base64')]
  const work = { provider: 'shell', 'assertion-command': words }
  writeFileSync(join(config, 'config.yaml'), JSON.stringify({ identities: { work } }), { mode: 0o600 })
  const { code, stdout, stderr } = await place.run(['-r', '1'], { env: { CLOUDTOKEN_NO_INPUT: 'false' } })
  expect([code, stdout, stderr]).toEqual([
    0,
    expect.stringContaining(`Using role ${roles[0]}`),
    expect.stringContaining('for charlie'),
  ])
  expect((await place.run(['--refresh'])).code).toBe(0)
})
