import { describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { freePort } from '../../scripts/demo-http.ts'
import { startControl } from '../../src/control.ts'
import type { Finding } from '../../src/doctor.ts'
import { startGoogle } from '../idp-google.ts'
import { noName, usePlace, withPassword } from './cli.ts'

const place = await usePlace()

/** What it says of one thing, by `--json`; of the machine's own metadata address nothing, since it is the machine's. */
async function doctor(env: Record<string, string> = {}, args: readonly string[] = []) {
  const { code, stdout, stderr } = await place.run(['doctor', '--json', ...args], { env })
  const found = JSON.parse(stdout) as Finding[]
  const of = (check: string): [verdict: string, text: string][] =>
    found.filter(each => each.check === check).map(({ verdict, message, hint }) => [verdict, `${message}; ${hint}`])
  return { code, stderr, found, of }
}

describe('doctor', () => {
  test('a daemon that is reached, and all that keeps clients from it', async () => {
    const { url } = await place.daemon()
    const well = await doctor({ AWS_EC2_METADATA_SERVICE_ENDPOINT: url, AWS_PROFILE: 'mine' })
    expect(well.of('daemon')).toEqual([
      ['ok', expect.stringContaining(`${url} serves arn:aws:iam::123456789012:role/`)],
    ])
    expect(well.of('address')).toContainEqual(['ok', expect.stringContaining(`${url} reaches the daemon`)])
    expect(well.of('environment')).toEqual([['ok', expect.any(String)]])
    expect(well.of('shared files')[0]?.[1]).toContain('unset AWS_PROFILE')
    const ill = await doctor({ AWS_ACCESS_KEY_ID: 'AKIAFOREIGN', http_proxy: 'http://me:hush@proxy.example' })
    expect(ill.code).toBe(1)
    expect(ill.of('environment').map(([verdict]) => verdict)).toEqual(['problem', 'problem', 'problem'])
    expect(JSON.stringify(ill.found) + ill.stderr).not.toContain('hush')
  })

  const there = Object.values(networkInterfaces()).some(all => all?.some(each => each.address === '169.254.169.254'))
  test.skipIf(there || process.platform === 'win32')('an address that went away under its daemon', async () => {
    const file = join(place.home, '.local/state/cloudtoken/run/169.254.169.254_80.sock')
    const status = { pid: 1, url: 'http://169.254.169.254', state: 'serving', role: null, requests: 0 }
    const control = await startControl(file, { status: () => status })
    try {
      const text = 'something took 169.254.169.254 away from this machine, and with it the way to the daemon'
      const { of } = await doctor()
      expect(of('address')).toEqual([['problem', `${text}; cloudtoken stop, then cloudtoken -d`]])
    } finally {
      control.close()
    }
  })

  test('an identity, up to its password: nothing asked, nothing sent, nothing kept', async () => {
    const before = place.idp.passwords()
    const { of } = await doctor()
    expect(of('identity')).toEqual([['ok', expect.stringContaining('it wants the password of charlie')]])
    expect(place.idp.passwords()).toBe(before)
    // .cache is what Bun itself keeps, for the source.
    expect(readdirSync(place.home).filter(name => name !== '.cache' && name !== '.bun')).toEqual([])
  })

  test('a place for its state that is none, and a plugin that is not there', async () => {
    const file = join(place.home, 'file')
    writeFileSync(file, '')
    expect((await doctor({ XDG_STATE_HOME: file })).of('configuration')).toContainEqual([
      'problem',
      expect.stringMatching(new RegExp(`cannot write ${file}/cloudtoken: not a directory`, 'i')),
    ])
    const folder = join(place.home, '.config/cloudtoken')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'config.yaml'), 'plugins: {post_auth: [export_json]}')
    expect((await doctor()).of('configuration')).toContainEqual([
      'problem',
      expect.stringContaining('Unable to load plugin: export_json'),
    ])
  })

  test('a sign-in that belongs in a browser: none is started', async () => {
    const google = await startGoogle()
    const mark = join(place.home, 'started')
    const program = join(place.home, 'browser-program')
    writeFileSync(program, `#!/bin/sh\ntouch ${mark}\n`, { mode: 0o755 })
    const { of } = await doctor({
      CLOUDTOKEN_URL: google.url,
      CLOUDTOKEN_BROWSER_PATH: program,
      CLOUDTOKEN_PROVIDER: 'google',
    })
    await google.stop()
    expect(of('identity')).toEqual([['ok', expect.stringContaining('will show its pages')]])
    expect(existsSync(mark)).toBe(false)
  })

  test('a living session is found', async () => {
    await place.run(['-r', '1'], { env: withPassword })
    const { of } = await doctor()
    expect(of('identity')).toEqual([['ok', expect.stringContaining('session still lives')]])
  })

  test('what is wrong with an identity is named', async () => {
    const said = async (env: Record<string, string>): Promise<string> => {
      const { code, of } = await doctor(env)
      const [[verdict, text] = ['', '']] = of('identity')
      expect([code, verdict]).toEqual([1, 'problem'])
      return text
    }
    expect(await said({ CLOUDTOKEN_URL: `http://127.0.0.1:${await freePort()}/` })).toContain('refuse')
    expect(await said({ CLOUDTOKEN_URL: `https://${noName}/` })).toContain(noName)
    expect(await said({ CLOUDTOKEN_PROVIDER: 'okta2' })).toContain('okta2')
    const page = createServer(
      (_, response) => void response.setHeader('content-type', 'text/html').end('<h1>Hello</h1>'),
    )
    await new Promise<void>(resolve => void page.listen(0, '127.0.0.1', resolve))
    const { port } = page.address() as { port: number }
    expect(await said({ CLOUDTOKEN_URL: `http://127.0.0.1:${port}/` })).toContain(`127.0.0.1:${port}`)
    page.close()
  })

  test('a config.yaml that cannot be read is one finding among others; people read lines', async () => {
    mkdirSync(join(place.home, '.config/cloudtoken'), { recursive: true, mode: 0o700 })
    writeFileSync(join(place.home, '.config/cloudtoken/config.yaml'), 'defaults: [', { mode: 0o600 })
    const { code, stdout } = await place.run(['doctor'])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^problem {2}configuration: .*config\.yaml/m)
    expect(stdout).toMatch(/^ok {7}environment: /m)
    expect(stdout).toMatch(/^\d+ problems?, \d+ warnings?\n$/m)
  })
})
