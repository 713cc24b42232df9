/**
 * Shibboleth by its pages, version 3 to 5: what every provider promises, and every view that may come in between.
 */
import { describe, expect, test } from 'bun:test'
import { shibboleth } from '../src/provider-shibboleth.ts'
import { testContext } from './context.ts'
import { awsAcs, page, redirect, responsePage, samlResponse } from './fake-idp.ts'
import { startAdfs } from './idp-adfs.ts'
import { startDuo } from './idp-duo.ts'
import { rightCode, startShibboleth, type SimulatedShibboleth } from './idp-shibboleth.ts'
import { factorCase, providerCase } from './provider.case.ts'
import { visits, walker } from './walk.ts'

for (const version of [3, 4, 5] as const) {
  providerCase(`S01 S04 S05 shibboleth ${version}`, shibboleth, () =>
    startShibboleth({ version, ...(version === 5 && { cookie: '__Host-JSESSIONID' }) }),
  )
}

const withDuo =
  (...statuses: Readonly<Record<string, unknown>>[]) =>
  async (): Promise<SimulatedShibboleth> => {
    const duo = await startDuo({
      kind: 'universal',
      statuses: [{ status_code: 'pushed' }, ...statuses],
      devices: onePhone,
    })
    const idp = await startShibboleth({ views: ['duo'], duo: duo.origin })
    return {
      ...idp,
      async stop() {
        await Promise.all([idp.stop(), duo.stop()])
        expect([...duo.problems, ...idp.problems]).toEqual([])
      },
    }
  }
const onePhone =
  '<select name="device"><option value="phone1">Phone</option></select><input type="hidden" name="factor" value="Duo Push">'
factorCase('S19 S20 shibboleth', shibboleth, {
  push: {
    given: withDuo({ status_code: 'allow' }),
    refused: withDuo({ status_code: 'deny' }),
    silent: withDuo({ status_code: 'pushed' }),
  },
  code: () => startShibboleth({ views: ['totp'] }),
})

const { succeeds, fails } = visits(shibboleth, startShibboleth)

describe('the entry', () => {
  const service = '/idp/profile/SAML2/Unsolicited/SSO'
  const { succeeds: walks } = walker(shibboleth, 'x')
  for (const [url, asked] of [
    ['/', `${service}?providerId=urn:amazon:webservices`],
    ['/sso/idp/', `/sso${service}?providerId=urn:amazon:webservices`],
    [service, `${service}?providerId=urn:amazon:webservices`],
    [`${service}?providerId=urn:x&target=%2Fa`, `${service}?providerId=urn:x&target=%2Fa`],
    ['/aws', '/aws'],
    ['/aws?x=1', '/aws?x=1'],
  ] as const) {
    test(url, () => walks({ entry: url, script: [{ on: asked, reply: responsePage() }] }))
  }
})

