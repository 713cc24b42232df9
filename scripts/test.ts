/**
 * `bun run test`: installs, checks, compiles, then every test that needs nothing but this repository.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { components, provide, type ComponentName } from './components.ts'
import { runSuite, testFiles } from './suite.ts'
import { bun, close, inCi, install, nothing, root, say, seconds, shell, sum, type Tally } from './tools.ts'

const begin = performance.now()
say('== install')
await install()
// Elsewhere the tests of a shell that is not there are left out.
const programs: readonly ComponentName[] = [
  ...(['shellcheck', 'openssl', 'fish', 'zsh', 'unshare', 'ip'] as const),
  ...(['curl', 'busybox', 'wget', 'xz', 'zstd', 'minisign'] as const),
]
if (inCi) await provide(programs.map(name => components[name]))

/** `check` and `build` are scripts of their own; what they come to counts like tests. */
async function script(name: string): Promise<Tally> {
  say(`\n== ${name}`)
  const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-tally-'))
  const file = join(folder, 'tally')
  const { code } = await shell(bun, [join('scripts', `${name}.ts`)], { env: { CLOUDTOKEN_TALLY: file } })
  const line = existsSync(file) ? readFileSync(file, 'utf8') : code === 0 ? '1 0 0' : '0 1 0'
  rmSync(folder, { recursive: true, force: true })
  const [passed = 0, failed = 0, skipped = 0] = line.trim().split(' ').map(Number)
  return { passed, failed, skipped }
}

const workers = Math.min(4, availableParallelism())
// A machine of CI may stand still for seconds; on our own we want to see what that breaks.
const retries = inCi ? 1 : undefined
const checks = await script('check')
const build = await script('build')
const units = await runSuite({
  name: 'unit, contract and property tests',
  files: testFiles('test'),
  testMs: 30_000,
  suiteMs: 300_000,
  workers,
  retries,
})
const scenarios = { files: testFiles('test/e2e'), testMs: 60_000, suiteMs: 600_000, workers, retries }
const source = await runSuite({ ...scenarios, name: 'end to end, source', env: { CLOUDTOKEN_BIN: undefined } })
const deno = await runSuite({
  ...scenarios,
  name: 'end to end, source under Deno',
  env: { CLOUDTOKEN_BIN: undefined, CLOUDTOKEN_RUN: 'deno' },
})
const binary =
  build.failed > 0
    ? nothing
    : await runSuite({
        ...scenarios,
        name: 'end to end, binary',
        env: { CLOUDTOKEN_BIN: join(root, 'dist', 'cloudtoken') },
      })

say(`\n== all of it in ${seconds(begin)}`)
close(sum([checks, build, units, source, deno, binary]))
