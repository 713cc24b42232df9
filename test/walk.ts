/**
 * A sign-in with some provider against a strict script, or a strict simulator.
 */
import { expect } from 'bun:test'
import { isFailure, type Failure } from '../src/errors.ts'
import type { Provider } from '../src/provider.ts'
import { testContext, type TestContext, type TestContextOptions } from './context.ts'
import { samlResponse, withFakeIdp, type Step } from './fake-idp.ts'
import type { SimulatedIdp } from './provider.case.ts'

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

export interface Outcome<Idp> {
  readonly made: TestContext
  /** `undefined` after a success. */
  readonly error: unknown
  /** Stopped, with all that it saw. */
  readonly idp: Idp
}

/** One sign-in with a simulator, as `jane` with the right password. A request that did not fit fails it. */
export function signer<
  Options,
  Idp extends Pick<SimulatedIdp, 'stop'> & { readonly url: string; readonly problems: readonly string[] },
>(
  provider: Provider,
  start: (options: Options) => Promise<Idp>,
  usual: TestContextOptions['settings'] = {},
): (options: Options, context?: TestContextOptions) => Promise<Outcome<Idp>> {
  return async (options, context = {}) => {
    const idp = await start(options)
    const settings = { url: idp.url, ...usual, ...context.settings }
    const made = await testContext({ password: 'correct horse', ...context, settings })
    const error = await provider
      .authenticate(made.context)
      .then(
        assertion => expect(assertion).toEqual({ kind: 'saml', response: samlResponse() }),
        (thrown: unknown) => thrown,
      )
      .finally(() => idp.stop())
    // It explains whatever else went wrong.
    expect(idp.problems).toEqual([])
    if (error !== undefined && !isFailure(error)) throw error
    return { made, error, idp }
  }
}
