/**
 * Okta from the command line: a password, a push with its number, and renewals by the session alone.
 */
import { expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { assertionOf } from '../../scripts/demo-idp.ts'
import { responsePage } from '../fake-idp.ts'
import { startOkta } from '../idp-okta.ts'
import { roles, usePlace } from './cli.ts'

const place = await usePlace()

test('the number is shown, the role taken, and a renewal needs neither password nor push', async () => {
  const xml = assertionOf('https://okta.example', 'jane', { password: '', roles: roles.slice(0, 1) })
  const response = responsePage(Buffer.from(xml).toString('base64'))
  const push = { id: 'opf1', factorType: 'push', provider: 'OKTA', number: 17, results: ['WAITING', 'SUCCESS'] }
  const idp = await startOkta({ factors: [push], app: () => response })
  const env = { CLOUDTOKEN_URL: idp.url, CLOUDTOKEN_PROVIDER: 'okta', CLOUDTOKEN_USERNAME: 'jane' }
  try {
    const first = await place.run([], { env: { ...env, CLOUDTOKEN_PASSWORD: 'correct horse' } })
    expect([first.code, first.stdout, first.stderr]).toEqual([
      0,
      expect.stringContaining(`Using role ${roles[0]}`),
      expect.stringContaining('Number to match: 17'),
    ])
    const second = await place.run(['--refresh'], { env })
    expect([second.code, idp.posts(), idp.verified.length, idp.problems]).toEqual([0, 1, 2, []])
  } finally {
    await idp.stop()
  }
})
