/**
 * Runs test files under `bun test` and says what came of them.
 */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { bun, nothing, root, say, seconds, shell, type Env, type Tally } from './tools.ts'

interface Suite {
  readonly name: string
  /** Paths that start with `./`, so that bun takes them as files and not as filters. */
  readonly files: readonly string[]
  readonly env?: Env
  /** Limit for one test. */
  readonly testMs: number
  /** Limit for all of them together. */
  readonly suiteMs: number
  /** How often a failed test may try again: programs of others on a busy machine are late now and then. */
  readonly retries?: number | undefined
  /** Put before the command, such as what makes a network namespace around it. */
  readonly within?: readonly string[]
  /** Files at the same time; 1 for those that share the machine's network or users. */
  readonly workers: number
}

/** The test files of one folder, in the form `runSuite` wants them. */
export function testFiles(folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder))
    .filter(file => file.endsWith('.test.ts'))
    .map(file => `./${folder}/${file}`)
    .toSorted()
}

export async function runSuite(suite: Suite): Promise<Tally> {
  say(`\n== ${suite.name}: ${suite.files.length} files`)
  if (suite.files.length === 0) return nothing
  const start = performance.now()
  const options = [
    `--timeout=${suite.testMs}`,
    ...(suite.workers > 1 ? [`--parallel=${suite.workers}`] : []),
    ...(suite.retries === undefined ? [] : [`--retry=${suite.retries}`]),
  ]
  const [command = bun, ...args] = [...(suite.within ?? []), bun, 'test', ...options, ...suite.files]
  const { code, output } = await shell(command, args, {
    timeoutMs: suite.suiteMs,
    // Deno asks its own site for newer versions otherwise.
    env: { DENO_NO_UPDATE_CHECK: '1', ...suite.env },
  })
  const tally = judge(output, code, suite.files.length)
  const verdict = tally.failed === 0 ? 'ok' : 'not ok'
  const again = output.split('(attempt 2)').length - 1
  const late = again === 0 ? '' : `, ${again} of them at the second attempt`
  say(
    `${verdict}  ${suite.name}: ${tally.passed} good${late}, ${tally.failed} bad, ${tally.skipped} left out, ${seconds(start)}`,
  )
  return tally
}

/**
 * Reads the summary that `bun test` ends with: ` 3 pass`, ` 1 fail`, `Ran 4 tests across 2 files.` A run that ended badly
 * has failed whatever the summary says: crash, time-out, a file that was not run.
 */
export function judge(output: string, code: number, files: number): Tally {
  const text = output.replace(/\u001b\[[0-9;]*m/g, '')
  const last = (word: string): number =>
    Number([...text.matchAll(new RegExp(`^ *(\\d+) ${word}$`, 'gm'))].at(-1)?.[1] ?? 0)
  const ran = Number([...text.matchAll(/^Ran \d+ tests? across (\d+) files?\./gm)].at(-1)?.[1] ?? 0)
  const counted = last('fail')
  const failed = counted === 0 && (code !== 0 || ran !== files) ? 1 : counted
  return { passed: last('pass'), failed, skipped: last('skip') + last('todo') }
}
