import { describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { unlinkSync } from 'node:fs'
import process from 'node:process'
import { roles, usePlace, type Daemon } from './cli.ts'
import { desktop } from './desktop.ts'

const place = await usePlace()

const word = (...args: string[]) => place.run(args)
const start = (env = {}): Promise<Daemon> =>
  place.daemon(['--role', roles[0] ?? '', '--refresh-interval', '1'], { env })

/** Whether this process may give a folder a disk of its own. */
const mounts =
  process.platform === 'linux' && spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'x', '/mnt']).status === 0

describe('a renewal', () => {
  test.if(mounts)('on a full disk brings new credentials all the same, and leaves files whole', async () => {
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', place.home])
    try {
      const daemon = await place.daemon()
      const before = place.tokens()
      spawnSync('dd', ['if=/dev/zero', `of=${place.home}/full`, 'bs=4k'])
      place.idp.endSessions()
      const { code, stderr } = await word('refresh')
      expect([code, stderr]).toEqual([0, ''])
      await daemon.seen(/warning: cannot write .*tokens/)
      const after = await daemon.credentials()
      expect(after['AccessKeyId']).not.toBe(before.AccessKeyId)
      expect(place.tokens()).toEqual(before)
      expect(await place.status()).toMatchObject({ state: 'serving', lastError: null })
      unlinkSync(`${place.home}/full`)
      expect((await word('refresh')).code).toBe(0)
      expect(place.tokens().AccessKeyId).toBe((await daemon.credentials())['AccessKeyId'] ?? '')
    } finally {
      await place.end()
      spawnSync('umount', ['-l', place.home])
    }
  })

  test('that STS throttles is tried again, without haste, and nobody is called', async () => {
    let asked = 0
    let throttled = false
    const error = '<Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error>'
    const xml = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${error}</ErrorResponse>`
    const sts = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      async fetch(request) {
        asked += 1
        const headers = { 'content-type': request.headers.get('content-type') ?? '' }
        return throttled
          ? new Response(xml, { status: 400, headers: { 'content-type': 'text/xml' } })
          : await fetch(place.sts.origin, { method: 'POST', headers, body: await request.text() })
      },
    })
    try {
      const daemon = await start({ AWS_ENDPOINT_URL_STS: sts.url.origin })
      throttled = true
      await daemon.seen(/cannot renew[^\n]*; trying again/)
      const [before, old] = [asked, await daemon.credentials('Read-Only-Role')]
      await Bun.sleep(4000)
      expect(asked - before).toBeLessThanOrEqual(3)
      expect(await daemon.credentials('Read-Only-Role')).toEqual(old)
      expect(await place.status()).toMatchObject({ state: 'retrying' })
      throttled = false
      expect((await word('refresh')).code).toBe(0)
      expect((await daemon.credentials('Read-Only-Role'))['AccessKeyId']).not.toBe(old['AccessKeyId'])
    } finally {
      await sts.stop(true)
    }
  }, 60_000)

  test('of a role that was removed keeps what is valid, without haste, calls a person once, and another role goes on', async () => {
    const { env, shown } = desktop(place.home, place.env['PATH'])
    const daemon = await start(env)
    place.sts.refuse(roles[0] ?? '')
    await daemon.seen(/cannot renew[^\n]*; trying again/)
    const [assertions, old] = [place.idp.assertions(), await daemon.credentials('Read-Only-Role')]
    expect(old['Code']).toBe('Success')
    await Bun.sleep(4000)
    expect(place.idp.assertions() - assertions).toBeLessThanOrEqual(2)
    expect(await daemon.credentials('Read-Only-Role')).toEqual(old)
    for (const _ of [1, 2, 3]) expect((await word('refresh')).code).toBe(31)
    expect(shown()).toEqual([expect.stringContaining('AWS refuses the role')])
    expect((await word('use', 'User-Role')).code).toBe(0)
    expect((await daemon.credentials('User-Role'))['Code']).toBe('Success')
    expect(await place.status()).toMatchObject({ state: 'serving', role: roles[2] })
  }, 60_000)
})
