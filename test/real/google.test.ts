/** Google's sign-in, simulated, with Chromium itself: a person signs in once, the session serves the renewals. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { google } from '../../src/provider-google.ts'
import { samlResponse } from '../fake-idp.ts'
import { startGoogle, type SimulatedGoogle } from '../idp-google.ts'
import { browserAttempt } from './browser-attempt.ts'
import { sitDown } from './chromium.ts'
import { present } from './present.ts'

const here = await present('chromium')

describe.skipIf(!here)('at Google', () => {
  const { DISPLAY } = process.env
  let folder: string
  let idp: SimulatedGoogle
  beforeEach(async () => {
    // A screen as far as the program knows; the wrapper of Chromium needs none.
    process.env['DISPLAY'] = ':none'
    folder = mkdtempSync(join(tmpdir(), 'cloudtoken-google-'))
    idp = await startGoogle()
  })
  afterEach(async () => {
    if (DISPLAY === undefined) delete process.env['DISPLAY']
    else process.env['DISPLAY'] = DISPLAY
    await idp.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  test('a person signs in; renewals need nobody until the session ends; no password is asked for', async () => {
    const attempt = browserAttempt(folder, idp.url, context => google.authenticate(context))
    const going = attempt.go({ settings: { url: idp.url } })
    const person = await sitDown(attempt.profile)
    await person.fills({ 'input[name=identifier]': 'jane@example.com' })
    await person.presses('#gaia_loginform button')
    await person.fills({ 'input[name=Passwd]': 'correct horse' })
    await person.presses('#gaia_loginform button')
    const { made, outcome } = await going
    person.leaves()
    expect(outcome).toEqual({ kind: 'saml', response: samlResponse() })
    expect([made.passwords(), made.asked, idp.problems]).toEqual([0, [], []])

    const refresh = { mode: 'refresh', settings: { url: idp.url } } as const
    expect((await attempt.go(refresh)).outcome).toEqual({ kind: 'saml', response: samlResponse() })
    idp.endSessions()
    expect((await attempt.go(refresh)).outcome).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
    expect(idp.problems).toEqual([])
  })

  test('who gives up is told of the other way', async () => {
    const attempt = browserAttempt(folder, idp.url, context => google.authenticate(context))
    const going = attempt.go({ settings: { url: idp.url } })
    const person = await sitDown(attempt.profile)
    await person.sees('input[name=identifier]')
    await person.closesTheWindow()
    expect((await going).outcome).toMatchObject({
      kind: 'cancelled',
      code: 'browser-closed',
      hint: expect.stringContaining('cloudtoken --saml-response FILE'),
    })
  })
})
