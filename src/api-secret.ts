/**
 * Passwords and codes for APIs, by the rules of the pages: to approved hosts alone, a password once, a code never twice.
 */
import { codeOfText, formFailure } from './form-failure.ts'
import { readMemory, remember } from './form-memory.ts'
import { place } from './form-text.ts'
import { allowHost, hide, passwordOf, type Walk } from './form-walk.ts'
import type { Page } from './html.ts'
import { codeFor, type CodeQuestion } from './mfa-code.ts'

const maxCodes = 3

/** The password, to be sent to `target` now; `page` is the one that asks for it, if any. */
export async function passwordFor(walk: Walk, page: Page | undefined, target: URL): Promise<string> {
  if (walk.passwords.has(target.host)) throw refusedAgain(walk, target.host)
  if (walk.context.mode === 'refresh' && readMemory(walk.context.store).choices[pushKey(target.host)]) {
    throw formFailure('idp-session-ended', `${target.host} sends a push as soon as it has the password`)
  }
  await allowHost(walk, target)
  const password = await passwordOf(walk)
  walk.context.log.debug(`${place(target.href)}: credentials`)
  walk.passwords.set(target.host, page)
  walk.last = 'password'
  return password
}

const pushKey = (host: string): string => `${host} push`

/** Keeps in mind that the password alone makes a phone ring here: in the background it is not sent again. */
export function pushFollows({ context: { store } }: Walk, host: string): void {
  if (readMemory(store).choices[pushKey(host)]) return
  remember(store, memory => ({ choices: { ...memory.choices, [pushKey(host)]: 'at once' } }))
}

export function passwordRefused(host: string, said = ''): Error {
  return formFailure('password-refused', `${host} refused the user name or the password${said && `: ${said}`}`)
}

/** A refusal by the words that are known everywhere; without any, a 401 is about the password. */
export function apiRefusal(host: string, status: number, said: string): Error {
  const code = codeOfText(said)
  const words = said && `: ${said}`
  // There is no page whose state could be lost.
  if (code !== undefined && code !== 'state-lost') return formFailure(code, `${host} refused the sign-in${words}`)
  if (status === 401) return passwordRefused(host, said)
  return formFailure('idp-error', `${host} refused the sign-in (status ${status})${words}`)
}

/** What it means that the password is asked for again. */
export function refusedAgain({ last }: Walk, host: string, said = ''): Error {
  if (last !== 'code') return passwordRefused(host, said)
  return formFailure('mfa-refused', `${host} refused the second factor, and begins again${said && `: ${said}`}`)
}

/** In the background nobody is there for a second factor, and none is begun. */
export function personFor({ context }: Walk, host: string): void {
  if (context.mode === 'refresh') throw formFailure('idp-session-ended', `${host} wants a second factor`)
}

/** Asks for codes until one is taken: `send` answers with `done`, or with the words of the refusal. */
export async function typeCodes<T>(
  walk: Walk,
  target: URL,
  question: Omit<CodeQuestion, 'host' | 'sent'>,
  send: (code: string) => Promise<{ readonly done: T } | { readonly refused: string }>,
): Promise<T> {
  const { context } = walk
  const { host } = target
  personFor(walk, host)
  await allowHost(walk, target)
  for (let tries = 1; ; tries += 1) {
    const code = hide(walk, await codeFor(context, { ...question, host, sent: walk.secrets }))
    walk.last = 'code'
    const outcome = await send(code)
    if ('done' in outcome) return outcome.done
    const message = `${host} refused the one-time code${outcome.refused && `: ${outcome.refused}`}`
    if (tries === maxCodes) throw formFailure('mfa-refused', message)
    context.ask.tell(message)
  }
}
