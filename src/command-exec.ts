/**
 * `exec`: a command with credentials, in its environment or, with `--serve`, from an endpoint of its own.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import type { Context } from './command-context.ts'
import { serveChild } from './command-exec-serve.ts'
import { obtainCredentials } from './command-obtain.ts'
import { failure, isFailure } from './errors.ts'
import type { Log } from './log.ts'
import { handOver, withoutSecrets } from './run.ts'
import { awsTime } from './tokens.ts'
import type { Credentials } from './types.ts'

type Env = Readonly<Record<string, string | undefined>>

/** `argv`: the words in long form; the command stands behind `--`. */
export async function execCommand(context: Context, argv: readonly string[]): Promise<number> {
  const [program, ...args] = commandIn(argv)
  if (!program) {
    throw failure('usage', 'the command to run is missing', { hint: 'cloudtoken exec -- aws sts get-caller-identity' })
  }
  const { env, settings, log, flags } = context
  // Before anybody is asked for a password. Windows has endings to try; there the start itself finds out.
  if (process.platform !== 'win32' && fileOf(program, env) === undefined) return report(log, notFound(program))
  const obtained = await obtainCredentials(context)
  const { kept, cleared } = withoutCredentials(env)
  const region = settings.region === undefined ? {} : regionVariables(settings.region)
  const start = (own: Env): Promise<number> => {
    const foreign = cleared.filter(name => own[name] === undefined)
    if (foreign.length > 0) log.info(`the command does not see ${foreign.join(', ')}`)
    return startProgram(context, program, args, { ...kept, ...region, ...own })
  }
  if (flags['serve'] === true) return await serveChild(context, obtained, start)
  return await start(keyVariables(obtained.credentials))
}

function commandIn(argv: readonly string[]): readonly string[] {
  const split = argv.includes('--') ? argv.indexOf('--') : argv.length
  const early = argv.slice(0, split).filter(word => !word.startsWith('-'))
  const command = argv.slice(split + 1)
  if (early.length === 0) return command
  const hint = `cloudtoken exec -- ${[...early, ...command].join(' ')}`
  throw failure('usage', 'the command stands behind --', { hint })
}

async function startProgram(
  { log, env }: Context,
  program: string,
  args: readonly string[],
  childEnv: Env,
): Promise<number> {
  try {
    return await handOver(program, args, childEnv)
  } catch (error) {
    if (!isFailure(error) || error.code === undefined) throw error
    return report(log, whyNot(program, error.code, env))
  }
}

/** `code` is 127 or 126, as every shell answers. */
interface Reason {
  readonly message: string
  readonly hint?: string
  readonly code: number
}

function report(log: Log, { message, hint, code }: Reason): number {
  log.error(message, hint)
  return code
}

function notFound(program: string): Reason {
  return { message: `${program}: command not found`, code: 127 }
}

function whyNot(program: string, code: string, env: Env): Reason {
  const file = fileOf(program, env)
  if (file === undefined) return notFound(program)
  if (code === 'ENOEXEC') {
    const hint = `cloudtoken exec -- sh ${program}`
    return { message: `${file} is neither a program nor a script that says what runs it`, hint, code: 126 }
  }
  if (code === 'E2BIG')
    return { message: `arguments and environment of ${program} are too long for this system`, code: 126 }
  const hint = `ls -l ${file}, and what its first line names`
  return { message: `${file} cannot be executed (${code})`, hint, code: 126 }
}

/** Where the program should be, whether or not it can run. */
function fileOf(program: string, env: Env): string | undefined {
  const folders = /[\\/]/.test(program) ? [''] : (env['PATH'] ?? '').split(path.delimiter)
  return folders.map(folder => path.join(folder, program)).find(file => existsSync(file))
}

function keyVariables(credentials: Credentials): Env {
  return {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SESSION_TOKEN: credentials.sessionToken,
    AWS_CREDENTIAL_EXPIRATION: awsTime(credentials.expiration),
    AWS_ACCOUNT_ID: credentials.accountId,
  }
}

function regionVariables(region: string): Env {
  return { AWS_REGION: region, AWS_DEFAULT_REGION: region }
}

/**
 * Whatever an SDK would take for credentials, or for the place to get them; old names too. No password of ours either.
 * `cleared` names those of AWS.
 */
function withoutCredentials(env: Env): { kept: Env; cleared: readonly string[] } {
  const cleared = Object.keys(env)
    .filter(name => credentialVariable.test(name))
    .toSorted()
  const kept = Object.entries(withoutSecrets(env)).filter(([name]) => !cleared.includes(name))
  return { kept: Object.fromEntries(kept), cleared }
}

const credentialVariable = new RegExp(
  `^AWS_(${[
    ...['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'SESSION_TOKEN', 'ACCESS_KEY', 'SECRET_KEY', 'ACCOUNT_ID'],
    ...['SECURITY_TOKEN', 'DELEGATION_TOKEN', 'CREDENTIAL_EXPIRATION', 'CREDENTIAL_FILE', 'BEARER_TOKEN_\\w+'],
    ...['EXPIRATION', 'EXPIRATION_TIMESTAMP', 'LASTUPDATED', 'ROLE_NAME'],
    ...['PROFILE', 'DEFAULT_PROFILE', 'ROLE_ARN', 'ROLE_SESSION_NAME', 'WEB_IDENTITY_TOKEN_FILE', 'CONTAINER_\\w+'],
  ].join('|')})$`,
)
