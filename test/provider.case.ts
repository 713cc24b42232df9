/**
 * What every form-driven provider promises, run against a simulator of its identity provider.
 */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { isFailure } from '../src/errors.ts'
import type { Provider } from '../src/provider.ts'
import { testContext, type TestContext, type TestContextOptions } from './context.ts'
import { samlResponse } from './fake-idp.ts'

export interface SimulatedIdp {
  readonly origin: string
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
    afterEach(() => idp.stop())

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
