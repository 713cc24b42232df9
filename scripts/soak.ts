/**
 * `bun run test:soak [SECONDS [KILLS]]`: an hour of a daemon in five minutes. Renewals all the time, a network with weather,
 * fifty readers; then the daemon is killed at random moments. Ends with 1 when anything went wrong.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from './demo-http.ts'
import { read } from './soak-readers.ts'
import { roles } from './soak-world.ts'
import { bun, install, root, say, shell, stop } from './tools.ts'

const [wall = 300, kills = 50] = process.argv.slice(2).map(Number)
const readers = 50
const inside = 'CLOUDTOKEN_SOAK'
let failed = 0

function line(good: boolean, text: string): void {
  if (!good) failed += 1
  say(`${good ? 'PASS' : 'FAIL'}  ${text}`)
}

async function weather(): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'cloudtoken-soak-'))
  const world = spawn(bun, [join(root, 'scripts', 'soak-world.ts')], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface(world.stdout)[Symbol.asyncIterator]()
  const { url, sts } = JSON.parse(String((await lines.next()).value)) as Record<string, string>
  writeFileSync(join(home, 'password'), 'secret\n', { mode: 0o600 })
  const listen = `127.0.0.1:${await freePort()}`
  const others = roles.slice(1).flatMap(role => ['--also-role', role])
  const words = [
    '-d',
    '--quiet',
    '--listen',
    listen,
    '--container-endpoint',
    '127.0.0.1:0',
    '--refresh-interval',
    '1',
    '--http-timeout',
    '5',
  ]
  const signIn = [
    '--url',
    url ?? '',
    '--username',
    'alice',
    '--password-file',
    join(home, 'password'),
    '--skip-keyring',
  ]
  const daemon = spawn(join(root, 'dist', 'cloudtoken'), [...words, '--role', roles[0] ?? '', ...others, ...signIn], {
    env: { PATH: process.env['PATH'], HOME: home, AWS_ENDPOINT_URL_STS: sts },
    stdio: 'ignore',
  })
  const base = `http://${listen}`
  const answers = (): Promise<boolean> =>
    fetch(`${base}/latest/meta-data/iam/security-credentials/`).then(
      answer => answer.ok,
      () => false,
    )
  for (let turn = 0; !(await answers()); turn += 1) {
    if (turn > 300) stop('the daemon does not serve')
    await delay(50)
  }
  world.stdin.write('storm\n')
  const ending = new AbortController()
  const reading = read(base, readers, ending.signal)
  const memory: number[] = []
  for (let second = 0; second < wall; second += 1) {
    await delay(1000)
    memory.push(Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))?.[1]) / 1024)
  }
  ending.abort()
  const seen = await reading
  world.stdin.end()
  const counted = JSON.parse(String((await lines.next()).value)) as Record<string, number>
  const alive = daemon.exitCode === null
  daemon.kill('SIGTERM')
  if (alive) await once(daemon, 'exit')
  rmSync(home, { recursive: true, force: true })

  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
  const tenths = Array.from({ length: 10 }, (_, index) =>
    mean(memory.slice((index * memory.length) / 10, ((index + 1) * memory.length) / 10)).toFixed(0),
  )
  const { renewals = 0, storms = 0, passwords = 0 } = counted
  line(
    alive && renewals > wall,
    `${renewals} renewals in ${wall} s, ${storms} storms, ${passwords} sign-ins with the password`,
  )
  line(seen.reads > wall * readers, `${seen.reads} reads by ${readers} readers, ${seen.sets} different sets`)
  for (const kind of ['expired', 'torn', 'refused', 'broken'] as const) line(seen[kind] === 0, `${seen[kind]} ${kind}`)
  if (seen.first) say(`      the first: ${seen.first}`)
  line(seen.p99 < 50, `p99 ${seen.p99.toFixed(1)} ms`)
  // When garbage is collected is the runtime's affair, and moves the single tenth by as much.
  const half = memory.length / 2
  const [early, late] = [mean(memory.slice(memory.length / 10, half)), mean(memory.slice(half))]
  line(
    late / early <= 1.1,
    `memory ${late.toFixed(1)} MB in the second half ÷ ${early.toFixed(1)} MB in the first; in tenths of the time ${tenths.join(' ')}`,
  )
}

/** Where nothing else is: neither another metadata service nor the sockets of others. */
async function inNamespace(): Promise<number> {
  await install()
  if ((await shell(bun, ['scripts/build.ts'])).code !== 0) stop('the build failed')
  const self = [join(root, 'scripts', 'soak.ts'), String(wall), String(kills)]
  const within = ['-n', 'sh', '-c', 'ip link set lo up && exec "$0" "$@"', bun, ...self]
  return (await shell('unshare', within, { env: { [inside]: 'yes' } })).code
}

if (process.geteuid?.() !== 0) stop('the soak needs root, for a network namespace of its own')
if (process.env[inside] === undefined) process.exit(await inNamespace())
await weather()
if ((await shell(bun, [join(root, 'scripts', 'soak-kills.ts'), String(kills)])).code !== 0) failed += 1
process.exit(failed === 0 ? 0 : 1)
