/**
 * `bun run check`: everything that can be said about the source without running it. All checks run, whatever fails.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { installPackages } from './components.ts'
import { close, inCi, install, root, say, seconds, shell, tool, which } from './tools.ts'

type Verdict = 'passed' | 'failed' | 'skipped'

interface Check {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
}

const checks: readonly Check[] = [
  { name: 'lint', command: tool('oxlint'), args: ['--type-aware', '--deny-warnings'] },
  { name: 'format', command: tool('oxfmt'), args: ['--check', '.'] },
  { name: 'types of src', command: tool('tsc'), args: ['-p', '.'] },
  { name: 'types of test and scripts', command: tool('tsc'), args: ['-p', 'test'] },
  { name: 'types under Deno', command: tool('deno'), args: ['check', '--quiet', 'src/main.ts'] },
  { name: 'lint under Deno', command: tool('deno'), args: ['lint', '--quiet', 'src'] },
  { name: 'unused code', command: tool('knip'), args: [] },
  {
    name: 'files and packages that only tests use',
    command: tool('knip'),
    // Not exports: a test may look into a file.
    args: ['--production', '--include', 'files,dependencies,unlisted,unresolved'],
  },
]

async function verdictOf(check: Check): Promise<Verdict> {
  const start = performance.now()
  const { code, output } = await shell(check.command, check.args, { quiet: true, env: { NO_COLOR: '1' } })
  if (code !== 0) say(output.trimEnd())
  say(`${code === 0 ? 'ok    ' : 'failed'}  ${check.name}  ${seconds(start)}`)
  return code === 0 ? 'passed' : 'failed'
}

/** Every shell file of the repository: by name, or by what its first line says. */
async function shellFiles(): Promise<string[]> {
  const { output } = await shell('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { quiet: true })
  return output.split('\n').filter(file => {
    if (file === '' || !existsSync(join(root, file))) return false
    return (
      /\.(sh|bash)$/.test(file) || /^#!.*\b(sh|bash|dash)\b/.test(readFileSync(join(root, file), 'utf8').slice(0, 80))
    )
  })
}

/** Shells are checked where shellcheck is; CI has to have it. */
async function shellcheck(): Promise<Verdict> {
  if (inCi) await installPackages(['shellcheck'])
  if (which('shellcheck') === undefined && !inCi) {
    say('skipped shell files: shellcheck is not installed here')
    return 'skipped'
  }
  const files = await shellFiles()
  return verdictOf({ name: `shell files (${files.join(', ')})`, command: 'shellcheck', args: files })
}

await install()
const verdicts: Verdict[] = []
for (const check of checks) verdicts.push(await verdictOf(check))
verdicts.push(await shellcheck())
const count = (verdict: Verdict): number => verdicts.filter(each => each === verdict).length
close({ passed: count('passed'), failed: count('failed'), skipped: count('skipped') })
