/**
 * From the keys of a user to what a chain of roles begins with, or to a session of the user. A session that took a code is
 * kept until it ends, so that renewals need no other code.
 */
import { isRoleArn, parseArn, partitions, roleOfSession } from './arn.ts'
import { chainFromKeys, type Chain } from './chain.ts'
import { failure, isFailure } from './errors.ts'
import { readFields } from './json.ts'
import { keepSecret } from './log.ts'
import { codeFor, hasCode } from './mfa-code.ts'
import type { Settings } from './options.ts'
import type { Attempt } from './pipeline.ts'
import { keepKey } from './provider-keys.ts'
import type { Secrets } from './provider.ts'
import { callerIdentity, getSessionToken, type CallerIdentity } from './sts.ts'
import type { StsOptions } from './sts-call.ts'
import { awsTime, isKey, parseTime } from './tokens.ts'
import type { AccessKey, Credentials, KeySource } from './types.ts'

export interface KeyExchange {
  readonly settings: Settings
  readonly chain: Chain
  readonly secrets: Secrets
  /** Whose keys they are, as AWS said earlier in this run. */
  readonly known: Map<string, CallerIdentity>
}

export interface Beginning {
  /** Good for signing; where no role follows, good for everything. */
  readonly first: Credentials
  readonly chain: Chain
}

const minute = 60_000
const maxCodes = 3
/** What AWS gives a user by default, and what a working day needs. */
const userSeconds = 43_200
const file = 'mfa-session'

/** Fails with kind `sts` where AWS does not take the keys, with `person` where a code is needed and nobody can be asked. */
export async function beginWithKeys(
  source: KeySource,
  exchange: KeyExchange,
  attempt: Attempt,
  sts: StsOptions,
): Promise<Beginning> {
  const { settings, known, secrets } = exchange
  const { key, from } = source
  keepSecret(key.secretAccessKey)
  if (key.sessionToken) keepSecret(key.sessionToken)
  if (source.mfaSerial !== undefined && key.sessionToken) {
    const message = `${from} has the key of a session, and codes go with the key of a user`
    throw failure('config', message, { hint: 'leave out --mfa-serial' })
  }
  const role = settings.role
  if (role !== undefined && !isRoleArn(role)) {
    throw failure('usage', `keys have no list of roles to find ${JSON.stringify(role)} in`, {
      hint: '--role arn:aws:iam::ACCOUNT:role/NAME',
    })
  }
  const roles = [...source.roles, ...(role === undefined ? [] : [{ roleArn: role }])]
  const chain = chainFromKeys(exchange.chain, roles, settings.sessionDuration)
  const home = homeOf(chain, settings.region ?? source.region)
  const who = known.get(key.accessKeyId) ?? (await callerIdentity({ ...key, roleArn: home }, sts))
  known.set(key.accessKeyId, who)
  const first = key.sessionToken
    ? givenSession(source, who, chain, sts.now())
    : chain.hops.length > 0 && source.mfaSerial === undefined
      ? signer(key, who, sts.now())
      : await userSession(source, who, chain, exchange, attempt, sts)
  if (source.typed && !(await keepKey(secrets, key))) {
    sts.log.warn('the access key is not kept: there is no keyring', '--secret-store passphrase keeps it encrypted')
  }
  return { first, chain }
}

/** Keys sign what follows. Nothing goes on from them by itself: the next sign-in has them again. */
function signer(key: AccessKey, { arn, account }: CallerIdentity, now: number): Credentials {
  const at = new Date(now)
  const { accessKeyId, secretAccessKey, sessionToken = '' } = key
  const assumed = arn.includes(':assumed-role/') ? { assumedRoleArn: arn } : {}
  return {
    accessKeyId,
    secretAccessKey,
    sessionToken,
    expiration: key.expiration ?? at,
    issued: at,
    roleArn: roleOfSession(arn),
    accountId: account,
    ...assumed,
  }
}

function givenSession({ key, from }: KeySource, who: CallerIdentity, chain: Chain, now: number): Credentials {
  const { expiration } = key
  if (expiration && expiration.getTime() <= now) {
    throw failure('person', `the session of ${from} ended at ${awsTime(expiration)}`, { hint: 'get a new one there' })
  }
  if (!expiration && chain.hops.length === 0) {
    throw failure('config', `the session of ${from} does not say when it ends`, {
      hint: 'AWS_CREDENTIAL_EXPIRATION, or a role to go on to: --chain ROLE_ARN',
    })
  }
  return signer(key, who, now)
}

