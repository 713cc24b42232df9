/**
 * `-d --background`: both sides of it.
 */
import path from 'node:path'
import process from 'node:process'
import { createAccessLog } from './access-log.ts'
import { openFront, type Behind } from './background.ts'
import { createContext, optionsOnly, sessionOf, type Context, type Flags } from './command-context.ts'
import { announce, closing, endOnSignals, orWait, prepare, unlessEnded, warnAboutShadows } from './command-serve.ts'
import { addressName } from './control-place.ts'
import { failureValue } from './control.ts'
import { exitCodes, isFailure, messageOf } from './errors.ts'
import { openLogFile } from './files.ts'
import type { Paths } from './paths.ts'
import { openGate, type Gate } from './gate.ts'
import type { Listen } from './guard.ts'
import { createLog } from './log.ts'
import { dropPrivileges, findUser, isRoot } from './privilege.ts'
import { replaceEnvironment } from './privilege-sudo.ts'
import { parseListen } from './serve.ts'
import { awsTime } from './tokens.ts'

/** In front: the sign-in, with the terminal. */
export async function lead(context: Context, behind: Behind, ending: AbortController): Promise<number> {
  warnAboutShadows(context)
  await behind.prepare({ ...context.env })
  const session = await sessionOf(context)
  const { takeAndExport } = await import('./command-take.ts')
  const first = await unlessEnded(orWait(context, takeAndExport(context, session, ending.signal)), ending.signal)
  if (!first) return 130
  const { file, lines } = await behind.serve({ first, carried: session.carried() })
  announce(context, behind.url, lines)
  context.log.info(`it goes on in the background and writes to ${file}`)
  return 0
}

/** Behind: everything but the terminal. */
export async function behind(flags: Flags): Promise<number> {
  const front = openFront()
  const settings = optionsOnly(flags, {})
  let write = (name: 'out' | 'err', text: string): void => front.send({ [name]: text })
  const output = { stdout: (text: string) => write('out', text), stderr: (text: string) => write('err', text) }
  const log = createLog({ ...output, quiet: settings.quiet, debug: settings.debug })
  const ending = endOnSignals()
  let alone = false
  try {
    const user = isRoot() ? await findUser({ systemUsername: settings.systemUsername, env: process.env }) : undefined
    const accessLog = settings.quiet ? undefined : createAccessLog(log.access)
    const { ipv6, force } = settings
    const gate = await openGate({ listen: parseListen(settings.listen), ipv6, force, log, accessLog })
    return await closing(gate, async () => {
      front.send({ step: 'open', url: gate.url })
      const env = await unlessEnded(front.environment(), ending.signal)
      if (env === undefined) return 130
      if (user) dropPrivileges(user)
      replaceEnvironment(env)
      return await serve(gate)
    })
  } catch (error) {
    if (alone) log.error(messageOf(error), isFailure(error) ? error.hint : undefined)
    else front.send({ failure: failureValue(error) })
    return isFailure(error) ? exitCodes[error.kind] : exitCodes.unexpected
  }

  async function serve(gate: Gate): Promise<number> {
    const say = write
    // What there is to say about the options was said in front.
    write = () => {}
    const context = await createContext(flags, process.env, output)
    write = say
    const prepared = await prepare(context, gate, ending)
    try {
      front.send({ step: 'prepared' })
      const handedOver = await unlessEnded(front.handedOver(), ending.signal)
      if (!handedOver) return 130
      const { first, carried } = handedOver
      prepared.session.goOn(carried)
      const lines = prepared.show(first)
      const file = logFile(context.paths, gate.listen)
      const append = openLogFile(file)
      front.send({ step: 'serving', log: file, lines })
      alone = true
      write = (_, text) => append(withTime(text))
      log.print(`serving ${isFailure(first) ? 'no role yet' : first.role.roleArn} at ${gate.url}`)
      await prepared.run(first)
      log.print('ended')
      return 0
    } finally {
      await prepared.close()
    }
  }
}

/** Where a daemon in the background writes what it has to say. */
export function logFile(paths: Paths, listen: Listen): string {
  return path.join(paths.state, 'log', `${addressName(listen)}.log`)
}

function withTime(text: string): string {
  const time = awsTime(new Date())
  return text.replaceAll(/^(?=.)/gm, `${time} `)
}
