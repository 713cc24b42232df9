/**
 * What every exporter has to keep.
 */
import { afterEach, beforeEach, expect, test } from 'bun:test'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import type { Exporter } from '../src/exporter.ts'
import { run, type RunResult } from '../src/run.ts'
import { stageIn, type Flags, type Job, type Stage } from './exporter-writer.ts'
import { failureOf } from './failure.ts'

/** A home of the test's own. */
export function useHome(): { readonly stage: Stage } {
  const held = { stage: stageIn('/nowhere') }
  beforeEach(() => {
    held.stage = stageIn(mkdtempSync(path.join(tmpdir(), 'cloudtoken-exporter-')))
  })
  afterEach(() => rmSync(held.stage.home, { recursive: true, force: true }))
  return held
}

export interface ExporterCase {
  readonly exporter: Exporter
  /** Below the home folder. */
  readonly file: string
  /** What was in that file before, which `forget` has to bring back; `undefined` for a file that is ours alone. */
  readonly foreign: string | undefined
  /** Flags under which set `n` is written. */
  readonly flags: (n: number) => Flags
  /** The numbers of the sets in the file; several for a torn one. */
  readonly sets?: (text: string) => string[]
}

const program = path.join(import.meta.dirname, 'exporter-writer.ts')

/** A file system of the test's own takes a namespace of its own. */
const canMount = (await run('unshare', ['-rm', 'true'])).code === 0

