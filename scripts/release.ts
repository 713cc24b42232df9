/**
 * `bun run release`: everything a release has, in dist/releases, laid out as a web server has to serve it. The same commit
 * gives the same bytes; each program is compiled twice to see that.
 *
 * `--targets linux-x64,…` makes some builds only, `--fast` packs badly, without xz, and compiles once, `--out DIR` goes elsewhere, `--url
 * URL` is where the releases will be served. The secret key is the file that CLOUDTOKEN_RELEASE_KEY names.
 */
import { Buffer } from 'node:buffer'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { gzipSync } from 'node:zlib'
import pkg from '../package.json' with { type: 'json' }
import { commands } from '../src/commands.ts'
import { completionFor } from '../src/completion.ts'
import { coreOptions } from '../src/options.ts'
import { startTimes } from './bench-startup.ts'
import { compile, flags, targets } from './build.ts'
import { components, goTool, installGoTool } from './components.ts'
import { checkSignature, signAdHoc } from './macho.ts'
import { manualPage } from './manual.ts'
import { buildName, compress, digestsOf, formats, writeSums, zip } from './release-files.ts'
import { writeFeature } from './release-feature.ts'
import { writeManifests } from './release-manifests.ts'
import { makePackages } from './release-packages.ts'
import { readKey, signatureOf, type ReleaseKey } from './release-sign.ts'
import { billOfMaterials, provenance, type Origin } from './release-statements.ts'
import { install, root, say, seconds, shell, stop, which } from './tools.ts'

interface Plan {
  readonly targets: readonly string[]
  readonly fast: boolean
  readonly out: string
  /** Where the releases will be served. */
  readonly address: string
  readonly key: ReleaseKey | undefined
}

const { version } = pkg

/** As long as package.json has no address: dist behind a server on this machine, as docs/install.md starts one. */
const localAddress = 'http://127.0.0.1:8000/releases'

function planOf(argv: readonly string[]): Plan {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      targets: { type: 'string' },
      fast: { type: 'boolean' },
      out: { type: 'string' },
      url: { type: 'string' },
    },
  })
  const wanted = values.targets?.split(',') ?? targets
  const unknown = wanted.find(target => !targets.some(known => known === target))
  if (unknown !== undefined) throw new Error(`there is no target ${unknown}; there are ${targets.join(', ')}`)
  const file = process.env['CLOUDTOKEN_RELEASE_KEY']
  const key = file ? readKey(readFileSync(file, 'utf8')) : undefined
  const known: string = pkg.releases.key
  if (key && known !== '' && known !== key.publicKey) throw new Error('that is not the key of package.json')
  return {
    targets: wanted,
    fast: values.fast ?? false,
    out: values.out ?? join(root, 'dist', 'releases'),
    address: (values.url ?? (pkg.releases.url || localAddress)).replace(/\/+$/, ''),
    key,
  }
}

async function git(...args: string[]): Promise<string> {
  const { code, output } = await shell('git', args, { quiet: true })
  if (code !== 0) throw new Error(`git ${args.join(' ')}: ${output}`)
  return output.trim()
}

async function originOf(): Promise<Origin> {
  const [commit, stamp, changes] = await Promise.all([
    git('rev-parse', 'HEAD'),
    git('log', '-1', '--format=%ct'),
    git('status', '--porcelain'),
  ])
  if (changes !== '') say('note: there are changes that are not committed; this is no release of that commit')
  const date = new Date(Number(stamp) * 1000).toISOString().replace('.000', '')
  return { version, commit: changes === '' ? commit : `${commit}-dirty`, date, bun: process.versions['bun'] ?? '' }
}

/** Compiles a target below the folder. The name of the output is in the program, so it is always the same. */
async function build(folder: string, target: string): Promise<string> {
  const file = join(folder, target, target.startsWith('windows') ? 'cloudtoken.exe' : 'cloudtoken')
  mkdirSync(join(folder, target), { recursive: true })
  await compile(join(root, 'src', 'main.ts'), file, [...flags, `--target=bun-${target}`])
  return file
}