async function userSession(
  source: KeySource,
  who: CallerIdentity,
  chain: Chain,
  { settings, secrets }: KeyExchange,
  attempt: Attempt,
  sts: StsOptions,
): Promise<Credentials> {
  const { key, mfaSerial } = source
  const direct = chain.hops.length === 0
  const about = { key, userArn: who.arn, durationSeconds: (direct && settings.sessionDuration) || userSeconds }
  if (mfaSerial === undefined) return await getSessionToken({ ...sts, ...about })
  if (!/^[\w+=/:,.@-]{9,256}$/.test(mfaSerial)) {
    throw failure('usage', `${JSON.stringify(mfaSerial)} is no MFA device`, {
      hint: '--mfa-serial arn:aws:iam::ACCOUNT:mfa/NAME',
    })
  }
  const enough = attempt.mode === 'login' ? 15 * minute : direct ? 5 * minute : minute
  const kept = readKept(await secrets.read(file), key, mfaSerial, who)
  const now = sts.now()
  // Handed out anew: its age does not make it worse, and renewals go by that.
  if (kept && kept.expiration.getTime() - now > enough) return { ...kept, issued: new Date(now) }
  const session = await withCode(source, mfaSerial, attempt, settings, sts, code =>
    getSessionToken({ ...sts, ...about, mfa: { serial: mfaSerial, code } }),
  )
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = session
  const text = { of: key.accessKeyId, mfaSerial, accessKeyId, secretAccessKey, sessionToken }
  await secrets.write(file, JSON.stringify({ ...text, expiration: awsTime(expiration) }))
  return session
}

async function withCode(
  { from }: KeySource,
  serial: string,
  { mode, ask, signal }: Attempt,
  settings: Settings,
  { log }: StsOptions,
  work: (code: string) => Promise<Credentials>,
): Promise<Credentials> {
  const sent: string[] = []
  for (;;) {
    if (mode === 'refresh' && !hasCode({ settings, mode })) {
      throw failure('person', `a new session of ${from} needs a code of ${serial}`, {
        hint: 'cloudtoken',
        code: 'mfa-needed',
      })
    }
    const question = { host: serial, label: 'MFA code', sent }
    const code = await codeFor({ settings, mode, ask, signal, log }, question)
    sent.push(code)
    try {
      return await work(code)
    } catch (error) {
      const refused =
        isFailure(error) && error.code === 'AccessDenied' && /MultiFactorAuthentication/.test(error.message)
      if (!refused) throw error
      const message = `AWS refused the code of ${serial}`
      if (sent.length === maxCodes || (ask.interactive === false && !hasCode({ settings, mode }))) {
        throw failure('refused', message, {
          hint: 'is it the right device, and is its clock right?',
          code: 'mfa-refused',
        })
      }
      ask.tell(message)
    }
  }
}

function readKept(
  text: string | undefined,
  { accessKeyId: of }: AccessKey,
  mfaSerial: string,
  who: CallerIdentity,
): Credentials | undefined {
  const kept = readFields(text)
  const { accessKeyId, secretAccessKey, sessionToken } = kept
  const expiration = parseTime(String(kept['expiration']))
  if (kept['of'] !== of || kept['mfaSerial'] !== mfaSerial) return undefined
  if (!isKey(accessKeyId) || !isKey(secretAccessKey) || !isKey(sessionToken) || !expiration) return undefined
  keepSecret(secretAccessKey)
  keepSecret(sessionToken)
  const { arn: roleArn, account: accountId } = who
  return { accessKeyId, secretAccessKey, sessionToken, expiration, issued: expiration, roleArn, accountId }
}

/** An ARN in the partition of the keys: that of the first role, else of the region. */
function homeOf({ hops }: Chain, region: string | undefined): string {
  const ofRole = parseArn(hops[0]?.role ?? '')?.partition
  const ofRegion = partitions.find(({ regions }) => region !== undefined && regions.test(region))?.name
  return `arn:${ofRole ?? ofRegion ?? 'aws'}:iam::000000000000:root`
}
