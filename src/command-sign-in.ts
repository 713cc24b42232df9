/**
 * The bare command: sign in, choose a role, hand the credentials to the exporters. `-l` and `-n` stop at the list.
 */
import { roleLines, chooseRole, filterRoles, isNamed } from './roles.ts'
import { accountOf } from './arn.ts'
import { sessionOf, type Context } from './command-context.ts'
import { chooseAtTerminal } from './command-picker.ts'
import { unlockDaemons } from './daemon-control.ts'
import { failure } from './errors.ts'
import type { Log } from './log.ts'
import type { Offer } from './session-offer.ts'
import type { Session } from './session.ts'
import { awsTime, localTime } from './tokens.ts'
import type { Credentials, Role } from './types.ts'

export async function signInCommand(context: Context): Promise<number> {
  const signal = new AbortController().signal
  const session = await sessionOf(context)
  const { settings, log } = context
  const loud = settings.ciEnv ? 'ci-env' : settings.dryRun ? 'dry-run' : undefined
  if (settings.json && loud) throw failure('usage', `--json does not go with --${loud}, which prints its own`)
  if (settings.list || settings.numbersOnly) return await listRoles(context, session, signal)
  // A program that reads the result has no use for the transcript; a person may still want to see it.
  const seen = settings.json ? { ...context, log: { ...log, print: toStderr(log), write: log.access } } : context
  const { credentials } = await takeRole(seen, session, signal)
  await session.export(credentials, false)
  await unlockDaemons(context.env, context.paths, context.vault)
  const url = await consoleUrlOf(context, credentials)
  if (settings.json) log.print(JSON.stringify({ ...resultOf(credentials), ...(url && { url }) }, undefined, 2))
  else {
    if (url) log.print(`Sign-In URL: ${url}`)
    log.info(`credentials until ${localTime(credentials.expiration)}`)
  }
  return 0
}

export interface Taken {
  readonly credentials: Credentials
  readonly role: Role
  /** Good for other roles too, as long as it lives; absent where the sign-in brought credentials. */
  readonly offer?: Offer
}

function toStderr(log: Log): Log['print'] {
  return line => log.access(`${line}\n`)
}

/** What the run came to, without a secret. */
function resultOf({ roleArn, accountId, assumedRoleArn, expiration }: Credentials): object {
  return { roleArn, accountId, assumedRoleArn: assumedRoleArn ?? null, expiration: awsTime(expiration) }
}

/** The older spelling of `console`: beside the credentials, the URL is opened, printed, or both; answers what to print. */
async function consoleUrlOf(context: Context, credentials: Credentials): Promise<string | undefined> {
  const { generateUrl, openUrl } = context.settings
  if (!generateUrl && !openUrl) return undefined
  const { makeUrl, openInBrowser } = await import('./command-console.ts')
  const url = await makeUrl(context, credentials)
  if (openUrl) await openInBrowser(context, url)
  return generateUrl ? url : undefined
}

/** Signs in, settles the role with the transcript's words, and assumes it. */
export async function takeRole(
  context: Context,
  session: Session,
  signal: AbortSignal,
  mode: 'login' | 'refresh' = 'login',
): Promise<Taken> {
  const signedIn = await session.signIn(mode, signal)
  if (signedIn.kind === 'credentials') {
    const { credentials } = signedIn
    context.log.print(`Using role ${credentials.roleArn}`)
    const { sourceRole, roleArn, samlProvider } = credentials
    return { credentials, role: sourceRole ?? { roleArn, providerArn: samlProvider ?? '' } }
  }
  const { offer } = signedIn
  const role = await settleRole(context, session, offer, mode)
  const credentials = await offer.take(role, mode, signal)
  session.rememberRole(role)
  context.log.print(`Using role ${role.roleArn}`)
  if (credentials.roleArn !== role.roleArn) context.log.print(`Using role ${credentials.roleArn}`)
  return { credentials, role, offer }
}

async function settleRole(context: Context, session: Session, offer: Offer, mode: 'login' | 'refresh'): Promise<Role> {
  const { settings, log } = context
  const again = settings.refresh || (mode === 'refresh' && !isNamed(settings))
  const last = again ? session.lastRole() : undefined
  if (settings.refresh && !last) throw failure('role', 'there is no last role to take again', { hint: 'cloudtoken' })
  const wanted = { last, role: settings.role, roleNumber: settings.roleNumber, filter: settings.filter }
  for (const warning of offer.warnings) log.debug(warning)
  const choice = chooseRole(await offer.roles(wanted), wanted)
  if (choice.role) {
    if (choice.auto) log.print(`Auto selecting matching role: ${choice.role.roleArn}`)
    return choice.role
  }
  if (mode === 'refresh') throw failure('person', 'a role has to be chosen', { hint: 'cloudtoken' })
  log.print('Available roles to choose from:')
  const piped = await readNumber(context, choice.menu)
  if (piped) return piped
  return await chooseAtTerminal(context, session, offer, choice.menu)
}

/** The announcement's list and question, answered by a line of stdin; `undefined` when none comes and a terminal is there. */
async function readNumber({ log, terminal }: Context, roles: readonly Role[]): Promise<Role | undefined> {
  if (terminal.interactive && !terminal.piped) return undefined
  for (const text of [...roleLines(roles), '', '']) log.print(text)
  for (;;) {
    log.write('Enter number of role you want: ')
    const line = await terminal.readLine()
    log.print(line ?? '')
    if (line === undefined) break
    const role = /^\d{1,6}$/.test(line.trim()) ? roles[Number(line.trim()) - 1] : undefined
    if (role) return role
    log.print('Select a valid option.')
  }
  if (terminal.interactive) return undefined
  throw failure('person', 'a role has to be chosen, and there is neither a terminal nor a number on stdin', {
    hint: `cloudtoken --role ${roles[0]?.roleArn ?? 'ARN'}`,
  })
}

async function listRoles({ settings, config, log }: Context, session: Session, signal: AbortSignal): Promise<number> {
  const signedIn = await session.signIn('login', signal)
  if (signedIn.kind === 'credentials')
    throw failure('role', 'this sign-in brings one set of credentials, not a list of roles')
  const { offer } = signedIn
  const all = await offer.roles()
  const roles = settings.filter ? filterRoles(all, settings.filter) : all
  const names = await offer.names(config.accounts)
  if (settings.json)
    log.print(
      JSON.stringify(
        roles.map((role, index) => described(role, index + 1, names)),
        undefined,
        2,
      ),
    )
  else if (settings.numbersOnly) for (const index of roles.keys()) log.print(String(index + 1))
  else for (const line of roleLines(roles, names)) log.print(line)
  return 0
}

function described(role: Role, number: number, names: ReadonlyMap<string, string>): object {
  const account = accountOf(role.roleArn)
  return {
    number,
    roleArn: role.roleArn,
    providerArn: role.providerArn || null,
    account,
    accountName: names.get(account) ?? null,
  }
}
