/**
 * `exec --serve`: the command gets a container endpoint of its own, renewed for as long as it runs. The token, and copies of
 * the shared AWS files where theirs would win over the endpoint, lie in a private folder that goes with it.
 */
import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { awsFile, nameIn } from './aws-files.ts'
import type { Context } from './command-context.ts'
import { renewObtained, type Obtained } from './command-obtain.ts'
import { createContainer, type Grant } from './container.ts'
import { report, troubleOf } from './daemon.ts'
import { codeOf } from './errors.ts'
import { makePrivate, readBytes, remove, writeFile } from './files.ts'
import type { Paths } from './paths.ts'
import { readSection, sectionNames, setSection } from './ini.ts'
import { createCall } from './notify.ts'
import { modified } from './quick.ts'
import { callFor, keepFresh, type RenewalState } from './renewal.ts'
import { run } from './run.ts'
import { serveMetadata } from './serve.ts'

type Env = Readonly<Record<string, string | undefined>>

export async function serveChild(
  context: Context,
  obtained: Obtained,
  start: (variables: Env) => Promise<number>,
): Promise<number> {
  const container = createContainer()
  const server = await serveMetadata({
    listen: { hostname: '127.0.0.1', port: 0 },
    guard: { ownNamesOnly: true, onRefuse: reason => context.log.debug(reason) },
    handler: container.handler,
  })
  const folder = privateFolder(context.paths, context.clock.now())
  const over = new AbortController()
  let copies: readonly Copy[] = []
  try {
    copies = copiesWithoutDefault(context, folder)
    const grant = container.grant(obtained.credentials.roleArn)
    const renewing = renew(context, obtained, grant, over.signal)
    const tokenFile = path.join(folder, 'token')
    // To the last byte what the header says: SDKs refuse a line end in it.
    writeFile(tokenFile, grant.token)
    const code = await start({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: server.url + grant.path,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: tokenFile,
      ...Object.fromEntries(copies.map(({ variable, copy }) => [variable, copy])),
    })
    over.abort()
    await renewing
    return code
  } finally {
    over.abort()
    for (const one of copies) keepChanged(context, one)
    remove(folder)
    await server.stop()
  }
}

/** The terminal belongs to the command: what goes wrong is told once, not at every attempt. */
async function renew(
  context: Context,
  { credentials, session }: Obtained,
  grant: Grant,
  signal: AbortSignal,
): Promise<void> {
  const { clock, settings, log, env } = context
  let held = credentials
  let before: RenewalState | undefined
  const call = createCall(run, process.platform, env)
  await keepFresh(credentials, {
    clock,
    signal,
    interval: settings.refreshInterval,
    renew: ending => renewObtained(context, session, held, ending),
    lastSignIn: () => session.lastSignIn(),
    onState(state) {
      held = state.credentials ?? held
      grant.show({ credentials: held, ...troubleOf(state) })
      const told = before?.lastError !== undefined && before.needsPerson === state.needsPerson
      if (state.lastError === undefined || !told) report(state, log)
      call(callFor(state))
      before = state
    },
  })
}

/** One for each run; what processes that were killed have left goes on the way. */
function privateFolder(paths: Paths, now: number): string {
  const top = path.join(paths.state, 'exec')
  makePrivate(top)
  for (const name of readdirSync(top)) {
    // A day, because a container with the same home does not show its processes here.
    const old = modified(path.join(top, name)) < now - 86_400_000
    if (old && !isRunning(Number.parseInt(name, 10))) remove(path.join(top, name))
  }
  const folder = path.join(top, `${process.pid}-${randomBytes(4).toString('hex')}`)
  makePrivate(folder)
  return folder
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

interface Copy {
  readonly variable: string
  /** What it is a copy of. */
  readonly file: string
  readonly copy: string
  readonly bytes: Buffer
}

/** What the command wrote to its copy, `aws configure` for one, stays beside the file. */
function keepChanged({ log }: Context, { file, copy, bytes }: Copy): void {
  const now = readBytes(copy)
  if (!now || now.equals(bytes)) return
  const place = `${file}.of-${path.basename(path.dirname(copy))}`
  writeFile(place, now)
  log.warn(`the command changed its copy of ${file}: it is in ${place}`, `diff ${file} ${place}`)
}

/**
 * SDKs ask an endpoint only when `[default]` in the shared files offers nothing. Where it does, the command gets a copy
 * without that, and every other line as it is.
 */
function copiesWithoutDefault({ env, paths, log }: Context, folder: string): readonly Copy[] {
  const copies: Copy[] = []
  for (const [variable, name] of sharedFiles) {
    const file = awsFile(variable, name, paths, env)
    const text = readBytes(file)?.toString('latin1') ?? ''
    const without = sectionNames(text)
      .filter(section => nameIn(section) === 'default')
      .filter(section => offers.some(key => readSection(text, section)?.has(key)))
      .reduce((rest, section) => setSection(rest, section, nothing), text)
    if (without === text) continue
    const copy = path.join(folder, name)
    const bytes = Buffer.from(without, 'latin1')
    writeFile(copy, bytes)
    copies.push({ variable, file, copy, bytes })
    log.info(`the command sees a copy of ${file} without the credentials of [default]`)
  }
  return copies
}

const sharedFiles = [
  ['AWS_SHARED_CREDENTIALS_FILE', 'credentials'],
  ['AWS_CONFIG_FILE', 'config'],
] as const

/** https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html */
const offers = [
  ...['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token', 'credential_process', 'login_session'],
  ...['role_arn', 'source_profile', 'credential_source', 'web_identity_token_file'],
  ...['sso_session', 'sso_start_url', 'sso_account_id', 'sso_role_name'],
]
const nothing = Object.fromEntries(offers.map(key => [key, undefined]))
