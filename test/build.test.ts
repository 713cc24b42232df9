/**
 * What the compiled program reads from the directory it is started in: nothing. Started among a hostile `.env` and a hostile
 * `bunfig.toml` it behaves as anywhere else, although it holds credentials worth stealing.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { compile, flags } from '../scripts/build.ts'
import { judge } from '../scripts/suite.ts'
import { root } from '../scripts/tools.ts'

const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-build-'))
const hostile = join(folder, 'hostile')
const trace = join(folder, 'trace')

beforeAll(() => {
  mkdirSync(hostile)
  writeFileSync(
    join(hostile, '.env'),
    [
      'NODE_TLS_REJECT_UNAUTHORIZED=0',
      'AWS_ACCESS_KEY_ID=AKIAHOSTILE',
      'AWS_ENDPOINT_URL=http://127.0.0.1:1',
      'CLOUDTOKEN_ROLE=arn:aws:iam::123456789012:role/hostile',
      'HTTPS_PROXY=http://127.0.0.1:1',
    ].join('\n'),
  )
  writeFileSync(join(hostile, 'bunfig.toml'), 'preload = ["./preload.ts"]\n')
  writeFileSync(
    join(hostile, 'preload.ts'),
    `require('node:fs').appendFileSync(${JSON.stringify(trace)}, 'preloaded')\n`,
  )
  writeFileSync(join(hostile, 'tsconfig.json'), '{"compilerOptions":{"paths":{"*":["./preload.ts"]}}}')
  writeFileSync(join(hostile, 'package.json'), '{"name":"cloudtoken","version":"6.6.6"}')
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

interface Answer {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Little environment, so that nothing but the directory can make a difference. */
function start(program: string, args: readonly string[], cwd: string): Promise<Answer> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder }
  return new Promise(resolve => {
    execFile(program, [...args], { cwd, env }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr })
    })
  })
}

async function probe(name: string, options: readonly string[]): Promise<unknown> {
  const source = join(folder, `${name}.ts`)
  const environment = ['NODE_TLS_REJECT_UNAUTHORIZED', 'AWS_ACCESS_KEY_ID', 'CLOUDTOKEN_ROLE', 'HTTPS_PROXY']
  writeFileSync(
    source,
    `import process from 'node:process'
     const { later } = await import('./later.ts')
     const seen = ${JSON.stringify(environment)}.filter(name => process.env[name] !== undefined)
     console.log(JSON.stringify({ seen, later, execArgv: process.execArgv, args: process.argv.slice(2) }))`,
  )
  writeFileSync(join(folder, 'later.ts'), `export const later = 'loaded'\n`)
  rmSync(trace, { force: true })
  await compile(source, join(folder, name), options)
  const { stdout, stderr } = await start(join(folder, name), ['--use-system-ca', 'x'], hostile)
  expect(stderr).toBe('')
  const answer: unknown = JSON.parse(stdout)
  return { ...(typeof answer === 'object' && answer), preloaded: existsSync(trace) }
}

describe('in a hostile directory', () => {
  test('a program with our flags sees nothing of it', async () => {
    expect(await probe('ours', flags)).toEqual({
      seen: [],
      later: 'loaded',
      execArgv: ['--use-system-ca'],
      args: ['--use-system-ca', 'x'],
      preloaded: false,
    })
  })

  test('the trap is a real one: without the flags it snaps', async () => {
    expect(await probe('bare', ['--compile'])).toEqual({
      seen: ['NODE_TLS_REJECT_UNAUTHORIZED', 'AWS_ACCESS_KEY_ID', 'CLOUDTOKEN_ROLE', 'HTTPS_PROXY'],
      later: 'loaded',
      execArgv: [],
      args: ['--use-system-ca', 'x'],
      preloaded: true,
    })
  })

  test('cloudtoken answers as in an empty one', async () => {
    const built = join(root, 'dist', 'cloudtoken')
    const program = existsSync(built) ? built : join(folder, 'cloudtoken')
    if (program !== built) await compile(join(root, 'src', 'main.ts'), program)
    const empty = join(folder, 'empty')
    mkdirSync(empty)
    rmSync(trace, { force: true })
    for (const args of [
      ['--version'],
      ['--help'],
      ['--provider', 'form', '--url', 'https://127.0.0.1:9/', '--no-input'],
    ]) {
      const there = await start(program, args, hostile)
      expect(there).toEqual(await start(program, args, empty))
    }
    expect(existsSync(trace)).toBe(false)
    const { version }: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    expect((await start(program, ['--version'], hostile)).stdout).toContain(version)
  })
})

describe('the verdict on a run of tests', () => {
  const summary = (fail: number, files: number): string =>
    `a.test.ts:\n(pass) x [1ms]\n\n 3 pass\n 1 skip\n ${fail} fail\n 4 expect() calls\nRan 4 tests across ${files} files. [5.00ms]\n`

  test('is what the summary says', () => {
    expect(judge(summary(0, 2), 0, 2)).toEqual({ passed: 3, failed: 0, skipped: 1 })
    expect(judge(summary(2, 2), 1, 2)).toEqual({ passed: 3, failed: 2, skipped: 1 })
  })

  test('is bad after a bad end, a file left out or no summary at all', () => {
    expect(judge(summary(0, 2), 1, 2).failed).toBe(1)
    expect(judge(summary(0, 1), 0, 2).failed).toBe(1)
    expect(judge('', 0, 1).failed).toBe(1)
    expect(judge('\n 7 pass\n', 139, 1).failed).toBe(1)
  })
})
