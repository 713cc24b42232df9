/**
 * `whoami`: GetCallerIdentity with the credentials of the last run.
 */
import path from 'node:path'
import type { Context } from './command-context.ts'
import { failure } from './errors.ts'
import { readText } from './files.ts'
import { createHttp } from './http.ts'
import { openNetwork } from './http-network.ts'
import { callerIdentity } from './sts.ts'
import { awsTime, fromTokens, localTime } from './tokens.ts'

export async function whoamiCommand({ settings, paths, env, clock, log }: Context): Promise<number> {
  const file = settings.jsonTokens ?? path.join(paths.config, 'tokens.json')
  const credentials = fromTokens(readText(file) ?? '')
  if (!credentials) throw failure('role', `there are no credentials in ${file}`, { hint: 'cloudtoken' })
  const until = awsTime(credentials.expiration)
  if (credentials.expiration.getTime() <= clock.now()) {
    throw failure('role', `the credentials in ${file} ended at ${localTime(credentials.expiration)}`, {
      hint: 'cloudtoken',
    })
  }
  const { account, arn, userId } = await callerIdentity(credentials, {
    region: settings.region,
    env,
    now: () => clock.now(),
    http: createHttp({ network: openNetwork(settings, env), log }),
    log,
  })
  if (settings.json) log.print(JSON.stringify({ account, arn, userId, expiration: until }, undefined, 2))
  else for (const line of [arn, `account ${account}`, `until ${localTime(credentials.expiration)}`]) log.print(line)
  return 0
}
