/**
 * AD FS of every generation: what every provider promises, and its second factors.
 */
import { describe, expect, test } from 'bun:test'
import { adfs } from '../src/provider-adfs.ts'
import { page, responsePage } from './fake-idp.ts'
import { codeAdapter, passwordExpired, startAdfs, type Adapter } from './idp-adfs.ts'
import { factorCase, providerCase } from './provider.case.ts'
import { visits, walker } from './walk.ts'

for (const [numbers, generation] of [
  ['A01 A05', '3.0'],
  ['A02 A05', '2016'],
  ['A03 A05', '2019'],
  ['A04 A05', '2.0'],
] as const) {
  providerCase(`${numbers} adfs ${generation}`, adfs, () => startAdfs({ generation }))
}

const walk = walker(adfs, 'x')

const { succeeds, fails } = visits(adfs, startAdfs)

describe('the entry', () => {
  const path = '/adfs/ls/IdpInitiatedSignOn.aspx'
  for (const [url, asked] of [
    ['', `${path}?loginToRp=urn:amazon:webservices`],
    ['/adfs/ls/', `${path}?loginToRp=urn:amazon:webservices`],
    [path, `${path}?loginToRp=urn:amazon:webservices`],
    ['/adfs/ls/idpinitiatedsignon', '/adfs/ls/idpinitiatedsignon?loginToRp=urn:amazon:webservices'],
    [`${path}?loginToRp=urn:amazon:webservices:govcloud`, `${path}?loginToRp=urn:amazon:webservices:govcloud`],
    [
      `${path}?RedirectToIdentityProvider=AD+AUTHORITY`,
      `${path}?RedirectToIdentityProvider=AD+AUTHORITY&loginToRp=urn:amazon:webservices`,
    ],
    ['/adfs/ls/?wa=wsignin1.0&wtrealm=x', '/adfs/ls/?wa=wsignin1.0&wtrealm=x'],
  ] as const) {
    test(`A21 ${url || 'the bare host'}`, () =>
      walk.succeeds({ entry: url || '/', script: [{ on: asked, reply: responsePage() }] }))
  }
})

describe('user name and password', () => {
  test('C14 Windows sign-in is for the browsers of Windows: this one gets the form', async () => {
    const windows = /MSIE|Trident|Edge?\/|Windows NT|Windows Rights/
    const form = page(
      'Sign In',
      '<form id="loginForm" method="post" action="/adfs/ls/?x=1"><input name="UserName"><input type="password" name="Password"></form>',
    )
    await walk.succeeds({
      entry: '/adfs/ls/?wa=wsignin1.0&wtrealm=x',
      script: [
        {
          on: '/adfs/ls/?wa=wsignin1.0&wtrealm=x',
          reply: ({ headers }) =>
            windows.test(headers['user-agent'] ?? '')
              ? {
                  status: 401,
                  headers: { 'www-authenticate': ['Negotiate', 'NTLM'] },
                  body: page('401', 'Unauthorized'),
                }
              : form,
        },
        { on: 'POST /adfs/ls/?x=1', reply: responsePage() },
      ],
    })
  })

  test('A06 a refusal in another language', async () => {
    const { error, idp } = await fails(
      { refusal: 'Falsche Benutzer-ID oder falsches Kennwort.' },
      { password: 'wrong' },
    )
    expect(error).toMatchObject({ code: 'password-refused', message: expect.stringContaining('Falsche Benutzer-ID') })
    expect(idp.posts()).toBe(1)
  })

  for (const [domain, username, user] of [
    ['CORP', 'jane', String.raw`CORP\jane`],
    ['corp.example', 'jane', 'jane@corp.example'],
    ['CORP', 'jane@corp.example', 'jane@corp.example'],
    ['CORP', String.raw`OTHER\jane`, String.raw`OTHER\jane`],
  ] as const) {
    test(`A07 ${username} of the domain ${domain} is ${user}`, () =>
      succeeds({ user }, { username, settings: { domain } }))
  }

  test('A18 an unknown relying party: the activity id is told', async () => {
    const body = page(
      'Error',
      '<div id="errorArea"><div id="errorMessage">An error occurred. Contact your administrator for more information.</div></div><p>Error details</p><ul><li>Activity ID: 00000000-0000-0000-1234-0080000000e1</li></ul>',
    )
    const { error, made } = await fails({ entry: { body } })
    expect(error).toMatchObject({
      kind: 'config',
      code: 'sp-unknown',
      message: expect.stringContaining('Activity ID: 00000000-0000-0000-1234-0080000000e1'),
      hint: expect.stringContaining('--url'),
    })
    expect(made.passwords()).toBe(0)
  })

  test('A19 the entry page is switched off', async () => {
    const body = page('Error', '<span id="errorText">The resource you are trying to access is not available.</span>')
    expect((await fails({ entry: { body } })).error).toMatchObject({ kind: 'config', code: 'sp-unknown' })
  })

  test('no access is told from a wrong entry', async () => {
    const body = page('Error', '<div id="errorArea">You are not authorized to access this site.</div>')
    expect((await fails({ after: { body } })).error).toMatchObject({ kind: 'refused', code: 'no-access' })
  })

  test('A20 an expired password', async () => {
    const { error, idp } = await fails({ after: passwordExpired })
    expect(error).toMatchObject({ kind: 'refused', code: 'password-expired' })
    expect([idp.posts(), idp.sent.length]).toEqual([1, 1])
  })

  test('A23 cookies first, the response on the next page', async () => {
    await succeeds({ late: true })
  })
})

