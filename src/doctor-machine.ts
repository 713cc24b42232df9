/**
 * The clock, the way to AWS, and the place for passwords.
 */
import { regionFor, partitions, stsEndpoint } from './arn.ts'
import { ok, type Env, type Finding } from './doctor.ts'
import { isFailure, messageOf } from './errors.ts'
import { openNetwork } from './http-network.ts'
import { createHttp } from './http.ts'
import type { Keyring } from './keyring.ts'
import type { Log } from './log.ts'
import type { Settings } from './options.ts'
import { inFiles } from './vault.ts'

/** AWS refuses signatures that are more than five minutes off. */
const tolerated = 5 * 60_000
const noticed = 60_000

/** By the Date of an answer of STS, which needs no sign-in. */
export async function judgeClock(env: Env, settings: Settings, log: Log): Promise<Finding> {
  const [aws] = partitions
  const url = env['AWS_ENDPOINT_URL_STS'] ?? (aws ? stsEndpoint(aws, regionFor(aws, settings.region)) : '')
  const http = createHttp({ network: openNetwork(settings, env), timeoutMs: 5000, log })
  try {
    await http.request({ url, method: 'HEAD' })
  } catch (error) {
    const hint = (isFailure(error) && error.hint) || 'check the network and HTTPS_PROXY'
    return { check: 'network', verdict: 'problem', message: `STS cannot be reached: ${messageOf(error)}`, hint }
  }
  return judgeSkew(http.skewMs(), new URL(url).host)
}

/** `skew`: how far the other clock is ahead, ms. */
export function judgeSkew(skew: number | undefined, host: string): Finding {
  const check = 'clock'
  if (skew === undefined) return ok(check, `${host} does not say what time it is`)
  const seconds = Math.round(Math.abs(skew) / 1000)
  const message = `this machine is ${seconds} s ${skew > 0 ? 'behind' : 'ahead of'} ${host}`
  if (Math.abs(skew) < noticed) return ok(check, `the time is that of ${host}`)
  const hint = 'let the system set its clock: timedatectl set-ntp true'
  return { check, verdict: Math.abs(skew) < tolerated ? 'warning' : 'problem', message, hint }
}

export async function judgeKeyring(keyring: Keyring, { secretStore }: Pick<Settings, 'secretStore'>): Promise<Finding> {
  const check = 'keyring'
  if (inFiles(secretStore) || secretStore === 'none') return ok(check, `not in use: --secret-store ${secretStore}`)
  if (await keyring.available()) return ok(check, 'passwords can be kept in the keyring of this system')
  const message =
    'no keyring answers: the password is asked for whenever the session at the identity provider has ended'
  return {
    check,
    verdict: 'warning',
    message,
    hint: 'install secret-tool (libsecret), cloudtoken --secret-store passphrase, or --password-file FILE',
  }
}
