import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { freePort } from '../../scripts/demo-http.ts'
import { webToken } from '../fake-runner.ts'
import { makePlace, password, roles, type Place, type Running } from './cli.ts'

const audit = 'arn:aws:iam::210987654321:role/Audit'
const deep = 'arn:aws:iam::333333333333:role/team/Deep'
let place: Place
let running: Running | undefined
let home: string
beforeAll(async () => {
  place = await makePlace()
})
afterAll(() => place.stop())
beforeEach(() => {
  home = mkdtempSync(join(place.home, 'home-'))
  mkdirSync(join(home, '.config/cloudtoken'), { recursive: true })
  writeFileSync(join(home, '.config/cloudtoken/config.yaml'), `aliases:\n    audit: ${audit}\n`)
})
afterEach(async () => {
  running?.child.kill('SIGKILL')
  await running?.done
  running = undefined
})

const env = () => ({ HOME: home, CLOUDTOKEN_PASSWORD: password })

test('through two roles: files and whoami are of the last', async () => {
  const { code, stdout } = await place.run(['-r', '1', '--chain', 'audit', '--chain', deep], { env: env() })
  expect([code, stdout]).toEqual([0, `Using role ${roles[0]}\nUsing role ${deep}\n`])
  expect(place.sts.assumed().slice(-3)).toEqual([roles[0] ?? '', audit, deep])
  const tokens = JSON.parse(readFileSync(join(home, '.config/cloudtoken/tokens.json'), 'utf8'))
  expect([tokens.LastRole, tokens.AccountId]).toEqual([deep, '333333333333'])
  const who = await place.run(['whoami'], { env: env() })
  expect(who.stdout).toStartWith('arn:aws:sts::333333333333:assumed-role/Deep/charlie@')
})

test('--refresh signs in to the first role and follows the chain again', async () => {
  await place.run(['-r', '2', '--chain', audit], { env: env() })
  const { stdout } = await place.run(['--refresh', '--chain', audit], { env: { HOME: home } })
  expect(stdout).toBe(`Using role ${roles[1]}\nUsing role ${audit}\n`)
})

test('the options of the older Cloudtoken', async () => {
  const alias = await place.run(['-r', '1', '-a', 'audit'], { env: env() })
  expect(alias.stdout).toEndWith(`Using role ${audit}\n`)
  const named = await place.run(
    ['-r', '1', '--assume-role', '--dest-account', '333333333333', '--dest-role-name', 'X'],
    {
      env: env(),
    },
  )
  expect(named.stdout).toEndWith('Using role arn:aws:iam::333333333333:role/X\n')
})

test('credential-process: each chain has a set of its own', async () => {
  const ask = async (...more: string[]): Promise<string> => {
    const { stdout } = await place.run(['credential-process', '--role', roles[0] ?? '', ...more], { env: env() })
    return JSON.parse(stdout).AccountId
  }
  const answers = [
    await ask(),
    await ask('--chain', audit),
    await ask('--chain', deep),
    await ask(),
    await ask('-a', 'audit'),
  ]
  expect(answers).toEqual(['123456789012', '210987654321', '333333333333', '123456789012', '210987654321'])
  const before = place.sts.assumed().length
  expect(await ask('--chain', deep, '--debug')).toBe('333333333333')
  expect(place.sts.assumed().length).toBe(before)
})

test('exec --serve renews a chain from its first role, from the cached set on', async () => {
  const words = ['--role', roles[0] ?? '', '--chain', audit]
  await place.run(['credential-process', ...words], { env: env() })
  const script = `
    const { readFileSync } = require('node:fs')
    const seen = new Set()
    while (seen.size < 2) {
      const authorization = readFileSync(process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, 'utf8')
      const answer = await fetch(process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI, { headers: { authorization } })
      const { AccessKeyId, RoleArn } = await answer.json()
      seen.add(AccessKeyId + ' ' + RoleArn)
      await Bun.sleep(50)
    }
    console.log([...seen].join('\\n'))
  `
  const { code, stdout } = await place.run(
    ['exec', '--serve', '--refresh-interval', '1', ...words, '--', process.execPath, '-e', script],
    { env: env() },
  )
  expect([
    code,
    stdout
      .trim()
      .split('\n')
      .map(line => line.split(' ')[1]),
  ]).toEqual([0, [audit, audit]])
})

test('a mistake costs no password; a refusal says what both sides have to allow', async () => {
  const before = place.idp.passwords()
  const wrong = await place.run(['-r', '1', '--chain', 'adit'], { env: env() })
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('did you mean audit?')])
  expect(place.idp.passwords()).toBe(before)
  place.sts.refuse('arn:aws:iam::210987654321:role/Nobody')
  const no = await place.run(['-r', '1', '--chain', 'arn:aws:iam::210987654321:role/Nobody'], { env: env() })
  expect(no.code).toBe(31)
  expect(no.stderr).toContain('may not assume arn:aws:iam::210987654321:role/Nobody')
  expect(no.stderr).toContain('trust policy must name the first')
})

test('several roles at once have no place beside a chain', async () => {
  const words = ['-d', '--listen', '127.0.0.1:0', '--container-endpoint', '127.0.0.1:0', '--also-role', 'User-Role']
  const { code, stderr } = await place.run([...words, '-r', '1', '--chain', audit], { env: env() })
  expect([code, stderr]).toEqual([2, expect.stringContaining('--also-role has no place')])
})

test('the daemon serves the last role, and renews from the session before when the sign-in is over', async () => {
  const token = join(home, 'token')
  writeFileSync(token, webToken())
  const port = await freePort()
  const words = ['--provider', 'web-identity', '--token-file', token, '--role', roles[0] ?? '', '--chain', audit]
  running = place.start(['-d', '--listen', `127.0.0.1:${port}`, '--refresh-interval', '1', ...words], {
    env: { HOME: home },
  })
  await running.seen(/-{54}/)
  rmSync(token)
  const url = `http://127.0.0.1:${port}/latest/meta-data/iam/security-credentials/Audit`
  const key = async (): Promise<unknown> => Reflect.get(Object(await (await fetch(url)).json()), 'AccessKeyId')
  const first = await key()
  for (let turn = 0; turn < 200 && (await key()) === first; turn += 1) await Bun.sleep(100)
  expect(await key()).not.toBe(first)
  expect(await running.seen(/goes on from/)).toContain(`the chain goes on from ${roles[0]}, until `)
})
