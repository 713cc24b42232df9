/**
 * Keycloak: what every provider promises, and the pages that only it has. The numbers are those of the cases that broke
 * other tools.
 */
import { describe, expect, test } from 'bun:test'
import { keycloak } from '../src/provider-keycloak.ts'
import { testContext } from './context.ts'
import { page, redirect, responsePage, samlResponse, startFakeIdp, type Step } from './fake-idp.ts'
import { entry, expiredPage, loginPage, startKeycloakPages } from './idp-keycloak.ts'
import { factorCase, providerCase } from './provider.case.ts'
import { walker } from './walk.ts'

providerCase('keycloak', keycloak, () => startKeycloakPages())
factorCase('K07 K10 keycloak', keycloak, { code: () => startKeycloakPages({ otp: true }) })

const { succeeds, fails } = walker(keycloak, 'secret-7')
const run = { entry }
const authenticate = '/realms/corp/login-actions/authenticate?session_code='
const sent = 'username=jane&password=secret-7&credentialId=&login='
const start = (reply: Step['reply'] = loginPage(`${authenticate}1`)): Step => ({ on: entry, reply })
const posted = (reply: Step['reply'], body = sent): Step => ({ on: `POST ${authenticate}1`, body, reply })

const otpPage = (inside = '', field = 'otp', error = ''): string =>
  page(
    'Sign in to corp',
    `<form id="kc-${field}-login-form" action="${authenticate}2" method="post">${inside}
    <label for="${field}">One-time code</label><input id="${field}" name="${field}" autocomplete="off" type="text" aria-invalid="${error && 'true'}">
    ${error && `<span id="input-error-otp-code" aria-live="polite">${error}</span>`}
    <input name="login" id="kc-login" type="submit" value="Log In"><input name="cancel" type="submit" value="Cancel"></form>`,
  )
const coded = (body: string, reply: Step['reply'] = responsePage()): Step => ({
  on: `POST ${authenticate}2`,
  body,
  reply,
})

describe('the entry', () => {
  for (const [what, path, on] of [
    ['a client', entry, entry],
    ['an older server', `/auth${entry}`, `/auth${entry}`],
    ['whatever has a query', '/sso?to=aws', '/sso?to=aws'],
  ] as const) {
    test(what, () => succeeds({ entry: path, script: [{ on, reply: responsePage() }] }))
  }

  test('a realm alone does not say which client', async () => {
    const { context } = await testContext({ settings: { url: 'https://idp.example/realms/corp/account' } })
    expect(await keycloak.authenticate(context).catch((error: unknown) => error)).toMatchObject({
      kind: 'config',
      code: 'url-invalid',
      hint: "cloudtoken --url 'https://idp.example/realms/corp/protocol/saml/clients/NAME'",
    })
  })

  test('a client or a realm that is not there', async () => {
    const sorry = page(
      'corp',
      '<h1>Es tut uns leid...</h1><div id="kc-error-message"><p>Client nicht gefunden.</p></div>',
    )
    for (const status of [400, 404]) {
      const failed = await fails({ ...run, script: [start({ status, body: sorry })] })
      expect(failed).toMatchObject({ kind: 'config', code: 'sp-unknown' })
    }
  })
})

