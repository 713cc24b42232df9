/**
 * `bun run build` compiles dist/cloudtoken for this machine; `--all` the eight targets of a release.
 */
import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { bun, install, root, say, seconds, shell, stop } from './tools.ts'

/** The runtimes of the other systems come from the npm registry and stay in bun's cache. */
export const targets = [
  'linux-x64',
  'linux-arm64',
  'linux-x64-musl',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
  'windows-x64',
  'windows-arm64',
] as const

/**
 * Everything but the input and the output. The autoload flags are a matter of safety: without them the binary reads
 * `.env` and runs the preload of `bunfig.toml` of whatever directory it is started in.
 */
export const flags: readonly string[] = [
  '--compile',
  '--minify',
  '--bytecode',
  '--format=esm',
  '--splitting',
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
  '--compile-exec-argv=--use-system-ca',
]

/** Compiles one file to one program; the output of the compiler is the reason of the error. */
export async function compile(entry: string, outfile: string, options: readonly string[] = flags): Promise<void> {
  const { code, output } = await shell(bun, ['build', ...options, `--outfile=${outfile}`, entry], { quiet: true })
  if (code !== 0) throw new Error(`cannot compile ${entry}\n${output}`)
}

async function build(name: string, target?: string): Promise<void> {
  const start = performance.now()
  const outfile = join(root, 'dist', name)
  await compile(join(root, 'src', 'main.ts'), outfile, [...flags, ...(target ? [`--target=bun-${target}`] : [])])
  say(`dist/${name}  ${(statSync(outfile).size / 1e6).toFixed(1)} MB  ${seconds(start)}`)
}

async function main(): Promise<void> {
  await install()
  mkdirSync(join(root, 'dist'), { recursive: true })
  const windows = process.platform === 'win32'
  try {
    if (!process.argv.includes('--all')) return await build(windows ? 'cloudtoken.exe' : 'cloudtoken')
    for (const target of targets) {
      await build(`cloudtoken-${target}${target.startsWith('windows') ? '.exe' : ''}`, target)
    }
  } catch (error) {
    stop(error instanceof Error ? error.message : String(error))
  }
}

if (import.meta.main) await main()