/** A macOS program whose signature would have it killed gets another one. */
function ensureSigned(target: string, file: string): void {
  if (!target.startsWith('darwin')) return
  const before = checkSignature(readFileSync(file))
  if (before.bad.length === 0) return say(`${target}: all ${before.pages} pages fit the signature`)
  writeFileSync(file, signAdHoc(readFileSync(file), 'cloudtoken'))
  const after = checkSignature(readFileSync(file))
  if (after.bad.length > 0) throw new Error(`${target}: cannot be signed: ${after.bad.length} bad pages`)
  say(`${target}: ${before.bad.length} of ${before.pages} pages did not fit; signed anew, ad hoc`)
}

/** Runs the jobs, so many at a time. */
async function inTurns(jobs: readonly (() => Promise<void>)[], workers: number): Promise<void> {
  const queue = [...jobs]
  const work = async (): Promise<void> => {
    for (let job = queue.shift(); job; job = queue.shift()) await job()
  }
  await Promise.all(Array.from({ length: workers }, work))
}

async function pack(plan: Plan, programs: ReadonlyMap<string, string>, folder: string): Promise<void> {
  const jobs = [...programs].flatMap(([target, file]) => {
    const path = join(folder, buildName(version, target))
    if (target.startsWith('windows')) {
      return [async () => writeFileSync(`${path}.zip`, zip('cloudtoken.exe', readFileSync(file)))]
    }
    return formats
      .filter(format => format !== 'xz' || !plan.fast)
      .map(format => () => compress(file, `${path}.${format}`, format, plan.fast))
  })
  await inTurns(jobs, availableParallelism())
}

function writeTexts(folder: string, origin: Origin): void {
  const grammar = { commands, options: coreOptions }
  const texts: Readonly<Record<string, string | Uint8Array>> = {
    'cloudtoken.bash': `${completionFor('bash', grammar)}\n`,
    _cloudtoken: `${completionFor('zsh', grammar)}\n`,
    'cloudtoken.fish': `${completionFor('fish', grammar)}\n`,
    'cloudtoken.ps1': `${completionFor('powershell', grammar)}\n`,
    'cloudtoken.1.gz': gzipSync(manualPage(version, origin.date.slice(0, 10)), { level: 9 }),
    [`cloudtoken-${version}.cdx.json`]: billOfMaterials(origin),
  }
  for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text)
  for (const file of ['install.sh', 'install.ps1', 'packaging/Dockerfile'])
    cpSync(join(root, file), join(folder, basename(file)))
}

/** Which of the programs run on this machine, and how long they take to say their version. */
async function startUps(programs: ReadonlyMap<string, string>, work: string): Promise<Map<string, string>> {
  const line = join(work, 'line.ts')
  writeFileSync(line, `import { writeSync } from 'node:fs'\nwriteSync(1, 'one line\\n')\n`)
  await compile(line, join(work, 'line'))
  const shown = new Map<string, string>()
  for (const [target, program] of programs) {
    if (!(await runs(program))) continue
    const starts = [
      { program: join(work, 'line'), args: [], prints: 'one line' },
      { program, args: ['--version'], prints: `cloudtoken ${version}` },
    ]
    const [bare = 0, ours = 0] = startTimes(starts, 30)
    shown.set(target, `${ours.toFixed(1)} ms (${(ours / bare).toFixed(2)} of a one-line program)`)
  }
  return shown
}

/** A program of another system fails in more than one way. */
async function runs(program: string): Promise<boolean> {
  try {
    return (await shell(program, ['--version'], { quiet: true })).code === 0
  } catch {
    return false
  }
}