describe('signing in', () => {
  test('K01 a response page in capitals', () =>
    succeeds({
      ...run,
      script: [
        start(),
        posted(
          `<HTML><HEAD><TITLE>SAML HTTP Post Binding</TITLE></HEAD><BODY Onload="document.forms[0].submit()"><FORM METHOD="POST" ACTION="https://signin.aws.amazon.com/saml"><INPUT TYPE="HIDDEN" NAME="SAMLResponse" VALUE="${samlResponse()}"/><NOSCRIPT><P>JavaScript is disabled.</P><INPUT TYPE="SUBMIT" VALUE="CONTINUE"/></NOSCRIPT><INPUT TYPE="BUTTON" VALUE="Click" onclick="document.forms[0].submit()"/></FORM></BODY></HTML>`,
        ),
      ],
    }))

  test('K02 a realm with Kerberos answers 401 first', () =>
    succeeds({
      ...run,
      script: [
        start({
          status: 401,
          headers: { 'www-authenticate': 'Negotiate' },
          body: `<HTML><HEAD><TITLE>Kerberos Unsupported</TITLE></HEAD><BODY Onload="document.forms[0].submit()"><FORM METHOD="POST" ACTION="${authenticate}0"><NOSCRIPT><P>JavaScript is disabled. Click here to continue.</P><INPUT name="continue" TYPE="SUBMIT" VALUE="CONTINUE"/></NOSCRIPT></FORM></BODY></HTML>`,
        }),
        { on: `POST ${authenticate}0`, body: '', reply: loginPage(`${authenticate}1`) },
        posted(responsePage()),
      ],
    }))

  test('K03 a theme of its own, and a hidden field without a value', () =>
    succeeds({
      ...run,
      script: [start(loginPage(`${authenticate}1`).replace('kc-form-login', 'acme-form')), posted(responsePage())],
    }))

  const refusals = [
    [
      'a span',
      '<span id="input-error" class="pf-c-form__helper-text pf-m-error">TEXT</span>',
      'Invalid username or password.',
    ],
    [
      'version 2 of the theme',
      '<span id="input-error-username" aria-live="polite">TEXT</span>',
      'ユーザー名またはパスワードが無効です。',
    ],
    [
      'an alert',
      '<div class="alert alert-error"><span class="pficon"></span><span class="kc-feedback-text">TEXT</span></div>',
      'Ungültiger Benutzername oder Passwort.',
    ],
    ['a feedback text', '<span class="kc-feedback-text">TEXT</span>', 'Invalid username or password.'],
    ['no known element', '<p class="acme">TEXT</p>', 'Nope, try harder.'],
  ] as const
  for (const [what, markup, text] of refusals) {
    const body = loginPage(`${authenticate}9`).replace('<form', `${markup.replace('TEXT', text)}<form`)
    test(`K04 a refusal: ${what}`, async () => {
      const failed = await fails({ ...run, script: [start(), posted(body)] })
      expect(failed).toMatchObject({ code: 'password-refused', message: expect.stringContaining(text) })
    })
  }

  for (const language of ['de', 'en'] as const) {
    test(`C15 pages in ${language}, by what is asked for or in spite of it`, async () => {
      const words = { de: ['Anmelden', 'Passwort', 'Einmalcode'], en: ['Sign in', 'Password', 'One-time code'] }
      const shown = (asked: string | undefined): readonly string[] => words[asked?.startsWith('en') ? language : 'de']
      const form = (step: number, button: string, inside: string): string =>
        page(
          button,
          `<form action="${authenticate}${step}" method="post">${inside}<button type="submit">${button}</button></form>`,
        )
      await succeeds({
        ...run,
        script: [
          start(({ headers }) => {
            const [button = '', secret = ''] = shown(headers['accept-language'])
            return form(
              1,
              button,
              `<input name="username"><label>${secret}<input type="password" name="password"></label>`,
            )
          }),
          posted(({ headers }) => {
            const [button = '', , code = ''] = shown(headers['accept-language'])
            return form(2, button, `<label for="c">${code}</label><input id="c" name="otp">`)
          }, 'username=jane&password=secret-7'),
          coded('otp=123456'),
        ],
        answers: [[words[language][2] ?? '', '123456']],
      })
    })
  }

  test('K05 a disabled account', async () => {
    const text = 'Account is disabled, contact your administrator.'
    expect(await fails({ ...run, script: [start(), posted(loginPage('/x', text))] })).toMatchObject({
      code: 'account-disabled',
      message: expect.stringContaining(text),
    })
  })

  test('K06 "try another way" stays untried', () => {
    const other = `<form id="kc-select-try-another-way-form" action="/other" method="post"><input type="hidden" name="tryAnotherWay" value="on"><a href="#" id="try-another-way">Try Another Way</a></form>`
    return succeeds({
      ...run,
      script: [start(`${loginPage(`${authenticate}1`)}${other}`), posted(responsePage())],
    })
  })

  test('K13 a broker where it is wished for', async () => {
    const social = (origin: string): string =>
      `${loginPage('/x')}<ul><li><a id="social-corp" href="${origin}/realms/corp/broker/corp/login?session_code=1">Corp</a></li></ul>`
    const other = await startFakeIdp([{ on: '/there', reply: responsePage() }])
    try {
      await succeeds({
        ...run,
        settings: { authSource: 'corp' },
        script: [
          start((_, origin) => social(origin)),
          { on: '/realms/corp/broker/corp/login?session_code=1', reply: redirect(`${other.origin}/there`) },
        ],
      })
      expect(other.problems()).toEqual([])
    } finally {
      await other.stop()
    }
  })

  test('K14 an address that has expired: from the start again, once', async () => {
    await succeeds({ ...run, script: [start(), posted(expiredPage), start(), posted(responsePage())] })
    const failed = await fails({ ...run, script: [start(), posted(expiredPage), start(), posted(expiredPage)] })
    expect(failed).toMatchObject({ code: 'state-lost', message: expect.stringContaining('has expired') })
  })
})