export function exporterCase({ exporter, file, foreign, flags, sets = setsIn }: ExporterCase): void {
  const held = useHome()
  const target = (): string => path.join(held.stage.home, file)
  const read = (): string => readFileSync(target(), 'utf8')
  const seed = (text = foreign): void => {
    mkdirSync(path.dirname(target()), { recursive: true })
    if (text !== undefined) writeFileSync(target(), text, { mode: 0o600 })
  }
  const spawn = (writes: Job['writes'], more: Pick<Job, 'at' | 'pauseMs'> = {}): Promise<RunResult> => {
    const job: Job = { home: held.stage.home, exporter: exporter.name, writes, ...more }
    return run('bun', [program, JSON.stringify(job)], { env: process.env })
  }

  test('a missing folder is made, for the owner alone; so is the file', async () => {
    await exporter.write(held.stage.context(1))
    expect(sets(read())).toEqual(['1'])
    expect(statSync(target()).mode & 0o7777).toBe(0o600)
    expect(statSync(path.dirname(target())).mode & 0o077).toBe(0)
  })

  test('a file that others could read is closed to them', async () => {
    seed(foreign ?? '')
    chmodSync(target(), 0o666)
    await exporter.write(held.stage.context(1))
    expect(statSync(target()).mode & 0o7777).toBe(0o600)
  })

  test('fifty writes: a reader sees whole sets only, and nothing that others may read', async () => {
    seed()
    await exporter.write(held.stage.context(1))
    const numbers = Array.from({ length: 50 }, (_, index) => index + 2)
    const writing = spawn(
      numbers.map(n => [n, flags(0)]),
      { pauseMs: 2 },
    )
    const seen = new Set<string>()
    let ended = false
    void writing.finally(() => (ended = true))
    while (!ended) {
      const found = sets(read())
      expect(found).toHaveLength(1)
      seen.add(found[0] ?? '')
      for (const entry of readdirSync(path.dirname(target()), { withFileTypes: true })) {
        // It may be renamed between the two calls.
        const mode = entry.isFile()
          ? statSync(path.join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.mode
          : 0
        expect((mode ?? 0) & 0o077).toBe(0)
      }
      await Bun.sleep(0)
    }
    expect(await writing).toEqual({ code: 0, stdout: '[]', stderr: '' })
    expect(seen.size).toBeGreaterThan(2)
    expect(sets(read())).toEqual(['51'])
  }, 20_000)

  test('the same set twice gives the same bytes', async () => {
    seed()
    await exporter.write(held.stage.context(1))
    const once = read()
    await exporter.write(held.stage.context(1))
    expect(read()).toBe(once)
  })

  test('several processes at once: nothing torn, nothing lost, nothing left over', async () => {
    seed()
    const writers = [100, 200, 300].map(first => Array.from({ length: 10 }, (_, index) => first + index))
    const at = Date.now() + 300
    const results = await Promise.all(
      writers.map(numbers =>
        spawn(
          numbers.map(n => [n, flags(n)]),
          { at },
        ),
      ),
    )
    for (const result of results) expect(result).toEqual({ code: 0, stdout: '[]', stderr: '' })
    const places = new Set(writers.flat().map(n => JSON.stringify(flags(n)))).size
    expect(new Set(sets(read())).size).toBe(places)
    for (const line of (foreign ?? '').split('\n').filter(text => !text.startsWith('['))) expect(read()).toContain(line)
    expect(readdirSync(path.dirname(target()))).toEqual([path.basename(target())])
  }, 20_000)

  test('forget brings back what was there, byte for byte', async () => {
    seed()
    for (const n of [1, 2]) await exporter.write(held.stage.context(n))
    expect(sets(read())).toEqual(['2'])
    await exporter.forget?.(held.stage.context(0))
    expect(existsSync(target()) ? read() : undefined).toBe(foreign as string)
    await exporter.forget?.(held.stage.context(0))
    expect(existsSync(target()) ? read() : undefined).toBe(foreign as string)
  })

  test('forget finds nothing, makes nothing', async () => {
    await exporter.forget?.(held.stage.context(0))
    expect(readdirSync(held.stage.home)).toEqual([])
  })

  test('a symbolic link stays one, also when its target is yet to be made', async () => {
    mkdirSync(path.dirname(target()), { recursive: true })
    const real = path.join(held.stage.home, 'elsewhere', 'real')
    mkdirSync(path.dirname(real))
    symlinkSync('../'.repeat(file.split('/').length - 1) + 'elsewhere/real', target())
    await exporter.write(held.stage.context(1))
    expect(sets(readFileSync(real, 'utf8'))).toEqual(['1'])
    await exporter.write(held.stage.context(2))
    expect(sets(readFileSync(real, 'utf8'))).toEqual(['2'])
    await exporter.forget?.(held.stage.context(0))
    expect(existsSync(real) ? readFileSync(real, 'utf8') : '').not.toContain('SET')
  })

  test('a target that cannot be written is a failure, not a crash', async () => {
    mkdirSync(target(), { recursive: true })
    expect(await failureOf(exporter.write(held.stage.context(1)))).toMatchObject({ kind: 'config' })
  })

  test.skipIf(!canMount)(
    'a full disk and a read-only folder: a failure, and the old file whole',
    async () => {
      const { home } = held.stage
      const job = (set: number): string => JSON.stringify({ home, exporter: exporter.name, writes: [[set, flags(0)]] })
      const script = [
        'set -e',
        'mount -t tmpfs -o size=64k,mode=0700 tmpfs "$DIR"',
        '"$@" "$FIRST"; echo',
        'dd if=/dev/zero of="$DIR/filler" bs=1k 2>/dev/null || true',
        '"$@" "$SECOND"; echo',
        'rm "$DIR/filler"; mount -o remount,ro "$DIR"',
        '"$@" "$SECOND"; echo',
        'ls -A "$DIR"; cat "$FILE"',
      ].join('\n')
      mkdirSync(path.dirname(target()), { recursive: true })
      const env = { ...process.env, DIR: path.dirname(target()), FILE: target(), FIRST: job(1), SECOND: job(2) }
      const result = await run('unshare', ['-rm', 'sh', '-c', script, 'sh', 'bun', program], { env })
      expect(result.stderr).toBe('')
      const [fine, full, readOnly, name, ...text] = result.stdout.split('\n')
      expect(JSON.parse(fine ?? '')).toEqual([])
      for (const report of [full, readOnly])
        expect(JSON.parse(report ?? '')).toEqual([{ kind: 'config', message: expect.any(String) }])
      expect(full).toMatch(/cannot (write|lock) .*(ENOSPC|no space)/i)
      expect(readOnly).toMatch(/cannot (write|lock) .*(EROFS|read-only)/i)
      expect(name).toBe(path.basename(target()))
      expect(sets(text.join('\n'))).toEqual(['1'])
      for (const report of [full, readOnly]) expect(report).not.toContain('secret/')
    },
    20_000,
  )
}

/** The distinct sets whose secrets are in the text; more than one name of them in one place means a torn file. */
export function setsIn(text: string): string[] {
  return [...new Set([...text.matchAll(/SET(\d+)END/g)].map(match => match[1] ?? ''))]
}
