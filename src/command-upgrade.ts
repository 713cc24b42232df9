/**
 * `upgrade`: on request only, and only what is signed, newer and runs here; then one rename.
 */
import { realpathSync } from 'node:fs'
import process from 'node:process'
import pkg from '../package.json' with { type: 'json' }
import type { Flags } from './command-context.ts'
import { failure } from './errors.ts'
import { replaceProgram } from './files.ts'
import { createHttp } from './http.ts'
import { openNetwork } from './http-network.ts'
import { managerOf } from './installed-by.ts'
import { createLog, type Log } from './log.ts'
import { baseUrl, compareVersions, fetchProgram, findRelease, targetOf, type Release } from './release.ts'
import { run } from './run.ts'
import { isCompiled } from './runtime.ts'

/** Packed, a program has 30 to 60 MB. */
const largestProgram = 256 * 1024 * 1024

const downloadMs = 15 * 60_000

export async function upgradeCommand(flags: Flags): Promise<number> {
  const log = createLog({ quiet: flags['quiet'] === true, debug: flags['debug'] === true })
  if (!isCompiled()) {
    throw failure('config', 'this is the source, which upgrade does not replace', { hint: 'git pull' })
  }
  const program = realpathSync(process.execPath)
  const manager = await managerOf(program, run)
  if (manager) throw failure('config', `${program} was installed by ${manager.name}`, { hint: manager.upgrade })
  const base = baseUrl(
    required(flags['base-url'] ?? pkg.releases.url, 'there is no published release yet', '--base-url'),
  )
  const key = required(flags['key'] ?? pkg.releases.key, 'this build knows no key that signs releases', '--key')
  const version = flags['to'] === undefined ? undefined : String(flags['to']).replace(/^v/, '')
  const caFile = flags['ca-file']
  const http = createHttp({
    network: openNetwork({ ...(typeof caFile === 'string' && { caFile }) }, process.env),
    timeoutMs: downloadMs,
    maxBytes: largestProgram,
    userAgent: `cloudtoken/${pkg.version}`,
    log,
  })
  const target = targetOf({ platform: process.platform, arch: process.arch, musl: isMusl() })
  const release = await findRelease(http, { base, key, target, version })
  const newer = compareVersions(release.version, pkg.version)
  if (flags['json'] === true && flags['check'] === true) {
    log.print(JSON.stringify({ version: pkg.version, release: release.version, newer: newer > 0, program }))
    return 0
  }
  if (newer === 0 || (newer < 0 && version === undefined)) {
    log.print(`cloudtoken ${pkg.version} is as new as the release there`)
    return 0
  }
  log.print(`cloudtoken ${release.version} is there; this is ${pkg.version}, in ${program}`)
  if (flags['check'] === true) return 0
  if (process.platform === 'win32') {
    throw failure('config', 'a running program cannot be replaced on Windows', {
      hint: 'install.ps1 of the new release does: docs/install.md',
    })
  }
  log.info(`downloading ${release.file}`)
  const bytes = await fetchProgram(http, base, release)
  await replaceProgram(program, bytes, staged => tryOut(staged, release))
  done(log, release)
  return 0
}

function done(log: Log, { version }: Release): void {
  log.print(`Now cloudtoken ${version}.`)
  log.info('what is running goes on as it was: restart the daemon to have the new version there too')
}

/** A program that does not start, or is another one, takes nobody's place. */
async function tryOut(staged: string, { version }: Release): Promise<void> {
  const { code, stdout, stderr } = await run(staged, ['--version'], { timeoutMs: 60_000 })
  if (code === 0 && stdout.trim() === `cloudtoken ${version}`) return
  const said = (stderr || stdout).trim().split('\n')[0] ?? ''
  throw failure('unexpected', `the new program does not run here (exit code ${code}): ${said}; nothing was changed`)
}

function required(value: Flags[string] | undefined, message: string, option: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw failure('config', message, { hint: `cloudtoken upgrade ${option} …` })
}

/** A program for musl has no version of glibc to report. */
function isMusl(): boolean {
  if (process.platform !== 'linux') return false
  const report: unknown = process.report?.getReport()
  const header = typeof report === 'object' && report !== null && 'header' in report ? report.header : undefined
  return !(typeof header === 'object' && header !== null && 'glibcVersionRuntime' in header)
}
