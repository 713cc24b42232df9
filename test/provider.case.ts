/**
 * What every form-driven provider promises, run against a simulator of its identity provider.
 */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { failure, isFailure } from '../src/errors.ts'
import type { Provider } from '../src/provider.ts'
import { testContext, type TestContext, type TestContextOptions } from './context.ts'
import { samlResponse } from './fake-idp.ts'

export interface SimulatedIdp {
  readonly origin: string
  /** Requests that did not fit where the sign-in stood. */
  readonly problems?: readonly string[]
  /** How often a password arrived. */
  posts(): number
  /** `strange`: every page is one that nobody understands. */
  become(mode: 'fine' | 'locked' | 'strange'): void
  endSessions(): void
  stop(): Promise<void>
}

/** The simulator knows `jane` with the password `correct horse`. */
export function providerCase(
  name: string,
  provider: Provider,
  start: () => Promise<SimulatedIdp & { readonly url: string }>,
): void {
  describe(`${name}: every provider`, () => {
    let idp: Awaited<ReturnType<typeof start>>
    beforeEach(async () => {
      idp = await start()
    })
    afterEach(async () => {
      await idp.stop()
      expect(idp.problems ?? []).toEqual([])
    })

    const make = (options: TestContextOptions = {}): Promise<TestContext> =>
      testContext({ password: 'correct horse', ...options, settings: { url: idp.url, ...options.settings } })
    const signIn = async (options?: TestContextOptions): Promise<TestContext> => {
      const made = await make(options)
      expect(await provider.authenticate(made.context)).toEqual({ kind: 'saml', response: samlResponse() })
      return made
    }
    const failsWith = async (options?: TestContextOptions): Promise<{ made: TestContext; error: unknown }> => {
      const made = await make(options)
      const error = await provider.authenticate(made.context).catch((thrown: unknown) => thrown)
      expect(isFailure(error)).toBe(true)
      return { made, error }
    }

    test('brings a SAMLResponse home with one password', async () => {
      const made = await signIn()
      expect([made.passwords(), idp.posts()]).toEqual([1, 1])
    })

    test('a wrong password is sent exactly once and told from other failures', async () => {
      const { error } = await failsWith({ password: 'wrong horse' })
      expect(error).toMatchObject({ kind: 'refused', code: 'password-refused', hint: 'cloudtoken --password-prompt' })
      expect(idp.posts()).toBe(1)
    })

    test('a locked account is sent no second password', async () => {
      idp.become('locked')
      expect((await failsWith()).error).toMatchObject({ kind: 'refused', code: 'account-locked' })
      expect(idp.posts()).toBe(1)
    })

    test('a living session needs no password', async () => {
      const first = await signIn()
      const second = await signIn({ earlier: first, mode: 'refresh' })
      expect([second.passwords(), second.asked.length, idp.posts()]).toEqual([0, 0, 1])
    })

    test('a dead session in the background asks nobody', async () => {
      const { password: _, ...nobody } = { password: undefined }
      const first = await signIn()
      idp.endSessions()
      const made = await testContext({ ...nobody, settings: { url: idp.url }, earlier: first, mode: 'refresh' })
      const error = await provider.authenticate(made.context).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
      expect([made.asked.length, idp.posts()]).toEqual([0, 1])
    })

    test('a page that is not understood is named and kept', async () => {
      idp.become('strange')
      const { made, error } = await failsWith()
      expect(error).toMatchObject({ kind: 'network', code: 'page-unknown' })
      expect(String(error)).toContain('/state/page.html')
      expect(made.files.has('page.html')).toBe(true)
      await provider.forget?.(made.context)
      expect([...made.files.keys()]).toEqual([])
    })

    test('an identity provider that is down is a matter of the network', async () => {
      await idp.stop()
      const { made, error } = await failsWith()
      expect(error).toMatchObject({ kind: 'network' })
      expect(made.passwords()).toBe(0)
    })

    test('no secret is logged, told, stored or part of a failure', async () => {
      const wrong = await failsWith({ password: 'wrong horse' })
      const right = await signIn()
      const everything =
        JSON.stringify([wrong.made, right].map(made => [made.logged, made.told, [...made.files]])) + String(wrong.error)
      for (const secret of ['wrong horse', 'correct horse', samlResponse()]) expect(everything).not.toContain(secret)
      expect(everything).toContain(': credentials')
    })

    test('without an address it says which setting is missing', async () => {
      const { context } = await testContext()
      expect(await provider.authenticate(context).catch((thrown: unknown) => thrown)).toMatchObject({
        kind: 'config',
        hint: expect.stringContaining('cloudtoken --url'),
      })
    })
  })
}

