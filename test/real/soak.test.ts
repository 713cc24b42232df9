/**
 * The soak in short: what no reader may ever see, and sudden deaths. How fast it is is left to `bun run test:soak`.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { describe, expect, test } from 'bun:test'

describe.skipIf(process.env['CLOUDTOKEN_NAMESPACE'] !== 'own')('a short soak', () => {
  test('nobody sees an expired or a torn set, and the address goes with its daemon', () => {
    const script = join(import.meta.dir, '../../scripts/soak.ts')
    const { stdout } = spawnSync(process.execPath, [script, '15', '8'], { encoding: 'utf8' })
    const held = ['0 expired', '0 torn', '0 refused', '0 broken', '8 times killed with SIGKILL'].filter(
      what => !stdout.includes(`PASS  ${what}`),
    )
    expect([held, held.length > 0 ? stdout : '']).toEqual([[], ''])
  })
})
