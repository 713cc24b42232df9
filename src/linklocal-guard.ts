/**
 * The guard process: a small root shell that outlives the daemon by a moment and takes the address away.
 *
 * It waits for the end of a pipe that only the daemon holds. The system closes that pipe however the daemon ends,
 * SIGKILL and a crash included, and after the daemon gave up root it could not remove the address itself.
 */
import type { ChildProcess } from 'node:child_process'
import { failure, messageOf } from './errors.ts'
import { readText } from './files.ts'
import { hasAddress, linkDeps, platformOf, rootEnv, toolCommand, type LinkDeps } from './linklocal-platform.ts'
import { readRecord, recordFile } from './linklocal-record.ts'

export interface GuardProcess {
  readonly pid: number
  /** Lets the guard do its work and waits for it, 3 s at most; then the address is gone. Needs no root. */
  release(): Promise<void>
}

/**
 * `$1` the record, `$2` its line while it is still ours, then the command that removes the address; more than once, since
 * the one that adds it may have outlived the daemon. Signals that a
 * terminal or a service manager sends to everybody are not for the guard: it ends when the daemon has ended.
 */
const script = `
trap '' INT TERM HUP QUIT
echo ready
exec >/dev/null
while read -r _; do :; done
record=$1 ours=$2
shift 2
for turn in 1 2 3 4 5; do
  IFS= read -r now <"$record" && [ "$now" = "$ours" ] || exit 0
  if "$@"; then rm -f "$record"; exit 0; fi
  sleep 0.1
done
`

const powershell = [
  "[Console]::Out.WriteLine('ready'); [Console]::Out.Flush()",
  '$null = [Console]::In.ReadToEnd()',
  '$record = $env:CLOUDTOKEN_RECORD',
  'if ((Get-Content -LiteralPath $record -TotalCount 1) -ne $env:CLOUDTOKEN_LINE) { exit 0 }',
  '$line = ConvertFrom-Json $env:CLOUDTOKEN_COMMAND',
  '$rest = @($line | Select-Object -Skip 1)',
  '& $line[0] @rest',
  'if ($LASTEXITCODE -eq 0) { Remove-Item -LiteralPath $record }',
].join('; ')

/** What is started, as an argument list: values go in as positional parameters or variables, never into the script. */
export function guardCommand(
  address: string,
  ours: string,
  deps: LinkDeps,
): { command: string; args: string[]; env: Record<string, string> } {
  const remove = toolCommand(platformOf(deps.platform).remove(address), deps)
  const record = recordFile(address, deps)
  if (deps.platform !== 'win32') {
    const args = ['-c', script, 'cloudtoken-guard', record, ours, ...remove]
    return { command: '/bin/sh', args, env: rootEnv(deps) }
  }
  const [command, ...options] = toolCommand(['powershell.exe', '-NoProfile', '-NonInteractive'], deps)
  const values = { CLOUDTOKEN_RECORD: record, CLOUDTOKEN_LINE: ours, CLOUDTOKEN_COMMAND: JSON.stringify(remove) }
  return { command, args: [...options, '-Command', powershell], env: { ...rootEnv(deps), ...values } }
}

/** The pipe must not be closed because nobody refers to the child any more. */
const guards = new Set<ChildProcess>()

/**
 * To be called as root, as `beforeAdding` of `addAddress` or after it said `added`. Resolves when the guard is at its post. It does not keep the
 * event loop of the daemon alive.
 */
export async function startGuardProcess(address: string, deps: LinkDeps = linkDeps()): Promise<GuardProcess> {
  const ours = readText(recordFile(address, deps))?.trimEnd()
  if (ours === undefined || readRecord(address, deps)?.pid !== deps.pid) {
    throw failure('unexpected', `${address} was not added by this process`)
  }
  const { command, args, env } = guardCommand(address, ours, deps)
  // Detached: a session of its own, out of reach of the terminal and of signals to the daemon's process group.
  const cwd = deps.platform === 'win32' ? deps.folder : '/'
  const child = deps.start(command, args, {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
    windowsHide: true,
    cwd,
    env,
  })
  const ended = new Promise<void>(resolve => child.once('exit', () => resolve()))
  // A guard that somebody killed closes the pipe; release() will tell.
  child.stdin?.on('error', () => {})
  child.on('error', () => {})
  guards.add(child)
  await ready(child, address)
  child.unref()
  return {
    pid: child.pid ?? 0,
    async release() {
      child.ref()
      child.stdin?.end()
      await Promise.race([ended, timeout(3000)])
      guards.delete(child)
      if (readText(recordFile(address, deps))?.trimEnd() !== ours || !(await hasAddress(address, deps))) return
      const hint = 'sudo cloudtoken link down'
      throw failure('address', `${address} could not be removed`, { hint, code: 'address-left' })
    },
  }
}

function ready(child: ChildProcess, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(fail, 5000, 'the guard process does not answer')
    function settle(): void {
      clearTimeout(timer)
      child.off('error', failed)
      child.off('exit', ended)
      child.stdout?.destroy()
    }
    function fail(why: string): void {
      settle()
      child.stdin?.destroy()
      guards.delete(child)
      reject(failure('address', `cannot guard ${address}: ${why}`, { code: 'address-guard' }))
    }
    function failed(error: Error): void {
      fail(messageOf(error))
    }
    function ended(code: number | null): void {
      fail(`the guard process ended with exit code ${code ?? 'unknown'}`)
    }
    child.once('error', failed)
    child.once('exit', ended)
    child.stdout?.once('data', () => {
      settle()
      resolve()
    })
  })
}

/** Does not keep the process waiting for it. */
function timeout(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms).unref())
}
