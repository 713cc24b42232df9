import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../scripts/demo-http.ts'
import { makePlace, password, roles, type Place, type Running } from './cli.ts'
import { desktop } from './desktop.ts'

let place: Place
let home: string
let listen: string
let running: Running | undefined
beforeAll(async () => {
  place = await makePlace()
})
beforeEach(async () => {
  home = mkdtempSync(join(place.home, 'home-'))
  listen = `127.0.0.1:${await freePort()}`
})
afterEach(async () => {
  running?.child.kill('SIGKILL')
  await running?.done
  running = undefined
})
afterAll(() => place.stop())

const word = (...args: string[]) => place.run(args, { env: { HOME: home } })
const served = async (role: string): Promise<Record<string, string>> => {
  const answer = await fetch(`http://${listen}/latest/meta-data/iam/security-credentials/${role}`)
  return (await answer.json()) as Record<string, string>
}

async function start(env = {}): Promise<void> {
  const words = ['-d', '--listen', listen, '--role', roles[0] ?? '', '--refresh-interval', '1']
  running = place.start(words, { env: { HOME: home, CLOUDTOKEN_PASSWORD: password, ...env } })
  await running.seen(/-{54}/)
}

describe('a renewal', () => {
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
      await start({ AWS_ENDPOINT_URL_STS: sts.url.origin })
      throttled = true
      await (running as Running).seen(/cannot renew[^\n]*; trying again/)
      const [before, old] = [asked, await served('Read-Only-Role')]
      await Bun.sleep(4000)
      expect(asked - before).toBeLessThanOrEqual(3)
      expect(await served('Read-Only-Role')).toEqual(old)
      expect(JSON.parse((await word('status', '--json')).stdout)).toMatchObject({ state: 'retrying' })
      throttled = false
      expect((await word('refresh')).code).toBe(0)
      expect((await served('Read-Only-Role'))['AccessKeyId']).not.toBe(old['AccessKeyId'])
    } finally {
      await sts.stop(true)
    }
  }, 60_000)

  test('of a role that was removed keeps what is valid, without haste, calls a person once, and another role goes on', async () => {
    const { env, shown } = desktop(home, place.env['PATH'])
    await start(env)
    place.sts.refuse(roles[0] ?? '')
    await (running as Running).seen(/cannot renew[^\n]*; trying again/)
    const [assertions, old] = [place.idp.assertions(), await served('Read-Only-Role')]
    expect(old['Code']).toBe('Success')
    await Bun.sleep(4000)
    expect(place.idp.assertions() - assertions).toBeLessThanOrEqual(2)
    expect(await served('Read-Only-Role')).toEqual(old)
    for (const _ of [1, 2, 3]) expect((await word('refresh')).code).toBe(31)
    expect(shown()).toEqual([expect.stringContaining('AWS refuses the role')])
    expect((await word('use', 'User-Role')).code).toBe(0)
    expect((await served('User-Role'))['Code']).toBe('Success')
    expect(JSON.parse((await word('status', '--json')).stdout)).toMatchObject({ state: 'serving', role: roles[2] })
  }, 60_000)
})