function printTable(folder: string, programs: ReadonlyMap<string, string>, starts: ReadonlyMap<string, string>): void {
  const mb = (file: string): string => (existsSync(file) ? (statSync(file).size / 1e6).toFixed(1) : '-')
  const rows = [['build', 'MB', ...formats, 'zip', 'start-up']]
  for (const [target, program] of programs) {
    const path = join(folder, buildName(version, target))
    const sizes = [...formats, 'zip'].map(format => mb(`${path}.${format}`))
    rows.push([target, mb(program), ...sizes, starts.get(target) ?? 'does not run here'])
  }
  for (const row of rows) say(row.map((cell, index) => (index === 0 ? cell.padEnd(18) : cell.padStart(7))).join(' '))
}

async function release(plan: Plan, work: string): Promise<void> {
  const origin = await originOf()
  say(`cloudtoken ${version}, commit ${origin.commit}, bun ${origin.bun}`)
  const programs = new Map<string, string>()
  for (const target of plan.targets) {
    const begin = performance.now()
    const program = await build(join(work, 'first'), target)
    if (!plan.fast && !readFileSync(program).equals(readFileSync(await build(join(work, 'second'), target)))) {
      throw new Error(`${target}: a second build has other bytes`)
    }
    say(`${target}: compiled${plan.fast ? '' : ' twice, equal bytes'}  ${seconds(begin)}`)
    ensureSigned(target, program)
    programs.set(target, program)
  }

  const folder = join(plan.out, 'download', `v${version}`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeTexts(folder, origin)
  const packing = performance.now()
  await pack(plan, programs, folder)
  say(`packed  ${seconds(packing)}`)
  if (!plan.fast && goTool('nfpm') === undefined && which('go') !== undefined) await installGoTool(components.nfpm.go)
  const place = { texts: folder, out: folder, work: join(work, 'nfpm') }
  const packages = await makePackages({
    version,
    date: origin.date,
    programOf: target => programs.get(target),
    ...place,
  })
  say(
    packages
      ? `packages: ${packages.join(', ') || 'none for these targets'}`
      : 'no deb, rpm and apk: that takes Go or nfpm',
  )

  writeFeature(folder, version, plan.address)
  const manifests = writeManifests(folder, { version, date: origin.date, address: plan.address }, digestsOf(folder))
  say(`manifests: ${manifests.join(', ') || 'none, for want of builds'}; they point to ${plan.address}`)
  writeFileSync(join(folder, `cloudtoken-${version}.intoto.json`), provenance(origin, digestsOf(folder)))
  writeSums(folder)
  signSums(plan, folder, origin)
  const latest = join(plan.out, 'latest')
  rmSync(latest, { recursive: true, force: true })
  mkdirSync(latest)
  symlinkSync(join('..', 'download', `v${version}`), join(latest, 'download'))

  say('')
  printTable(folder, programs, await startUps(programs, work))
  say(`\n${folder}`)
}

function signSums({ key }: Plan, folder: string, { commit }: Origin): void {
  if (!key) return say('not signed: CLOUDTOKEN_RELEASE_KEY names no key; cloudtoken upgrade refuses this release')
  const sums = join(folder, 'SHA256SUMS')
  const signature = signatureOf(readFileSync(sums), key, `cloudtoken ${version} commit ${commit}`)
  writeFileSync(`${sums}.minisig`, Buffer.from(signature))
  say(`signed by ${key.publicKey}`)
  if (pkg.releases.key === '') say('note: package.json has no key, so upgrade takes this release with --key only')
}

await install()
const begin = performance.now()
const work = mkdtempSync(join(tmpdir(), 'cloudtoken-release-'))
let trouble: unknown
try {
  await release(planOf(process.argv.slice(2)), work)
} catch (error) {
  trouble = error
}
rmSync(work, { recursive: true, force: true })
if (trouble !== undefined) stop(`release: error: ${trouble instanceof Error ? trouble.message : String(trouble)}`)
say(`release done in ${seconds(begin)}`)