describe('storage, tokens and events', () => {
  test('S02 two keys: every field goes back, empty, with the token of its page', async () => {
    const { idp } = await succeeds({ keys: ['shib_idp_session_ss', 'shib_idp_persistent_ss'] })
    expect(idp.sent.map(({ execution }) => execution)).toEqual(['e1s1', 'e1s2', 'e1s3'])
    expect(new Set(idp.sent.map(({ fields }) => fields.get('csrf_token'))).size).toBe(3)
  })

  test('S01 S03 no storage, and one key with dots', async () => {
    await succeeds({ keys: [] })
    await succeeds({ keys: ['shib.idp.session.1'] })
  })

  test('S06 buttons of other flows before the one that proceeds', async () => {
    await succeeds({
      version: 3,
      extra:
        '<button type="submit" name="_eventId_authn/Duo">Duo</button><button type="submit" name="_eventId_authn/SPNEGO">Kerberos</button>',
    })
  })

  test('S07 sites that renamed fields and events', async () => {
    await succeeds({
      names: ['username', 'password'],
      event: {
        html: '<input type="hidden" name="_eventId" value="proceed"><input type="submit" value="Log in">',
        field: ['_eventId', 'proceed'],
      },
    })
    await succeeds({
      extra: '<input type="hidden" name="typeUser" value="staff">',
      event: { html: '<input type="submit" name="submit" value="Login">', field: ['typeUser', 'staff'] },
    })
  })

  test('S21 a second flow in the same session', async () => {
    const idp = await startShibboleth()
    const settings = { url: idp.url }
    const first = await testContext({ settings, password: 'wrong' })
    await shibboleth.authenticate(first.context).catch(() => undefined)
    const second = await testContext({ settings, password: 'correct horse', earlier: first })
    await shibboleth.authenticate(second.context)
    await idp.stop()
    expect(idp.problems).toEqual([])
    expect(idp.sent.at(-1)?.execution).toBe('e2s3')
  })

  test('S22 behind a prefix, with a cookie of the whole host', async () => {
    await succeeds({ prefix: '/sso/idp', cookie: '__Host-JSESSIONID' })
  })

  test('S17 a page that tries Kerberos first', async () => {
    await succeeds({ views: ['spnego'] })
  })

  for (const [name, response] of [
    [
      'single quotes',
      `<FORM METHOD=POST action='${awsAcs}'><INPUT value='${samlResponse()}'   name='SAMLResponse' type='hidden' ></FORM>`,
    ],
    [
      'lines and order',
      `<form\n action="${awsAcs}"\nmethod="post"><input\n\n value="${samlResponse()}"\ntype="hidden"name="SAMLResponse"\n/></form>`,
    ],
  ] as const) {
    test(`S23 a response with odd ${name}`, async () => {
      await succeeds({ response: page('', response, 'onload="document.forms[0].submit()"') })
    })
  }
})

describe('refusals and errors', () => {
  for (const [version, refusal] of [
    [3, 'The password you entered was incorrect.'],
    [4, 'The username you entered cannot be identified.'],
    [5, 'Das eingegebene Passwort war falsch.'],
  ] as const) {
    test(`S08 version ${version}: ${refusal}`, async () => {
      const { error, idp } = await fails({ version, refusal }, { password: 'wrong' })
      expect(error).toMatchObject({ code: 'password-refused', message: expect.stringContaining(refusal) })
      expect(idp.posts()).toBe(1)
    })
  }

  for (const [text, code] of [
    ['Your account is locked.', 'account-locked'],
    ['Your password has expired.', 'password-expired'],
  ] as const) {
    test(`S09 ${text}`, async () => {
      const { error, idp } = await fails({ refusal: text }, { password: 'wrong' })
      expect(error).toMatchObject({ kind: 'refused', code })
      expect(idp.posts()).toBe(1)
    })
  }

  test('S15 a stale request starts again, once', async () => {
    await succeeds({ stale: 1 })
    expect((await fails({ stale: 9 })).error).toMatchObject({ kind: 'network', code: 'state-lost' })
  })

  const walk = walker(shibboleth, 'x')
  for (const title of ['Unsupported Request', 'Unable to Respond']) {
    test(`S16 ${title}`, async () => {
      const body = page(`Web Login Service - ${title}`, `<p>${title}</p>`)
      expect(await walk.fails({ script: [{ on: '/start', reply: { status: 400, body } }] })).toMatchObject({
        kind: 'config',
        code: 'sp-unknown',
      })
    })
  }

  test('access denied', async () => {
    const body = page('Web Login Service - Access Denied', '<p>You do not have access.</p>')
    const failed = await walk.fails({ script: [{ on: '/start', reply: { status: 403, body } }] })
    expect(failed).toMatchObject({ kind: 'refused', code: 'no-access' })
  })
})

