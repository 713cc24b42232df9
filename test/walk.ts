/**
 * A sign-in with some provider against a strict script, or a strict simulator.
 */
import { expect } from 'bun:test'
import { isFailure, type Failure } from '../src/errors.ts'
import type { Provider } from '../src/provider.ts'
import { testContext, type TestContext, type TestContextOptions } from './context.ts'
import { samlResponse, withFakeIdp, type Step } from './fake-idp.ts'

export interface Run extends TestContextOptions {
  readonly script: readonly Step[]
  /** Path of the address in the settings. */
  readonly entry?: string
}

export interface Walker {
  /** Signs in and brings home the response that every simulator sends. */
  succeeds(run: Run): Promise<TestContext>
  fails(run: Run): Promise<Failure & { readonly made: TestContext }>
}

export function walker(provider: Provider, password: string): Walker {
  const go = (run: Run): Promise<{ made: TestContext; outcome: unknown }> =>
    withFakeIdp(run.script, async idp => {
      const settings = { url: `${idp.origin}${run.entry ?? '/start'}`, ...run.settings }
      const made = await testContext({ password, ...run, settings })
      return { made, outcome: await provider.authenticate(made.context).catch((error: unknown) => error) }
    })
  return {
    async succeeds(run) {
      const { made, outcome } = await go(run)
      if (outcome instanceof Error) throw outcome
      expect(outcome).toEqual({ kind: 'saml', response: samlResponse() })
      return made
    },
    async fails(run) {
      const { made, outcome } = await go(run)
      if (!isFailure(outcome)) throw outcome instanceof Error ? outcome : new Error('the sign-in succeeded')
      return Object.assign(outcome, { made })
    },
  }
}

export interface Outcome<I> {
  readonly made: TestContext
  /** `undefined`: the response that every simulator sends came home. */
  readonly error: Failure | undefined
  readonly idp: I
}

interface Simulator {
  readonly url: string
  /** Requests that did not fit. */
  readonly problems: readonly string[]
  stop(): Promise<void>
}

/** One sign-in at a simulator of its own, which may have seen nothing that it did not expect. */
export function signInAt<O, I extends Simulator>(
  provider: Provider,
  start: (options: O) => Promise<I>,
  usual: TestContextOptions['settings'] = {},
): (options: O, context?: TestContextOptions) => Promise<Outcome<I>> {
  return async (options, context = {}) => {
    const idp = await start(options)
    try {
      const settings = { url: idp.url, ...usual, ...context.settings }
      const made = await testContext({ password: 'correct horse', ...context, settings })
      const outcome = await provider.authenticate(made.context).catch((thrown: unknown) => thrown)
      // A request that did not fit explains whatever else went wrong.
      expect(idp.problems).toEqual([])
      if (isFailure(outcome)) return { made, error: outcome, idp }
      if (outcome instanceof Error) throw outcome
      expect(outcome).toEqual({ kind: 'saml', response: samlResponse() })
      return { made, error: undefined, idp }
    } finally {
      await idp.stop()
    }
  }
}

interface Visits<O, I> {
  signIn(options: O, context?: TestContextOptions): Promise<Outcome<I>>
  /** With one password. */
  succeeds(options: O, context?: TestContextOptions): Promise<Outcome<I>>
  fails(options: O, context?: TestContextOptions): Promise<Outcome<I>>
}

/** `signInAt` where it is known how it has to end. */
export function visits<O, I extends Simulator & { posts(): number }>(
  ...at: Parameters<typeof signInAt<O, I>>
): Visits<O, I> {
  const signIn = signInAt(...at)
  return {
    signIn,
    async succeeds(options, context) {
      const outcome = await signIn(options, context)
      if (outcome.error !== undefined) throw outcome.error
      expect(outcome.idp.posts()).toBe(1)
      return outcome
    },
    async fails(options, context) {
      const outcome = await signIn(options, context)
      expect(outcome.error).toBeDefined()
      return outcome
    },
  }
}
