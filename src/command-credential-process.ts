/**
 * `credential-process` for ~/.aws/config: one JSON object on stdout, remembered for the quick path of `main`.
 *
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
 */
import type { Context } from './command-context.ts'
import { obtainCredentials } from './command-obtain.ts'
import { isFailure, messageOf } from './errors.ts'
import { writeFile } from './files.ts'
import { modified, quickFile, type QuickAnswer } from './quick.ts'
import { dueAt } from './renewal.ts'
import { awsTime } from './tokens.ts'

/** `words`: the command's own, as the quick path will meet them again. */
export async function credentialProcessCommand(context: Context, words: readonly string[]): Promise<number> {
  const { settings, env, log } = context
  const { credentials, dependsOn, session } = await obtainCredentials(context)
  const output = `${JSON.stringify({
    Version: 1,
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    SessionToken: credentials.sessionToken,
    Expiration: awsTime(credentials.expiration),
    AccountId: credentials.accountId,
  })}\n`
  log.write(output)
  const place = session.ephemeral ? undefined : quickFile(words, env)
  if (place) {
    const answer: QuickAnswer = {
      key: place.key,
      until: Math.min(
        dueAt(credentials, settings.refreshInterval, 0),
        credentials.expiration.getTime() - settings.minTtl * 1000,
      ),
      files: dependsOn.map(file => [file, modified(file)] as const),
      output,
    }
    try {
      writeFile(place.file, JSON.stringify(answer))
    } catch (error) {
      // Who asked has the answer already; the next one takes longer.
      log.warn(messageOf(error), isFailure(error) ? error.hint : undefined)
    }
  }
  return 0
}
