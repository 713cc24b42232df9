/**
 * PingFederate and PingID: what every provider promises, their pages, their devices.
 */
import { describe, expect, test } from 'bun:test'
import { form } from '../src/provider-form.ts'
import { pingfederate, pingRecipe } from '../src/provider-pingfederate.ts'
import { testContext } from './context.ts'
import { page } from './fake-idp.ts'
import { desktop, phone, startPingFederate, type PingIdOptions } from './idp-pingfederate.ts'
import { factorCase, providerCase } from './provider.case.ts'
import { signInAt, walker } from './walk.ts'

providerCase('N01 pingfederate', pingfederate, () => startPingFederate())
providerCase('N02 pingfederate with USER and PASSWORD', pingfederate, () => startPingFederate({ login: 'plain' }))
providerCase('pingfederate, the user name first', pingfederate, () => startPingFederate({ identifierFirst: true }))

const withPing = (pingId: PingIdOptions) => () => startPingFederate({ pingId })
factorCase('N05 N06 pingfederate', pingfederate, {
  push: {
    given: withPing({ statuses: ['ASYNC_AUTH_WAIT', 'ASYNC_AUTH_WAIT', 'ASYNC_AUTH_WAIT', 'OK'] }),
    refused: withPing({ statuses: ['ASYNC_AUTH_WAIT', 'DENIED'] }),
    silent: withPing({ statuses: ['ASYNC_AUTH_WAIT'] }),
  },
  code: withPing({ devices: [desktop], csrf: true }),
})

const signIn = signInAt(pingfederate, startPingFederate)

const passcode = 'Enter the passcode displayed in PingID desktop'

test('a script that begins without end costs no more than its size', async () => {
  const form = '<form method=post action=/next><input name=pf.notificationCancel value=""></form>'
  const endless = ['function postCancel(', 'function postCancel(){'].map(start => start.repeat(30_000))
  for (const script of endless) {
    const failed = await walker(pingfederate, 'x').fails({
      entry: '/idp/start?x=1',
      script: [
        { on: '/idp/start?x=1', reply: page('Expiring', `${form}<script>${script}</script>`) },
        {
          on: 'POST /next',
          body: 'pf.notificationCancel=clicked&pf.passwordExpiring=true',
          reply: page('Error', 'Access denied'),
        },
      ],
    })
    expect(failed).toMatchObject({ code: 'no-access' })
  }
})

describe('the entry', () => {
  const walk = walker(pingfederate, 'x')
  const service = '/idp/startSSO.ping'
  for (const [entry, asked] of [
    ['', `${service}?PartnerSpId=urn:amazon:webservices`],
    [service, `${service}?PartnerSpId=urn:amazon:webservices`],
    [`${service}?IdpAdapterId=Form`, `${service}?IdpAdapterId=Form&PartnerSpId=urn:amazon:webservices`],
    [
      `${service}?PartnerSpId=urn:amazon:webservices:govcloud`,
      `${service}?PartnerSpId=urn:amazon:webservices:govcloud`,
    ],
    ['/corp/aws', '/corp/aws'],
  ] as const) {
    test(`“${entry}” is taken as ${asked}`, async () => {
      const { code } = await walk.fails({
        entry,
        script: [{ on: asked, reply: page('Error', '<div class="ping-error">Unable to lookup connection</div>') }],
      })
      expect(code).toBe('sp-unknown')
    })
  }
})

