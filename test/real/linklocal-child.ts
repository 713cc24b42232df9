/**
 * A process that takes the given steps inside the namespace it was started in, one line of JSON after each:
 * `bun linklocal-child.ts FOLDER add guard wait`.
 */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import process from 'node:process'
import { isFailure } from '../../src/errors.ts'
import { addAddress, linkStatus, metadataAddress, removeAddress, repair } from '../../src/linklocal.ts'
import { startGuardProcess, type GuardProcess } from '../../src/linklocal-guard.ts'
import { hasAddress, linkDeps } from '../../src/linklocal-platform.ts'
import { dropPrivileges, findUser } from '../../src/privilege.ts'
import { receiveHandover, takeHandover } from '../../src/privilege-sudo.ts'

const { argv, handover } = takeHandover(process.argv.slice(2))
const [folder = '', ...steps] = argv
const deps = linkDeps({ folder })
let guard: GuardProcess | undefined

const actions: Record<string, () => unknown> = {
  has: () => hasAddress(metadataAddress, deps),
  add: () => addAddress(metadataAddress, deps),
  keep: () => addAddress(metadataAddress, deps, { keep: true }),
  remove: () => removeAddress(metadataAddress, deps),
  repair: () => repair(deps),
  status: () => linkStatus(metadataAddress, deps),
  guard: async () => {
    guard = await startGuardProcess(metadataAddress, deps)
    return guard.pid
  },
  'kill-guard': () => guard && process.kill(guard.pid, 'SIGKILL'),
  release: () => guard?.release(),
  listen: () =>
    new Promise<void>((resolve, reject) => {
      const server = createServer().listen(80, metadataAddress, resolve)
      server.on('error', reject)
      server.unref()
    }),
  child: () => spawn('sleep', ['30'], { stdio: 'inherit', detached: true }).pid,
  drop: async () => {
    const user = await findUser({ systemUsername: 'nobody', env: {} })
    if (user) dropPrivileges(user)
  },
  'drop-to-caller': async () => {
    const user = await findUser({ env: process.env })
    if (user) dropPrivileges(user)
    if (handover) receiveHandover(handover)
  },
  env: () => ({ ...process.env }),
  threads: () => {
    const wanted = /^(Uid|Gid|Groups|CapPrm|CapEff):/
    const lines = readdirSync('/proc/self/task').flatMap(task =>
      readFileSync(`/proc/self/task/${task}/status`, 'utf8')
        .split('\n')
        .filter(line => wanted.test(line)),
    )
    return [...new Set(lines.map(line => line.replaceAll(/\s+/g, ' ').trim()))].sort()
  },
  regain: () => {
    const ways = [() => process.setuid?.(0), () => process.seteuid?.(0), () => process.setgid?.(0)]
    return ways.filter(way => {
      try {
        way()
        return true
      } catch {
        return false
      }
    }).length
  },
  wait: () => new Promise(resolve => setTimeout(resolve, 30_000)),
}

for (const step of steps) {
  if (step === 'wait') process.stdout.write(`${JSON.stringify({ step, result: process.pid })}\n`)
  try {
    const result = await actions[step]?.()
    process.stdout.write(`${JSON.stringify({ step, result })}\n`)
  } catch (error) {
    const shown = isFailure(error)
      ? { kind: error.kind, code: error.code, message: error.message, hint: error.hint }
      : String(error)
    process.stdout.write(`${JSON.stringify({ step, failure: shown })}\n`)
  }
}
