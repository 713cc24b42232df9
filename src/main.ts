/**
 * The program. The version and a cached `credential-process` are answered here with `node:fs` alone; all else is loaded
 * when it is wanted.
 */
import { writeSync } from 'node:fs'
import process from 'node:process'
import pkg from '../package.json' with { type: 'json' }
import { quickAnswer } from './quick.ts'

const argv = process.argv.slice(2)
const [word] = argv
const quick =
  argv.length === 1 && (word === '--version' || word === '-V' || word === '-v' || word === 'version')
    ? `cloudtoken ${pkg.version}\n`
    : word === 'credential-process'
      ? quickAnswer(argv.slice(1), process.env, Date.now())
      : undefined

if (quick === undefined || !written(quick)) {
  const { main } = await import('./cli.ts')
  process.exit(await main(argv))
}

/** What cannot be written is for the long way to explain. */
function written(text: string): boolean {
  try {
    return writeSync(1, text) > 0
  } catch {
    return false
  }
}
