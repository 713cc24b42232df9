import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openPage } from '../src/open-page.ts'
import type { Run } from '../src/run.ts'

const url = 'https://signin.aws.amazon.com/federation?Action=login&SigninToken=a"b<c'
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloudtoken-open-page-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

interface Seen {
  readonly command: string
  readonly args: readonly string[]
}

async function openOn(platform: NodeJS.Platform, env: Record<string, string>, codes: (number | 'stays')[] = [0]) {
  const seen: Seen[] = []
  let page = ''
  let mode = 0
  const slept: number[] = []
  const run: Run = async (command, args) => {
    seen.push({ command, args })
    page = readFileSync(args.at(-1) ?? '', 'utf8')
    mode = statSync(args.at(-1) ?? '').mode & 0o777
    const code = codes.shift() ?? 127
    return code === 'stays' ? new Promise(() => {}) : { code, stdout: '', stderr: '' }
  }
  const stays = codes.includes('stays')
  const clock = {
    now: () => Date.now(),
    async sleep(ms: number) {
      // The wait for a program that stays is long enough for every other.
      if (ms === 15_000 && !stays) return new Promise<void>(() => {})
      slept.push(ms)
    },
  }
  const signal = AbortSignal.timeout(5000)
  const error = await openPage({ url, title: 'the console', folder, platform, env, run, clock, signal }).catch(
    (thrown: unknown) => thrown,
  )
  return { seen, page, mode, slept, error }
}

test.each([
  ['darwin', {}, 'open'],
  ['win32', {}, 'rundll32'],
  ['linux', { DISPLAY: ':0' }, 'xdg-open'],
  ['linux', { WAYLAND_DISPLAY: 'wayland-0' }, 'xdg-open'],
  ['linux', { WSL_DISTRO_NAME: 'Debian' }, 'wslview'],
] as const)('%s %p: a private file leads there, and is gone afterwards', async (platform, env, command) => {
  const { seen, page, mode, slept, error } = await openOn(platform, env)
  expect(error).toBeUndefined()
  expect(seen.map(each => each.command)).toEqual([command])
  expect(JSON.stringify(seen)).not.toContain('SigninToken')
  expect(page).toContain(
    'content="0;url=https://signin.aws.amazon.com/federation?Action=login&#38;SigninToken=a&#34;b&#60;c"',
  )
  expect(mode).toBe(0o600)
  expect(slept).toEqual([10_000])
  expect(readdirSync(folder)).toEqual([])
})

test('the next program is tried when one is missing', async () => {
  const { seen, error } = await openOn('linux', { DISPLAY: ':0' }, [127, 0])
  expect(seen.map(each => each.command)).toEqual(['xdg-open', 'gio'])
  expect(error).toBeUndefined()
})

test('a browser that stays in the foreground was opened, too', async () => {
  const { seen, slept, error } = await openOn('linux', { DISPLAY: ':0' }, ['stays'])
  expect([seen.map(each => each.command), slept, error]).toEqual([['xdg-open'], [15_000, 10_000], undefined])
})

test('without a screen or a program nothing is started or left', async () => {
  for (const env of [{}, { DISPLAY: ':0' }]) {
    const { error, slept } = await openOn('linux', env, [])
    expect(error).toMatchObject({ kind: 'person', hint: 'cloudtoken console --print' })
    expect([slept, readdirSync(folder)]).toEqual([[], []])
  }
})

test('what a killed run left is swept away; what another one needs now is not', async () => {
  for (const name of ['page-old-1.html', 'page-new-1.html', 'other.html']) writeFileSync(join(folder, name), '')
  for (const name of ['page-old-1.html', 'other.html']) utimesSync(join(folder, name), 1, 1)
  await openOn('darwin', {})
  expect(readdirSync(folder).toSorted()).toEqual(['other.html', 'page-new-1.html'])
})