describe('second factors', () => {
  for (const field of ['otp', 'totp']) {
    test(`K07 ${field}: the code with one button`, () =>
      succeeds({
        ...run,
        answers: [['One-time code', '123456']],
        script: [start(), posted(otpPage('', field)), coded(`${field}=123456&login=Log+In`)],
      }))
  }

  test('K08 radio buttons: the device that the person chooses', () => {
    const radios = ['Phone', 'Tablet']
      .map(
        (label, index) =>
          `<input id="kc-otp-credential-${index}" type="radio" name="selectedCredentialId" value="id${index}"${index === 0 ? ' checked' : ''}><label for="kc-otp-credential-${index}"><span>${label}</span></label>`,
      )
      .join('')
    return succeeds({
      ...run,
      answers: [
        [/second factor .*: Phone, Tablet$/, 'Tablet'],
        ['One-time code', '123456'],
      ],
      script: [start(), posted(otpPage(radios)), coded('selectedCredentialId=id1&otp=123456&login=Log+In')],
    })
  })

  const tiles = (...labels: readonly string[]): string =>
    `<input id="selectedCredentialId" type="hidden" name="selectedCredentialId" value="id0">${labels
      .map(
        (label, index) =>
          `<div id="kc-otp-credential-${index}" class="pf-v5-c-tile" onclick="toggleOTP(${index}, 'id${index}')"><span class="icon"><i class="fa"></i></span><span class="title">${label}</span></div>`,
      )
      .join('')}`

  test('tiles that never end cost no more than their size', () =>
    succeeds({
      ...run,
      answers: [['One-time code', '123456']],
      script: [
        start(),
        posted(otpPage(tiles('Phone') + `<br onclick="toggleOTP(0, 'x')">`.repeat(30_000))),
        coded('selectedCredentialId=id0&otp=123456&login=Log+In'),
      ],
    }))

  test('K09 tiles, which a script makes work', () =>
    succeeds({
      ...run,
      answers: [
        [/: My &lt;phone&gt; & co, device 2$/, 'device 2'],
        ['One-time code', '123456'],
      ],
      script: [
        start(),
        posted(otpPage(tiles('My &amp;lt;phone&amp;gt; &amp; co', ''))),
        coded('selectedCredentialId=id1&otp=123456&login=Log+In'),
      ],
    }))

  test('a device by its name, and the one of last time', async () => {
    const script = [
      start(),
      posted(otpPage(tiles('Phone', 'Tablet'))),
      coded('selectedCredentialId=id1&otp=123456&login=Log+In'),
    ]
    const code = ['One-time code', '123456'] as const
    await succeeds({ ...run, script, settings: { mfaMethod: 'tablet' }, answers: [code] })
    const idp = await startFakeIdp([...script, ...script])
    try {
      const settings = { url: `${idp.origin}${entry}` }
      const options = { settings, password: 'secret-7' }
      const first = await testContext({ ...options, answers: [['second factor', 'Tablet'], code] })
      await keycloak.authenticate(first.context)
      const second = await testContext({ ...options, earlier: first, answers: [code] })
      await keycloak.authenticate(second.context)
      expect(second.told).toEqual([expect.stringMatching(/^second factor as before: Tablet /)])
      expect(idp.problems()).toEqual([])
    } finally {
      await idp.stop()
    }
  })

  test('one device is no choice', () =>
    succeeds({
      ...run,
      answers: [['One-time code', '123456']],
      script: [start(), posted(otpPage(tiles('Phone'))), coded('selectedCredentialId=id0&otp=123456&login=Log+In')],
    }))

  test('K10 a wrong code is asked for again; neither the password nor the device is', async () => {
    const made = await succeeds({
      ...run,
      answers: [
        ['second factor', 'Tablet'],
        ['code', '111111'],
        ['code', '222222'],
      ],
      script: [
        start(),
        posted(otpPage(tiles('Phone', 'Tablet'))),
        coded(
          'selectedCredentialId=id1&otp=111111&login=Log+In',
          otpPage(tiles('Phone', 'Tablet'), 'otp', 'Invalid authenticator code.'),
        ),
        coded('selectedCredentialId=id1&otp=222222&login=Log+In'),
      ],
    })
    expect(made.told).toEqual([expect.stringMatching(/refused the one-time code: .*Invalid authenticator code\.$/)])
    expect(made.passwords()).toBe(1)
  })

  for (const [script, attributes] of [
    ['let challenge = "c2Vj"; let rpId = "idp.example"', ''],
    [
      "import { authenticate } from './x.js'; authenticate({ challenge : 'c2Vj', rpId : 'idp.example' })",
      ' type="module"',
    ],
  ] as const) {
    test(`K11 a security key belongs in a browser:${attributes || ' plain script'}`, async () => {
      const fields = ['clientDataJSON', 'authenticatorData', 'signature', 'credentialId', 'userHandle', 'error']
      const keys = `<form id="webauth" action="${authenticate}2" method="post">${fields.map(name => `<input type="hidden" id="${name}" name="${name}">`).join('')}</form><form id="authn_select"><input type="hidden" name="authn_use_chk" value="k1"></form><script${attributes}>${script}</script><input type="button" id="authenticateWebAuthnButton" autofocus value="Sign in with Passkey">`
      const failed = await fails({ ...run, script: [start(), posted(page('Sign in to corp', keys))] })
      expect(failed).toMatchObject({ code: 'mfa-unsupported', hint: expect.stringContaining('cloudtoken --browser') })
    })
  }
})

