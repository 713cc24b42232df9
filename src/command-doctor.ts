/**
 * `doctor`: what makes clients miss the daemon, and what stands in the way of a sign-in. It changes nothing.
 */
import process from 'node:process'
import { createContext, optionsOnly, type Context, type Flags } from './command-context.ts'
import { judgeAddress } from './doctor-address.ts'
import { judgeEnvironment } from './doctor-environment.ts'
import { judgeFiles } from './doctor-files.ts'
import { judgeClock, judgeKeyring } from './doctor-machine.ts'
import { problem, type Finding } from './doctor.ts'
import { findPaths } from './paths.ts'
import { whyNotWritable } from './files.ts'
import { planOf } from './identity.ts'
import { createLog, type Log } from './log.ts'
import { unknownExporter } from './pipeline.ts'
import { notLoadable } from './plugins.ts'

/** 0 without a problem, else 1. */
export async function doctorCommand(flags: Flags): Promise<number> {
  const { env } = process
  const settings = optionsOnly(flags, env)
  const log = createLog({ debug: settings.debug, quiet: settings.quiet })
  const paths = findPaths(env, settings.configDir)
  const { daemons, found } = await judgeAddress(env, paths)
  const url = daemons[0]?.status.url
  found.push(...judgeEnvironment(env, url), ...judgeFiles(paths, env, url !== undefined, Date.now()))
  const { context, findings } = await judgeConfiguration(flags)
  found.push(...findings, await judgeClock(env, context?.settings ?? settings, log))
  if (context) found.push(await judgeKeyring(context.keyring, context.settings), ...(await judgeSignIn(context)))
  report(found, flags['json'] === true, log)
  return found.some(({ verdict }) => verdict === 'problem') ? 1 : 0
}

async function judgeConfiguration(flags: Flags): Promise<{ context?: Context; findings: Finding[] }> {
  const check = 'configuration'
  try {
    const context = await createContext(flags)
    const { file } = context.config
    const message = file === undefined ? `no config.yaml in ${context.paths.config}` : `${file} can be read`
    const unwritable = whyNotWritable(context.paths.state)
    const findings = unwritable ? [problem(check, unwritable)] : []
    const missing = unknownExporter(planOf(context.config, context.settings), context.plugins)
    if (missing !== undefined) findings.push(problem(check, notLoadable(missing)))
    return { context, findings: [...findings, { check, verdict: 'ok', message }] }
  } catch (error) {
    return { findings: [problem(check, error)] }
  }
}

/** Where nobody configured a sign-in there is none to judge. */
async function judgeSignIn(context: Context): Promise<Finding[]> {
  const plan = planOf(context.config, context.settings)
  if (plan.provider === undefined && plan.guess === undefined && plan.auth.length === 0) {
    const hint = 'cloudtoken --url URL; to keep it: cloudtoken init --url URL, or url: in config.yaml'
    return [{ check: 'identity', verdict: 'warning', message: 'no identity provider is configured', hint }]
  }
  const { judgeIdentity } = await import('./doctor-identity.ts')
  return await judgeIdentity({ ...context, plan })
}

function report(found: readonly Finding[], json: boolean, log: Log): void {
  if (json) return log.print(JSON.stringify(found, undefined, 2))
  for (const { check, verdict, message, hint } of found) {
    log.print(`${verdict.padEnd(9)}${check}: ${message}`)
    if (hint !== undefined) log.print(`${' '.repeat(9)}${hint}`)
  }
  const count = (wanted: Finding['verdict'], name: string): string => {
    const number = found.filter(({ verdict }) => verdict === wanted).length
    return `${number} ${name}${number === 1 ? '' : 's'}`
  }
  log.print(`${count('problem', 'problem')}, ${count('warning', 'warning')}`)
}