describe('views in between', () => {
  test('S10 an expiring password is told and passed', async () => {
    const { made } = await succeeds({ views: ['expiring'] })
    expect(made.logged.join()).toContain('Your password will expire in 3 days.')
  })

  test('S11 S12 terms and release: asked once, then remembered; consent is never revoked', async () => {
    const views = ['terms', 'release', 'boxes'] as const
    const answers = [
      ['Terms of Use', true],
      ['Information Release', true],
      ['Information Release', true],
    ] as const
    const { made, idp } = await succeeds({ views }, { answers })
    expect(made.told.join()).toContain('You share your mail.')
    expect(idp.sent.some(({ fields }) => fields.has('_shib_idp_revokeConsent'))).toBe(false)
    await succeeds({ views }, { settings: { consent: 'accept' } })
  })

  test('S13 a person who refuses, and the page of a refusal with status 200', async () => {
    const { error, idp } = await fails({ views: ['release'] }, { answers: [['Information Release', false]] })
    expect(error).toMatchObject({ kind: 'refused', code: 'consent-refused' })
    expect(idp.sent).toHaveLength(2)
    for (const title of ['Release of Information Prevented', 'Terms of Use Refused']) {
      const reply = page(`Web Login Service - ${title}`, `<h1>${title}</h1>`)
      expect(await walker(shibboleth, 'x').fails({ script: [{ on: '/start', reply }] })).toMatchObject({
        code: 'consent-refused',
      })
    }
  })

  test('S14 impersonation: as oneself', async () => {
    await succeeds({ views: ['impersonation'] })
  })

  test('S20 a token, wrong and then right; the password is not sent again', async () => {
    const { made, idp } = await succeeds(
      { views: ['totp', 'release'] },
      {
        settings: { consent: 'accept' },
        answers: [
          ['Token code', '111111'],
          ['Token code', rightCode],
        ],
      },
    )
    expect(made.told.join()).toContain('The code was wrong.')
    expect(idp.sent.filter(({ fields }) => fields.has('j_password'))).toHaveLength(1)
  })

  test('S19 Duo on its own pages, and back', async () => {
    const duo = await startDuo({ kind: 'universal' })
    const { made } = await succeeds(
      { views: ['duo'], duo: duo.origin },
      { settings: { mfaMethod: 'phone1' }, answers: [['second factor', 'Duo Push: iPhone (XXX-XXX-1111)']] },
    )
    await duo.stop()
    expect([duo.problems, duo.prompts.length, made.asked.length]).toEqual([[], 1, 1])
  })

  test('S18 Duo in a frame; the link that cancels is left alone', async () => {
    const duo = await startDuo({ kind: 'frame', statuses: [{ result: 'SUCCESS', result_url: '/frame/result/t-1' }] })
    await succeeds(
      { views: ['duo-frame'], duo: duo.origin },
      { answers: [['second factor', 'Duo Push: iPhone (XXX-XXX-1111)']] },
    )
    await duo.stop()
    expect(duo.problems).toEqual([])
  })

  test('in the background a second factor ends the session, and Duo sends no push', async () => {
    const duo = await startDuo({ kind: 'universal' })
    for (const view of ['duo', 'totp'] as const) {
      const { error, made } = await fails({ views: [view], duo: duo.origin }, { mode: 'refresh' })
      expect(error).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
      expect(made.asked).toEqual([])
    }
    await duo.stop()
    expect([duo.problems, duo.prompts]).toEqual([[], []])
  })
})

test('S25 a storage page, then the log-in of AD FS on a host that the person approves', async () => {
  const other = await startAdfs()
  const start = page(
    'Loading Session Information',
    '<form name="form1" method="post" action="/ls"><input type="hidden" name="csrf_token" value="t"><input type="hidden" name="shib_idp_ls_success.k" value="false"><input type="hidden" name="_eventId_proceed"></form>',
    'onload="doLoad()"',
  )
  const script = [
    { on: '/start', reply: start },
    { on: 'POST /ls', body: 'csrf_token=t&shib_idp_ls_success.k=false&_eventId_proceed=', reply: redirect(other.url) },
  ]
  const approved = walker(shibboleth, 'correct horse')
  await approved.succeeds({ script, answers: [['sends the sign-in on to', true]] })
  expect(await approved.fails({ script, answers: [['sends the sign-in on to', false]] })).toMatchObject({
    code: 'foreign-host',
  })
  await other.stop()
  expect([other.problems, other.posts()]).toEqual([[], 1])
})