describe('second factors', () => {
  for (const list of ['anchors', 'buttons'] as const) {
    test(`N03: probe, list of devices (${list}), push with a number, and back`, async () => {
      const { error, idp, made } = await signIn(
        { pingId: { probe: true, list, devices: [desktop, phone], number: '10' } },
        { answers: [['Desktop Mac, iPhone X', 'iPhone X']] },
      )
      expect(error).toBeUndefined()
      expect(made.told).toEqual([expect.stringContaining('PingID on iPhone X'), 'Number to match: 10'])
      expect(idp.steps.slice(2)).toEqual([
        'POST /idp/r4nd/resumeSAML20/idp/startSSO.ping',
        'POST /pingid/ppm/auth',
        'POST /pingid/ppm/auth',
        'POST /pingid/ppm/devices',
        'GET /pingid/ppm/auth/status',
        'GET /pingid/ppm/auth/status',
        'GET /pingid/ppm/auth/response',
        'POST /idp/r4nd/resumeSAML20/idp/startSSO.ping',
        'POST /idp/r4nd/resumeSAML20/idp/startSSO.ping',
      ])
      expect(made.waited()).toBe(6000)
    })
  }

  test('the device that was chosen is taken the next time', async () => {
    const idp = await startPingFederate({ pingId: { list: 'buttons', devices: [desktop, phone], statuses: ['OK'] } })
    const all = { password: 'correct horse', settings: { url: idp.url } }
    const first = await testContext({ ...all, answers: [['Desktop Mac, iPhone X', 'iPhone X']] })
    await pingfederate.authenticate(first.context)
    idp.endSessions()
    const second = await testContext({ ...all, earlier: first })
    await pingfederate.authenticate(second.context)
    await idp.stop()
    expect([idp.problems, second.asked]).toEqual([[], []])
    expect(second.told).toContainEqual(expect.stringContaining('as before: iPhone X'))
  })

  test('N04: a push page without a view of its answer is sent on', async () => {
    expect((await signIn({ pingId: { form1Only: true } })).error).toBeUndefined()
  })

  for (const word of ['TIMEOUT', 'DEVICE_CLAIM_TIMEOUT']) {
    test(`N05: ${word} is an answer that nobody gave`, async () => {
      const { error, idp } = await signIn({ pingId: { statuses: ['ASYNC_AUTH_WAIT', word], late: 'error' } })
      expect(error).toMatchObject({ kind: 'refused', code: 'mfa-timeout' })
      expect(idp.steps.at(-1)).toBe('GET /pingid/ppm/auth/response')
    })
  }

  test('N05: an unknown word is waited on, within the limit', async () => {
    const { error, made } = await signIn({ pingId: { statuses: ['SOMETHING_NEW'] } })
    expect(error).toMatchObject({ kind: 'refused', code: 'mfa-timeout' })
    expect(made.waited()).toBe(120_000)
  })

  test('N05: the same push is not begun a second time', async () => {
    const { error, idp } = await signIn({ pingId: { statuses: ['TIMEOUT'], late: 'push' } })
    expect(error).toMatchObject({ code: 'mfa-timeout' })
    expect(idp.steps.filter(step => step.endsWith('/status'))).toHaveLength(1)
  })

  test('N06: after the timeout a code, with the token of the cookie', async () => {
    const { error, idp } = await signIn(
      { pingId: { statuses: ['TIMEOUT'], late: 'code', csrf: true } },
      {
        answers: [
          [passcode, '000000'],
          [passcode, '123456'],
        ],
      },
    )
    expect(error).toBeUndefined()
    expect([idp.codes, idp.posts()]).toEqual([['000000', '123456'], 1])
  })

  test('an error page of PingID after a push is a refusal', async () => {
    const { error } = await signIn({ pingId: { statuses: ['OK'], denied: 'Something went wrong.' } })
    expect(error).toMatchObject({
      kind: 'refused',
      code: 'mfa-refused',
      message: expect.stringContaining('Something went wrong.'),
    })
  })

  test('--mfa-method leads from the device that the page is about to another one', async () => {
    const { error, idp } = await signIn(
      { pingId: { devices: [phone, desktop] } },
      { settings: { mfaMethod: 'Desktop Mac' }, answers: [[passcode, '123456']] },
    )
    expect(error).toBeUndefined()
    expect(idp.steps).toContain('GET /pingid/ppm/devices')
    expect(idp.steps).not.toContain('GET /pingid/ppm/auth/status')
    const stays = await signIn({ pingId: { devices: [phone, desktop] } }, { settings: { mfaMethod: 'push' } })
    expect(stays.idp.steps).not.toContain('GET /pingid/ppm/devices')
  })
})