/** Shows a number for some polls, then lets the person in. */
function azurePush(numbers: readonly string[]): Adapter {
  return {
    name: 'AzureMfaAuthentication',
    show: turn =>
      `<p id="instructions">Open your Authenticator app, and enter the number shown to sign in.</p><p id="validEntropyNumber">${numbers[Math.min(turn, numbers.length - 1)]}</p>{error}`,
    judge: (_, turn) => (turn >= 3 ? 'passed' : 'again'),
  }
}

const codeField = '<input name="VerificationCode" placeholder="Verification code">'
const withPush = (judge: Adapter['judge']) => () => startAdfs({ adapters: [{ ...azurePush(['42']), judge }] })
factorCase('A08-A16 adfs', adfs, {
  push: {
    given: withPush((_, turn) => (turn < 3 ? 'again' : 'passed')),
    refused: withPush(() => ({ error: 'We did not get your approval.' })),
    silent: withPush(() => 'again'),
  },
  code: () => startAdfs({ adapters: [codeAdapter('AzureMfaAuthentication', codeField, '123456')] }),
})

describe('second factors', () => {
  test('A08 Azure push: the number once, the newest context each time', async () => {
    const { made, idp } = await succeeds({ adapters: [azurePush(['42'])] })
    expect(made.told.filter(text => text === 'Number to match: 42')).toHaveLength(1)
    expect(made.told.filter(text => text.includes('Authenticator app'))).toHaveLength(1)
    expect(idp.sent).toHaveLength(4)
    expect(made.waited()).toBeGreaterThan(1000)
    expect(made.asked).toEqual([])
  })

  test('A09 a number that changes is shown again', async () => {
    const { made } = await succeeds({ adapters: [azurePush(['42', '42', '77'])] })
    expect(made.told.filter(text => text.startsWith('Number'))).toEqual(['Number to match: 42', 'Number to match: 77'])
  })

  test('A08 push denied', async () => {
    const push = azurePush(['42'])
    const denied: Adapter = { ...push, judge: (_, turn) => (turn < 2 ? 'again' : { error: 'Your request was denied' }) }
    const { error } = await fails({ adapters: [denied] })
    expect(error).toMatchObject({
      kind: 'refused',
      code: 'mfa-refused',
      message: expect.stringContaining('was denied'),
    })
  })

  const azureCode = codeAdapter(
    'AzureMfaAuthentication',
    '<p id="instructions">Type the code</p><input id="verificationCodeInput" name="VerificationCode" type="text" placeholder="Verification code">',
    '222222',
  )
  test('A10 Azure code: asked in the words of the page, again after a refusal', async () => {
    const { made, idp } = await succeeds(
      { adapters: [azureCode] },
      {
        answers: [
          ['Verification code', '111111'],
          ['Verification code', '222222'],
        ],
      },
    )
    expect(made.told.join()).toContain('The code is not valid.')
    expect([made.passwords(), idp.sent.length]).toEqual([1, 3])
  })

  test('A11 a server that answers when the person did, and one that says no', async () => {
    const blocking: Adapter = {
      name: 'AzureMfaServerAuthentication',
      show: () => '<p>Approve</p>{error}',
      judge: () => 'passed',
    }
    const { made, idp } = await succeeds({ adapters: [blocking] })
    expect([idp.sent.length, made.waited()]).toEqual([2, 0])
    const { error } = await fails({ adapters: [{ ...blocking, judge: () => ({ error: 'The sign-in was denied.' }) }] })
    expect(error).toMatchObject({ code: 'mfa-refused' })
  })

  test('A12 SecurID version 2: an empty post, the passcode, the next code', async () => {
    const securId: Adapter = {
      name: 'SecurIDv2Authentication',
      show: () => '{error}<p>Please wait</p>',
      judge(fields, turn) {
        if (turn === 1)
          return { html: '{error}<label for="p">Passcode</label><input id="p" type="password" name="Passcode">' }
        if (turn === 2)
          return { html: '{error}<label for="n">Next code</label><input id="n" type="password" name="NextCode">' }
        return fields.get('NextCode') === '654321' ? 'passed' : { error: 'no' }
      },
    }
    const { made, idp } = await succeeds(
      { adapters: [securId] },
      {
        answers: [
          ['Passcode', '123456'],
          ['Next code', '654321'],
        ],
      },
    )
    expect(made.told).toEqual([])
    expect(idp.sent.slice(1).map(fields => [fields.get('Passcode'), fields.get('NextCode')])).toEqual([
      [null, null],
      ['123456', null],
      [null, '654321'],
    ])
  })

  test('A13 Symantec VIP: a page that waits, then a code', async () => {
    const vip: Adapter = {
      name: 'SymantecVipAdapter',
      show: () => '{error}<p id="instructions">Waiting for the push</p><img src="wait.gif">',
      judge(fields, turn) {
        if (turn < 3) return 'again'
        if (turn === 3) return { html: '{error}<input name="SecurityCode" placeholder="Security code">' }
        return fields.get('SecurityCode') === '123456' ? 'passed' : { error: 'no' }
      },
    }
    await succeeds({ adapters: [vip] }, { answers: [['Security code', '123456']] })
  })

  for (const [name, field, label] of [
    [
      'VIPAuthenticationProviderUPN',
      '<label for="s">VIP code</label><input id="s" name="security_code" type="text">',
      'VIP code',
    ],
    [
      'SafeNet-MFA',
      '<p>Enter your token code</p><input name="SAFENET_PASSWORD" type="password">',
      'Enter your token code',
    ],
    ['neos', '<label>OATH<input name="OathCode"></label>', 'OATH'],
    ['Defender AD FS Adapter', '<input name="answer" type="password" placeholder="Token response">', 'Token response'],
    ['Unheard-of', '<label for="t">Your number</label><input id="t" type="tel" name="x1">', 'Your number'],
    [
      'SecurIDAuthentication',
      '<input type="password" id="passcodeInput" name="Passcode" placeholder="Passcode">',
      'Passcode',
    ],
    ['privacyIDEA', '<input type="text" name="pin_otp" placeholder="PIN and OTP">', 'PIN and OTP'],
  ] as const) {
    test(`A14 ${name}: asked with its label`, async () => {
      const { made } = await succeeds(
        { adapters: [codeAdapter(name, field, '123456')] },
        { answers: [[label, '123456']] },
      )
      expect(made.asked).toHaveLength(1)
    })
  }

  const methods = [
    'AzureMfaAuthentication',
    'CertificateAuthentication',
    'SecurIDAuthentication',
    'WindowsAuthentication',
  ]
  const choice = {
    choice: methods,
    adapters: [
      azurePush(['42']),
      codeAdapter('SecurIDAuthentication', '<input type="password" name="Passcode">', '123456'),
    ],
  }
  test('A15 the methods are offered, the choice is remembered; only those that work here', async () => {
    const first = await succeeds(choice, { answers: [['second factor', 'Use AzureMfaAuthentication']] })
    expect(first.made.asked[0]).toEndWith('Use AzureMfaAuthentication, Use SecurIDAuthentication')
    const memory = JSON.parse(first.made.files.get('sign-in.json') ?? '{}')
    expect(Object.values(memory.choices)).toEqual(['Use AzureMfaAuthentication'])
  })

  test('A15 --mfa-method names it, by id or by label', async () => {
    const byId = await succeeds(choice, { settings: { mfaMethod: 'azuremfaauthentication' } })
    expect(byId.made.asked).toEqual([])
    const settings = { mfaMethod: 'SecurID', mfaCode: '123456' }
    expect((await succeeds(choice, { settings })).made.asked).toEqual([])
  })

  test('A15 a code at hand prefers the method that takes one', async () => {
    expect((await succeeds(choice, { settings: { mfaCode: '123456' } })).made.asked).toEqual([])
  })

  test('A15 only a certificate is a matter for the browser', async () => {
    const { error } = await fails({
      adapters: [azurePush(['1'])],
      choice: ['CertificateAuthentication', 'WindowsAuthentication'],
    })
    expect(error).toMatchObject({
      kind: 'person',
      code: 'mfa-unsupported',
      message: expect.stringContaining('Certificate'),
    })
  })

  test('A16 an adapter that never ends is named at the limit', async () => {
    const endless: Adapter = { name: 'Sphinx-Adapter', show: () => '<p>Ponder</p>{error}', judge: () => 'again' }
    const { error, idp, made } = await fails({ adapters: [endless] })
    expect(error).toMatchObject({ code: 'mfa-timeout', message: expect.stringContaining('Sphinx-Adapter') })
    expect(made.waited()).toBeLessThanOrEqual(120_000)
    expect(idp.sent.length).toBeLessThanOrEqual(62)
  })

  test('A17 Silverfort: too late, and not allowed', async () => {
    const silverfort = (text: string): Adapter => ({
      name: 'SilverfortAdfs',
      show: () => '{error}',
      judge: () => ({ error: text }),
    })
    expect((await fails({ adapters: [silverfort('MFA request expired')] })).error).toMatchObject({
      code: 'mfa-timeout',
    })
    expect((await fails({ adapters: [silverfort('Not authorized')] })).error).toMatchObject({ code: 'mfa-refused' })
  })

  test('X10 a code from the command line is sent once', async () => {
    const settings = { mfaCode: '111111' }
    const { made, idp } = await succeeds(
      { adapters: [azureCode] },
      { settings, answers: [['Verification code', '222222']] },
    )
    expect(idp.sent.map(fields => fields.get('VerificationCode'))).toEqual([null, '111111', '222222'])
    expect(made.logged.join() + made.told.join()).not.toContain('111111')
    const { error } = await fails({ adapters: [azureCode] }, { settings: { mfaCode: '111111' } })
    expect(error).toMatchObject({ kind: 'person' })
  })

  test('in the background a second factor is the end of the session, and no push is sent', async () => {
    for (const adapter of [azurePush(['42']), azureCode]) {
      const { error, made, idp } = await fails(
        { adapters: [adapter] },
        { mode: 'refresh', settings: { mfaCode: '222222' } },
      )
      expect(error).toMatchObject({ kind: 'person', code: 'idp-session-ended', hint: 'cloudtoken' })
      expect([made.asked, idp.sent.length]).toEqual([[], 1])
    }
  })

  test('a person who cancels the question ends the sign-in', async () => {
    const { error, idp } = await fails({ adapters: [azureCode] }, { answers: [['Verification code', '']] })
    expect(error).toMatchObject({ code: 'mfa-refused', message: 'no new one-time code was given' })
    expect(idp.sent).toHaveLength(1)
  })
})