type StartFactor = () => Promise<Pick<SimulatedIdp, 'posts' | 'problems' | 'stop'> & { readonly url: string }>

export interface FactorCase {
  /** An approval on another device: given, refused, never answered. Absent where there are only codes. */
  readonly push?: Readonly<Record<'given' | 'refused' | 'silent', StartFactor>>
  /** A page that takes the code `123456`. */
  readonly code: StartFactor
  /** A wrong code ends the sign-in. */
  readonly once?: true
}

/** What every provider with second factors promises beyond that. */
export function factorCase(name: string, provider: Provider, { push, code, once }: FactorCase): void {
  describe(`${name}: every second factor`, () => {
    const run = async (
      start: StartFactor,
      options: TestContextOptions = {},
      change: (made: TestContext) => TestContext['context'] = ({ context }) => context,
    ): Promise<{ made: TestContext; outcome: unknown; posts: number }> => {
      const idp = await start()
      try {
        const all = { url: idp.url, ...options.settings }
        const made = await testContext({ password: 'correct horse', ...options, settings: all })
        const outcome = await provider.authenticate(change(made)).catch((thrown: unknown) => thrown)
        return { made, outcome, posts: idp.posts() }
      } finally {
        await idp.stop()
        expect(idp.problems ?? []).toEqual([])
      }
    }
    const success = { kind: 'saml', response: samlResponse() }

    test('a code is asked for, and shown nowhere', async () => {
      const wrong = once ? [] : ([['', '000000']] as const)
      const { made, outcome } = await run(code, { answers: [...wrong, ['', '123456']] })
      expect(outcome).toEqual(success)
      const everything = JSON.stringify([made.logged, made.told, [...made.files]])
      for (const secret of ['000000', '123456', 'correct horse']) expect(everything).not.toContain(secret)
    })

    test('who cancels the question is not asked again', async () => {
      let questions = 0
      const cancel = (): Promise<never> => {
        questions += 1
        return Promise.reject(failure('cancelled', 'cancelled'))
      }
      const { outcome } = await run(code, {}, ({ context }) => ({
        ...context,
        ask: { ...context.ask, text: cancel, secret: cancel },
      }))
      expect(outcome).toMatchObject({ kind: 'cancelled' })
      expect(questions).toBe(1)
    })

    if (push) {
      test('an approval is waited for, and said to be', async () => {
        const { made, outcome } = await run(push.given)
        expect(outcome).toEqual(success)
        expect([made.asked, made.told.length > 0]).toEqual([[], true])
      })

      test('a refusal and a silence are told apart, and neither sends the password again', async () => {
        for (const [start, expected] of [
          [push.refused, 'mfa-refused'],
          [push.silent, 'mfa-timeout'],
        ] as const) {
          const { outcome, posts } = await run(start)
          expect(outcome).toMatchObject({ kind: 'refused', code: expected })
          expect(posts).toBe(1)
        }
      })

      test('an abort ends the wait', async () => {
        const stop = new AbortController()
        const { outcome } = await run(push.silent, {}, ({ context }) => ({
          ...context,
          signal: stop.signal,
          clock: { ...context.clock, sleep: async () => stop.abort(new Error('enough')) },
          // Some wait in one request, which the host ends.
          ask: { ...context.ask, tell: () => stop.abort(new Error('enough')) },
        }))
        expect(String(outcome)).toContain('enough')
      })
    }

    test('in the background any is the end of the session, and nobody is asked', async () => {
      for (const start of [push?.given ?? [], code].flat()) {
        const { made, outcome } = await run(start, { mode: 'refresh', settings: { mfaCode: '123456' } })
        expect(outcome).toMatchObject({ kind: 'person', code: 'idp-session-ended', hint: 'cloudtoken' })
        expect([made.asked, made.told]).toEqual([[], []])
      }
    })
  })
}
