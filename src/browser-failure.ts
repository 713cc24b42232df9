/**
 * Why a browser brought no response, for the person to read.
 */
import type { InstalledBrowser } from './browser-find.ts'
import type { Sight } from './browser-watch.ts'
import { failure, type Failure } from './errors.ts'
import { formFailure } from './form-failure.ts'
import { clean, place } from './form-text.ts'
import type { ProviderContext } from './provider.ts'

const reasons: readonly (readonly [RegExp, string])[] = [
  [/NAME_NOT_RESOLVED|DNS/, 'dns'],
  [/CONNECTION_REFUSED/, 'refused'],
  [/CERT|SSL/, 'tls'],
  [/TIMED_OUT/, 'timeout'],
]

export function unreachable(host: string, errorText: string): Failure {
  const code = reasons.find(([pattern]) => pattern.test(errorText))?.[1] ?? 'unreachable'
  return failure('network', `the browser cannot open ${host}: ${clean(errorText, 80)}`, { code })
}

/** What it means that a page without a window does not go on. */
export function stuck(context: ProviderContext, entry: URL, sight: Sight): Failure {
  const host = URL.canParse(sight.url) ? new URL(sight.url).host : entry.host
  if (sight.url.startsWith('chrome-error:')) return unreachable(entry.host, 'it shows an error page of its own')
  if (sight.status < 400 || sight.asks) return sessionEnded(context, entry, sight)
  return formFailure(
    'idp-error',
    `${host} answered with status ${sight.status}: ${clean(sight.title, 100) || 'no title'}`,
  )
}

export function sessionEnded({ settings, mode }: ProviderContext, { host }: URL, sight: Sight | undefined): Failure {
  const shows = sight ? `: ${place(sight.url)} shows “${clean(sight.title, 100) || 'a page without a title'}”` : ''
  const hint = mode === 'login' && settings.headless ? 'the same without --headless' : 'cloudtoken'
  return formFailure(
    'idp-session-ended',
    `the session at ${host} has ended and signing in again needs a person${shows}`,
    hint,
  )
}

export function overdue(limit: number): Failure {
  return failure('person', `nobody has signed in within ${limit / 1000} s`, {
    code: 'browser-timeout',
    hint: 'cloudtoken --browser-timeout SECONDS',
  })
}

export function busy(cause: Failure): Failure {
  const message = 'another cloudtoken is signing in to the same account with the browser'
  const hint = 'finish there first, or close its window'
  return failure('config', message, { code: 'browser-busy', hint, cause })
}

export function closed(): Failure {
  const message = 'the browser window was closed before the sign-in was done'
  return failure('cancelled', message, { code: 'browser-closed', hint: 'cloudtoken' })
}

export function crashed({ name }: InstalledBrowser): Failure {
  return failure('unexpected', `${name} ended in the middle of the sign-in`, { code: 'browser-failed' })
}
