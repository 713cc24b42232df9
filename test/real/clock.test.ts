/**
 * A laptop that sleeps, and clocks that are set: the program and the servers it speaks to, under libfaketime. The clock that
 * counts what has passed stays true, as it does in a sleep.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface, type Interface } from 'node:readline'
import { faketime } from '../../scripts/components.ts'
import { freePort } from '../../scripts/demo-http.ts'
import { command, password } from '../e2e/cli.ts'
import { present } from './present.ts'

const ready = await present('faketime')
const role = 'arn:aws:iam::123456789012:role/developer'
const hour = 3_600_000

interface Set {
  readonly Code: string
  readonly AccessKeyId?: string
  readonly Expiration?: string
}

describe.skipIf(!ready)('the clock of a daemon', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-clock-'))
  const children: ChildProcess[] = []
  const offsets = { world: 0, daemon: 0 }
  let listen: string
  let world: ChildProcess
  let lines: Interface
  let said = ''
  /** What was served while it had ended, by the clock of the daemon. */
  const expired: Set[] = []

  function set(hours: { world?: number; daemon?: number }): void {
    for (const name of ['world', 'daemon'] as const) {
      offsets[name] = (hours[name] ?? offsets[name] / hour) * hour
      writeFileSync(join(folder, name), `${offsets[name] < 0 ? '' : '+'}${offsets[name] / 1000}\n`)
    }
  }

  const fake = (name: keyof typeof offsets): Record<string, string> => ({
    LD_PRELOAD: faketime() ?? '',
    FAKETIME_TIMESTAMP_FILE: join(folder, name),
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  })

  async function line(): Promise<Record<string, string | number>> {
    const [text] = (await once(lines, 'line')) as [string]
    return JSON.parse(text)
  }

  async function asked(): Promise<number> {
    const answer = line()
    world.stdin?.write('\n')
    return Number((await answer)['assumed'])
  }

  async function served(): Promise<Set> {
    const answer = await fetch(`http://${listen}/latest/meta-data/iam/security-credentials/developer`)
    const got = (await answer.json()) as Set
    if (got.AccessKeyId !== undefined && Date.parse(got.Expiration ?? '') <= Date.now() + offsets.daemon)
      expired.push(got)
    return got
  }

  /** Looked at ten times a second, as long as the loop looks away at most. */
  async function until(good: (set: Set) => boolean): Promise<Set> {
    for (let turn = 0; turn < 400; turn += 1) {
      const got = await served()
      if (good(got)) return got
      await Bun.sleep(100)
    }
    throw new Error(`not within forty seconds; it said:\n${said}`)
  }

  beforeAll(async () => {
    set({})
    world = spawn(process.execPath, [join(import.meta.dir, 'clock-child.ts'), role, password], {
      env: { PATH: process.env['PATH'], ...fake('world') },
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    children.push(world)
    if (world.stdout) lines = createInterface(world.stdout)
    const { idp, sts } = await line()
    listen = `127.0.0.1:${await freePort()}`
    const [program = '', ...args] = command
    const daemon = spawn(program, [...args, '-d', '--listen', listen, '--role', role, '--skip-keyring'], {
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        AWS_ENDPOINT_URL_STS: String(sts),
        CLOUDTOKEN_URL: String(idp),
        CLOUDTOKEN_USERNAME: 'charlie',
        CLOUDTOKEN_PASSWORD: password,
        CLOUDTOKEN_NO_INPUT: 'true',
        ...fake('daemon'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.push(daemon)
    for (const stream of [daemon.stdout, daemon.stderr]) stream?.setEncoding('utf8').on('data', text => (said += text))
    for (let turn = 0; turn < 200 && !/-{54}/.test(said); turn += 1) await Bun.sleep(50)
    expect(said).toMatch(/-{54}/)
  }, 60_000)

  afterAll(async () => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  })

  test('after a sleep of three hours there is a new set within half a minute, and never the old one', async () => {
    const [before, first] = [await asked(), await served()]
    expect(first.Code).toBe('Success')
    set({ world: 3, daemon: 3 })
    const second = await until(got => got.Code === 'Success')
    expect(second.AccessKeyId).not.toBe(first.AccessKeyId)
    expect(await asked()).toBe(before + 1)
    expect(expired).toEqual([])
  }, 60_000)

  test('set back by two hours it goes on with what it has', async () => {
    const [before, held] = [await asked(), await served()]
    set({ world: 1, daemon: 1 })
    for (let turn = 0; turn < 330; turn += 1) {
      expect(await served()).toEqual(held)
      await Bun.sleep(100)
    }
    expect([await asked(), expired]).toEqual([before, []])
  }, 60_000)

  test('wrong by a day on this machine alone it serves nothing that has ended, makes no storm, and comes back', async () => {
    const before = await asked()
    set({ daemon: 25 })
    await until(got => got.Code !== 'Success')
    for (let turn = 0; turn < 330; turn += 1) {
      expect((await served()).Code).not.toBe('Success')
      await Bun.sleep(100)
    }
    expect(await served()).toMatchObject({
      Code: 'ClockSkew',
      Message: expect.stringContaining("this machine's clock"),
    })
    expect((await asked()) - before).toBeLessThanOrEqual(4)
    set({ daemon: offsets.world / hour })
    await until(got => got.Code === 'Success')
    expect((await asked()) - before).toBeLessThanOrEqual(5)
    expect(expired).toEqual([])
  }, 120_000)
})
