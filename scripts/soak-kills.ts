/**
 * The daemon at 169.254.169.254 itself, killed at any moment: the address goes with it, and the next start works. As root in
 * a network namespace of its own, where `scripts/soak.ts` starts it.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { startDemoIdp } from './demo-idp.ts'
import { startDemoSts } from './demo-sts.ts'
import { root, say, seconds } from './tools.ts'

const address = '169.254.169.254'
const role = 'arn:aws:iam::123456789012:role/soak'
const isThere = (): boolean =>
  Object.values(networkInterfaces()).some(all => all?.some(each => each.address === address))

/** Milliseconds until it is so; `undefined` after `patience`. */
async function timeUntil(look: () => boolean | Promise<boolean>, patience: number): Promise<number | undefined> {
  const begin = performance.now()
  while (performance.now() - begin < patience) {
    if (await look()) return performance.now() - begin
    await delay(5)
  }
  return undefined
}

async function serves(): Promise<boolean> {
  const url = `http://${address}/latest/meta-data/iam/security-credentials/`
  return await fetch(url).then(
    answer => answer.ok,
    () => false,
  )
}

if (import.meta.main) {
  const begin = performance.now()
  const times = Number(process.argv[2] ?? 50)
  const home = mkdtempSync(join(tmpdir(), 'cloudtoken-kills-'))
  const idp = await startDemoIdp({ alice: { password: 'secret', roles: [role] } })
  const sts = await startDemoSts()
  writeFileSync(join(home, 'password'), 'secret\n', { mode: 0o600 })
  const signIn = ['--url', idp.url, '--username', 'alice', '--password-file', join(home, 'password'), '--skip-keyring']
  const start = (): ChildProcess =>
    spawn(join(root, 'dist', 'cloudtoken'), ['-d', '--quiet', ...signIn], {
      env: { PATH: process.env['PATH'], HOME: home, AWS_ENDPOINT_URL_STS: sts.origin },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  const problems: string[] = []
  let slowest = 0
  let withAddress = 0
  for (let turn = 1; turn <= times; turn += 1) {
    const child = start()
    const ended = once(child, 'exit')
    // Any moment from before it has the address to well after it serves.
    await delay(Math.random() * 800)
    const had = isThere()
    if (had) withAddress += 1
    child.kill('SIGKILL')
    await ended
    const gone = await timeUntil(() => !isThere(), 5000)
    if (gone === undefined || gone > 1000) problems.push(`kill ${turn}: the address stayed for ${gone ?? 'good'} ms`)
    slowest = Math.max(slowest, gone ?? Infinity)
    if (turn % 5 !== 0 && turn !== times) continue
    const next = start()
    const nextEnded = once(next, 'exit')
    if ((await timeUntil(serves, 20_000)) === undefined) problems.push(`start after kill ${turn}: it does not serve`)
    next.kill('SIGTERM')
    await nextEnded
    if (isThere()) problems.push(`stop after kill ${turn}: the address is still there`)
  }
  await idp.stop()
  await sts.stop()
  rmSync(home, { recursive: true, force: true })
  for (const problem of problems) say(problem)
  const what = `${times} times killed with SIGKILL, ${withAddress} of them with the address; gone within ${Math.round(slowest)} ms`
  say(`${problems.length === 0 ? 'PASS' : 'FAIL'}  ${what}, ${seconds(begin)}`)
  process.exit(problems.length === 0 ? 0 : 1)
}