describe('K12 what has to be done first', () => {
  const action = '/realms/corp/login-actions/required-action'
  const required = (body: string): Step[] => [
    start(),
    posted(redirect(`${action}?x=1`)),
    { on: `${action}?x=1`, reply: page('Sign in to corp', body) },
  ]

  test('a new password', async () => {
    const form = `<span class="kc-feedback-text">You need to change your password.</span><form id="kc-passwd-update-form" action="/x" method="post"><input type="password" id="password-new" name="password-new" autocomplete="new-password"><input type="password" id="password-confirm" name="password-confirm" autocomplete="new-password"><button>Submit</button></form>`
    expect(await fails({ ...run, script: required(form) })).toMatchObject({ code: 'password-expired' })
  })

  for (const [what, id, field] of [
    ['an authenticator app', 'kc-totp-settings-form', '<input name="totp" autocomplete="one-time-code">'],
    ['the profile', 'kc-update-profile-form', '<input name="email" type="text" autocomplete="email">'],
    ['the profile', 'kc-idp-review-profile-form', '<input name="firstName">'],
    ['e-mail address', 'kc-update-email-form', '<input name="email" type="text">'],
    [
      'recovery codes',
      'kc-recovery-codes-settings-form',
      '<input type="hidden" name="generatedRecoveryAuthnCodes" value="x">',
    ],
  ] as const) {
    test(`${what}: ${id}`, async () => {
      const form = `<form id="${id}" action="/x" method="post">${field}<input type="submit" value="Submit"></form>`
      const failed = await fails({ ...run, script: required(form) })
      expect(failed).toMatchObject({
        kind: 'person',
        code: 'action-required',
        message: expect.stringContaining(what),
        hint: expect.stringContaining('cloudtoken --browser'),
      })
    })
  }

  test('terms are put to the person', async () => {
    const form = `<h1>Terms and Conditions</h1><div id="kc-terms-text">Be nice.</div><form class="form-actions" action="/accept" method="POST"><input name="accept" id="kc-accept" type="submit" value="Accept"><input name="cancel" id="kc-decline" type="submit" value="Decline"></form>`
    const script = required(form)
    const made = await succeeds({
      ...run,
      answers: [['consent', true]],
      script: [...script, { on: 'POST /accept', body: 'accept=Accept', reply: responsePage() }],
    })
    expect(made.told[0]).toContain('Be nice.')
    expect(await fails({ ...run, script, answers: [['consent', false]] })).toMatchObject({ code: 'consent-refused' })
  })
})