test('in the background nobody’s phone rings', async () => {
  const { error, idp } = await signIn({ pingId: {} }, { mode: 'refresh' })
  expect(error).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
  expect(idp.steps.filter(step => step.includes('/pingid/'))).toEqual([])
  const forms = ['form1', 'reponseView'].map(
    id => `<form id="${id}" method="post"><input type="hidden" name="csrfToken" value="c"></form>`,
  )
  const later = await signIn({ entry: { body: page('', forms.join('')) } }, { mode: 'refresh' })
  expect(later.error).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
})

test('another host than PingID’s own gets no code without a yes', async () => {
  const pingId = { devices: [desktop], away: true }
  const { error, idp } = await signIn({ pingId }, { answers: [[/sends the sign-in on to localhost:/, false]] })
  expect(error).toMatchObject({ kind: 'refused', code: 'foreign-host' })
  expect(idp.codes).toEqual([])
  const answers = [['sends the sign-in on', true] as const, [passcode, '123456'] as const]
  expect((await signIn({ pingId }, { answers })).error).toBeUndefined()
  expect(pingRecipe.ownHosts).toContain('authenticator.pingone.eu')
})

test('PingID is known wherever it comes up', async () => {
  const { error } = await signInAt(form, startPingFederate)({ pingId: { probe: true, statuses: ['OK'] } })
  expect(error).toBeUndefined()
})

describe('other pages', () => {
  test('N07: the error block that says something', async () => {
    const entry = {
      body: page(
        'Sign On Error',
        '<div class="ping-messages"><div class="ping-error"></div><div class="ping-error">An unexpected error 4711</div></div>',
      ),
    }
    const { error } = await signIn({ entry })
    expect(error).toMatchObject({ code: 'idp-error', message: expect.stringContaining('An unexpected error 4711') })
  })

  test('N08: a code in the field of the password is asked for as a code', async () => {
    const { error, idp, made } = await signIn({ login: 'securid' }, { answers: [['SecurID code', '123456']] })
    expect(error).toBeUndefined()
    expect([idp.codes, idp.posts(), made.passwords()]).toEqual([['123456'], 0, 0])
    const given = await signIn({ login: 'securid' }, { settings: { mfaCode: '123456' } })
    expect([given.error, given.made.asked]).toEqual([undefined, []])
  })

  test('a password that will expire is left as it is, with a warning', async () => {
    const { error, made } = await signIn({ expiring: true })
    expect(error).toBeUndefined()
    expect(made.logged.join('\n')).toContain('Your password will expire in 3 days.')
  })

  test('a password that has expired is told apart, and so is a form to change it', async () => {
    const expired = page(
      'Change Password',
      '<div class="ping-messages"><div>To change your password, please access the password management system.</div><div class="ping-error">Your password is expired and must be changed.</div></div><button id="changePassLink"><a href="https://password.example.com">Continue</a></button>',
    )
    const fields = ['pf.pass', 'pf.newPassword', 'pf.confirmPassword'].map(
      name => `<input type="password" name="${name}">`,
    )
    const change = page('Change Password', `<form method="post" action="/x">${fields.join('')}</form>`)
    for (const body of [expired, change]) {
      const { error, idp } = await signIn({ after: { body } })
      expect(error).toMatchObject({ kind: 'refused', code: 'password-expired' })
      expect(idp.posts()).toBe(1)
    }
  })

  test('--auth-source takes another identity provider that the page names', async () => {
    for (const authSource of ['Corp', 'use corp']) {
      const { error, idp } = await signIn({ systems: ['Other', 'Corp'] }, { settings: { authSource } })
      expect([error, idp.posts()]).toEqual([undefined, 0])
      expect(idp.steps.at(-1)).toBe('GET /elsewhere/Corp')
    }
    const back = await signIn({ systems: ['Corp'], elsewhere: 'back' }, { settings: { authSource: 'Corp' } })
    expect([back.error, back.idp.posts()]).toEqual([undefined, 1])
  })
})
