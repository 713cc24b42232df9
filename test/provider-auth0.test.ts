/**
 * Auth0: what every provider promises, and its connections.
 */
import { expect, test } from 'bun:test'
import { auth0 } from '../src/provider-auth0.ts'
import { testContext, type TestContextOptions } from './context.ts'
import { samlResponse } from './fake-idp.ts'
import { startAuth0 } from './idp-auth0.ts'
import { providerCase } from './provider.case.ts'

providerCase('N14 auth0', auth0, () => startAuth0())

test('N14: of two connections one is asked for, once, or named', async () => {
  const idp = await startAuth0(['Staff', 'Guests'])
  const signIn = async (options: TestContextOptions): Promise<Awaited<ReturnType<typeof testContext>>> => {
    const settings = { url: idp.url, ...options.settings }
    const made = await testContext({ password: 'correct horse', ...options, settings })
    expect(await auth0.authenticate(made.context)).toEqual({ kind: 'saml', response: samlResponse() })
    return made
  }
  try {
    const first = await signIn({ answers: [['Staff, Guests', 'Guests']] })
    idp.endSessions()
    await signIn({ earlier: first, mode: 'refresh' })
    idp.endSessions()
    await signIn({ settings: { authSource: 'staff' } })
    expect([idp.connections, idp.problems]).toEqual([['Guests', 'Guests', 'Staff'], []])
  } finally {
    await idp.stop()
  }
})
