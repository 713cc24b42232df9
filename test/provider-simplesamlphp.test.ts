/**
 * SimpleSAMLphp of both versions: what every provider promises, and the pages that only it has.
 */
import { describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { simplesamlphp } from '../src/provider-simplesamlphp.ts'
import { testContext } from './context.ts'
import { page, redirect, responsePage, samlResponse, startFakeIdp, type Reply, type Step } from './fake-idp.ts'
import { startSimplesamlphp } from './idp-simplesamlphp.ts'
import { providerCase } from './provider.case.ts'
import { walker } from './walk.ts'

providerCase('simplesamlphp 1', simplesamlphp, () => startSimplesamlphp(1))
providerCase('simplesamlphp 2', simplesamlphp, () => startSimplesamlphp(2))

const { succeeds, fails } = walker(simplesamlphp, 'secret-7')
const entry = '/simplesaml/saml2/idp/SSOService.php?spentityid=urn:amazon:webservices'
const sent = 'username=jane&password=secret-7'
const login = (inside = '', before = ''): string =>
  page(
    'Enter your username and password',
    `${before}<form action="/login" method="post" name="f"><input name="username"><input type="password" name="password">${inside}<button id="submit_button">Login</button></form>`,
  )
const start = (reply: Step['reply']): Step => ({ on: entry, reply })
const posted = (reply: Step['reply'], more = ''): Step => ({ on: 'POST /login', body: sent + more, reply })

/** With the form that mails a report, as every error page has one. */
function errorPage(title: string, body: string, status = 500): Reply {
  const form =
    '<form action="/simplesaml/module.php/core/errorreport.php" method="post"><input name="email"><textarea name="text"></textarea><input type="hidden" name="reportId" value="ab12"><button name="send">Send</button></form>'
  return { status, body: page(title, `<h2>${title}</h2><p>${body}</p>${form}`) }
}

describe('the entry', () => {
  for (const [what, url, path] of [
    ['a base', '/simplesaml', entry],
    ['a base with a slash', '/simplesaml/', entry],
    ['P16 the root of the server', '', entry.replace('/simplesaml', '')],
    ['P16 a base further down', '/sso/simplesamlphp/', entry.replace('/simplesaml', '/sso/simplesamlphp')],
    [
      'the service of version 2',
      '/s/module.php/saml/idp/singleSignOnService',
      '/s/module.php/saml/idp/singleSignOnService?spentityid=urn:amazon:webservices',
    ],
    [
      'a whole address',
      '/s/SSOService.php?spentityid=urn:amazon:webservices:x&RelayState=%2Fa',
      '/s/SSOService.php?spentityid=urn:amazon:webservices:x&RelayState=%2Fa',
    ],
    [
      'the name of Shibboleth',
      '/s/SSOService.php?providerId=urn:amazon:webservices',
      '/s/SSOService.php?providerId=urn:amazon:webservices',
    ],
    [
      'a service with other parameters',
      '/s/SSOService.php?RelayState=a',
      '/s/SSOService.php?RelayState=a&spentityid=urn:amazon:webservices',
    ],
  ] as const) {
    test(what, () => succeeds({ entry: url, script: [{ on: path, reply: responsePage() }] }))
  }

  test('another entity id', () =>
    succeeds({
      entry: '/simplesaml',
      settings: { extra: { spentityid: 'urn:amazon:webservices:govcloud' } },
      script: [{ on: `${entry}:govcloud`, reply: responsePage() }],
    }))

  test('must be https', async () => {
    const { context } = await testContext({ settings: { url: 'http://idp.example/simplesaml' } })
    expect(await simplesamlphp.authenticate(context).catch((error: unknown) => error)).toMatchObject({
      kind: 'config',
      code: 'insecure',
    })
  })
})

const run = { entry: '/simplesaml' }

describe('logging in', () => {
  test('P01 version 1: state in a hidden field, unescaped once', () =>
    succeeds({
      ...run,
      script: [
        start(redirect('/simplesaml/module.php/core/loginuserpass.php?AuthState=_1')),
        {
          on: '/simplesaml/module.php/core/loginuserpass.php?AuthState=_1',
          reply: page(
            'x',
            '<form action="?" method="post" name="f"><input name="username"><input type="password" name="password"><input type="submit" value="Login"><input type="hidden" name="AuthState" value="_1:https://idp/SSO?spentityid=urn:x&amp;cookieTime=1"></form>',
          ),
        },
        {
          on: 'POST /simplesaml/module.php/core/loginuserpass.php?',
          body: `${sent}&AuthState=_1%3Ahttps%3A%2F%2Fidp%2FSSO%3Fspentityid%3Durn%3Ax%26cookieTime%3D1`,
          reply: responsePage(),
        },
      ],
    }))

  test('P02 version 2: state in the query of the action', () =>
    succeeds({
      ...run,
      script: [
        start((_, origin) =>
          login().replace('/login', `${origin}/loginuserpass?AuthState=_1%3Ahttps%3A%2F%2Fidp%2FSSO%3Fa%3D1%26b`),
        ),
        {
          on: 'POST /loginuserpass?AuthState=_1%3Ahttps%3A%2F%2Fidp%2FSSO%3Fa%3D1%26b',
          body: sent,
          reply: responsePage(),
        },
      ],
    }))

  test('P03 a refusal of version 2', async () => {
    const failed = await fails({
      ...run,
      script: [
        start(login()),
        posted(login('', '<div class="message-box error"><h3>Incorrect username or password</h3></div>')),
      ],
    })
    expect(failed).toMatchObject({
      code: 'password-refused',
      message: expect.stringContaining(': Incorrect username or password'),
    })
  })

  test('P04 a refusal of version 1, in Norwegian', async () => {
    const error =
      '<div style="border: 1px"><img src="/resources/icons/experience/gtk-dialog-error.48x48.png" class="float-l erroricon" alt=""><h2>Feil</h2><p>Feil brukernavn eller passord.</p></div>'
    const failed = await fails({ ...run, script: [start(login()), posted(login('', error))] })
    expect(failed).toMatchObject({
      code: 'password-refused',
      message: expect.stringContaining('Feil brukernavn eller passord.'),
    })
  })

  test('P05 a forced user name is not sent', () =>
    succeeds({
      ...run,
      script: [
        start(login().replace('name="username"', 'name="username" value="jane" disabled')),
        { on: 'POST /login', body: 'password=secret-7', reply: responsePage() },
      ],
    }))

  const organizations =
    '<select name="organization"><option value="" disabled selected>Select</option><option value="uni">University</option><option value="lib">Library</option></select>'
  test('P06 the configured organisation, else the person\u2019s', async () => {
    const script = [start(login(organizations)), posted(responsePage(), '&organization=lib')]
    await succeeds({ ...run, script, settings: { organization: 'Library' } })
    await succeeds({ ...run, script, answers: [['organisation', 'Library']] })
    const wrong = await succeeds({
      ...run,
      script,
      settings: { organization: 'Bakery' },
      answers: [['organisation', 'Library']],
    })
    expect(wrong.logged.join('')).toContain('no organisation \u201cBakery\u201d')
  })

  test('P17 fields of other names', () =>
    succeeds({
      ...run,
      script: [
        start(login().replace('"username"', '"uid"').replace('"password">', '"pass">')),
        { on: 'POST /login', body: 'uid=jane&pass=secret-7', reply: responsePage() },
      ],
    }))

  test('P18 of two copies the one that is shown', () =>
    succeeds({
      ...run,
      script: [
        start(
          login().replace(
            '</form>',
            `</form><form style="display:none" action="/mobile" method="post"><input name="username"><input type="password" name="password"></form>`,
          ),
        ),
        posted(responsePage()),
      ],
    }))
})

describe('pages on the way', () => {
  const one = `<form action="/multi" method="get"><input type="hidden" name="AuthState" value="x">%</form>`
  const staff = `src-${Buffer.from('staff-ldap').toString('base64')}`
  for (const [version, buttons, name] of [
    [
      1,
      `<input type="submit" name="src-Z3Vlc3Rz" value="Guests"><input type="submit" name="${staff}" value="Staff">`,
      `${encodeURIComponent(staff)}=Staff`,
    ],
    [
      2,
      '<button type="submit" name="sourceChoice[guests]">Guests</button><button type="submit" name="sourceChoice[staff-ldap]">Staff</button>',
      'sourceChoice%5Bstaff-ldap%5D=',
    ],
  ] as const) {
    test(`P07 version ${version}: the configured source by key or label, else the person's`, async () => {
      const script = [
        start(page('Select a source', one.replace('%', buttons))),
        { on: `/multi?AuthState=x&${name}`, reply: responsePage() },
      ]
      await succeeds({ ...run, script, settings: { authSource: 'staff-ldap' } })
      await succeeds({ ...run, script, settings: { authSource: 'STAFF' } })
      await succeeds({ ...run, script, answers: [['sign-in source', 'Staff']] })
    })
  }

  test('P08 consent: the form that says yes', () =>
    succeeds({
      ...run,
      settings: { consent: 'accept' },
      script: [
        start(
          page(
            'Consent',
            '<form action="/yes" method="get"><input type="hidden" name="StateId" value="s"><input type="hidden" name="a" value="1"><input type="checkbox" name="saveconsent" value="1"><button name="yes" type="submit">Yes</button></form><form action="/no" method="get"><input type="hidden" name="StateId" value="s"><button name="no" type="submit">No</button></form>',
          ),
        ),
        { on: '/yes?StateId=s&a=1&yes=', reply: responsePage() },
      ],
    }))

  test('P09 the cookie of the first answer is there on the second', () =>
    succeeds({
      ...run,
      script: [
        { on: entry, reply: redirect('/check?cookieTime=1', { 'set-cookie': 'SimpleSAML=abc; path=/; HttpOnly' }) },
        {
          on: '/check?cookieTime=1',
          reply: seen => (seen.headers.cookie === 'SimpleSAML=abc' ? responsePage() : errorPage('Missing cookie', '')),
        },
      ],
    }))

  const tooShort = page(
    'Too short interval between single sign on events.',
    '<form method="get" action="/short_sso_interval"><input type="hidden" name="StateId" value="s"><input type="submit" name="continue" value="Retry login"></form>',
  )
  const retry = (reply: string): Step => ({ on: '/short_sso_interval?StateId=s&continue=Retry+login', reply })
  test('P10 too short an interval: once more, and once only', async () => {
    await succeeds({ ...run, script: [start(tooShort), retry(responsePage())] })
    expect(await fails({ ...run, script: [start(tooShort), retry(tooShort)] })).toMatchObject({
      code: 'idp-error',
      message: expect.stringContaining('Too short interval'),
    })
  })

  test('P11 a lost state starts again once, in any language', async () => {
    const lost = errorPage('State information lost', 'and no way to restart the request')
    await succeeds({ ...run, script: [start(lost), start(login()), posted(responsePage())] })
    const tapt = {
      on: '/loginuserpass.php?AuthState=1',
      reply: errorPage('Statusinformasjon er tapt', 'Det er ikke mulig'),
    }
    await succeeds({ ...run, script: [start(redirect('/loginuserpass.php?AuthState=1')), tapt, start(responsePage())] })
    expect(await fails({ ...run, script: [start(lost), start(lost)] })).toMatchObject({ code: 'state-lost' })
  })

  test('P12 an entity id that nobody knows', async () => {
    for (const [title, body] of [
      ['Metadata not found', 'Unable to locate metadata for urn:amazon:webservices'],
      ['Ikke funnet', 'Ingen opplysninger om urn:amazon:webservices'],
      ['メタデータが見つかりません', ''],
    ] as const) {
      expect(await fails({ ...run, script: [start(errorPage(title, body))] })).toMatchObject({
        kind: 'config',
        code: 'sp-unknown',
        hint: expect.stringContaining('entity id'),
      })
    }
  })

  test('P13 codes, a wrong one, and a page about backup codes', () => {
    const code = (error = ''): string =>
      page(
        '2-Step',
        `${error}<form method="post"><input type="text" name="mfaSubmission"><input type="checkbox" name="rememberMe" value="true" checked><button name="submitMfa">Verify</button></form><a href="prompt-for-mfa.php?StateId=1&amp;mfaId=2">Use a security key</a>`,
      )
    const low = page(
      'Low on codes',
      '<form method="post"><button name="getMore">Get more</button><button name="continue">Remind me later</button></form>',
    )
    const path = '/prompt-for-mfa.php?StateId=1'
    return succeeds({
      ...run,
      answers: [
        ['', '111111'],
        ['', '222222'],
      ],
      script: [
        start(login()),
        posted(redirect(path)),
        { on: path, reply: code() },
        {
          on: `POST ${path}`,
          body: 'mfaSubmission=111111&rememberMe=true&submitMfa=',
          reply: code('<p style="border: red">Oops!</p>'),
        },
        { on: `POST ${path}`, body: 'mfaSubmission=222222&rememberMe=true&submitMfa=', reply: low },
        { on: `POST ${path}`, body: 'continue=', reply: responsePage() },
      ],
    })
  })

  test('P14 privacyIDEA: the code in its field, the password once, no switch pressed', () => {
    const hidden = 'mode pushAvailable otpAvailable webAuthnSignRequest modeChanged step transactionID'.split(' ')
    const form = `<form id="piLoginForm" action="FormReceiver.php" method="post"><input type="password" name="password"><input type="password" name="otp">${hidden.map(name => `<input type="hidden" name="${name}" value="0">`).join('')}<input type="submit" name="Submit" value="Login"><input type="button" name="useWebAuthnButton" value="WebAuthn"><input type="button" name="usePushButton" value="Push"></form>`
    return succeeds({
      ...run,
      answers: [['', '123456']],
      script: [
        start(login()),
        posted(redirect('/simplesaml/module.php/privacyidea/FormBuilder.php?stateId=1')),
        { on: '/simplesaml/module.php/privacyidea/FormBuilder.php?stateId=1', reply: page('privacyIDEA', form) },
        {
          on: 'POST /simplesaml/module.php/privacyidea/FormReceiver.php',
          body: `password=&otp=123456&${hidden.map(name => `${name}=0`).join('&')}&Submit=Login`,
          reply: responsePage(),
        },
      ],
    })
  })

  const other = 'prompt-for-mfa.php?StateId=1&amp;mfaId=2'
  const codePage = page(
    '2-Step',
    `<form method="post"><input type="text" name="mfaSubmission"><button name="submitMfa">Verify</button></form><a href="${other}">Use a printable code</a>`,
  )
  const keyPage = page(
    'Security key',
    `<form method="post"><input type="hidden" name="mfaSubmission"><input type="hidden" name="submitMfa"></form><a href="${other}">Use a code from your app</a>`,
  )
  test('P13 a security key is left for a method that can be typed', () =>
    succeeds({
      ...run,
      answers: [['', '123456']],
      script: [
        start(login()),
        posted(redirect('/mfa/prompt-for-mfa.php?StateId=1')),
        { on: '/mfa/prompt-for-mfa.php?StateId=1', reply: keyPage },
        { on: '/mfa/prompt-for-mfa.php?StateId=1&mfaId=2', reply: codePage },
        {
          on: 'POST /mfa/prompt-for-mfa.php?StateId=1&mfaId=2',
          body: 'mfaSubmission=123456&submitMfa=',
          reply: responsePage(),
        },
      ],
    }))

  test('P13 a security key and nothing else needs a browser; --mfa-method leaves a page for another', async () => {
    const lonely = keyPage.replace(/<a .*<\/a>/, '')
    expect(await fails({ ...run, script: [start(login()), posted(lonely)] })).toMatchObject({
      kind: 'person',
      code: 'mfa-unsupported',
      message: expect.stringContaining('security key'),
    })
    await succeeds({
      ...run,
      settings: { mfaMethod: 'printable' },
      answers: [['', '123456']],
      script: [
        start(login()),
        posted(codePage),
        { on: '/prompt-for-mfa.php?StateId=1&mfaId=2', reply: codePage },
        {
          on: 'POST /prompt-for-mfa.php?StateId=1&mfaId=2',
          body: 'mfaSubmission=123456&submitMfa=',
          reply: responsePage(),
        },
      ],
    })
  })

  /** privacyIDEA in one of its modes. */
  const privacyIdea = (mode: string, push = '1'): string => {
    const hidden = {
      mode,
      pushAvailable: push,
      otpAvailable: '1',
      modeChanged: '0',
      transactionID: 'T1',
      message: 'Confirm with your phone!',
    }
    const inputs = Object.entries(hidden).map(
      ([name, value]) => `<input type="hidden" name="${name}" value="${value}">`,
    )
    const otp = mode === 'otp' ? '<input type="password" name="otp" placeholder="One-Time-Password">' : ''
    return page(
      'privacyIDEA',
      `<form id="piLoginForm" action="FormReceiver.php" method="post">${otp}${inputs.join('')}<input type="button" name="usePushButton" value="Push"></form>`,
    )
  }
  const receiver = (values: Readonly<Record<string, string>>, reply: string): Step => ({
    on: 'POST /FormReceiver.php',
    body: bodyOf(values),
    reply,
  })
  const bodyOf = (values: Readonly<Record<string, string>>): string => {
    const { otp, ...rest } = values
    const all = {
      mode: 'push',
      pushAvailable: '1',
      otpAvailable: '1',
      modeChanged: '0',
      transactionID: 'T1',
      message: 'Confirm with your phone!',
      ...rest,
    }
    return new URLSearchParams(otp === undefined ? all : { otp, ...all }).toString()
  }

  test('P14 privacyIDEA: a push is asked about by sending the page again', async () => {
    const done = await succeeds({
      ...run,
      script: [
        start(login()),
        posted(privacyIdea('push')),
        receiver({}, privacyIdea('push')),
        receiver({}, responsePage()),
      ],
    })
    expect(done.waited()).toBe(2000)
  })

  test('P14 privacyIDEA: --mfa-method goes from code to push, and from push to code', async () => {
    await succeeds({
      ...run,
      settings: { mfaMethod: 'push' },
      script: [
        start(login()),
        posted(privacyIdea('otp')),
        receiver({ otp: '', mode: 'push', modeChanged: '1' }, privacyIdea('push')),
        receiver({}, responsePage()),
      ],
    })
    await succeeds({
      ...run,
      settings: { mfaMethod: 'otp', mfaCode: '123456' },
      script: [
        start(login()),
        posted(privacyIdea('push')),
        receiver({ mode: 'otp', modeChanged: '1' }, privacyIdea('otp')),
        receiver({ otp: '123456', mode: 'otp' }, responsePage()),
      ],
    })
  })

  test('P14 privacyIDEA: a security key is left for what there is', () =>
    succeeds({
      ...run,
      settings: { mfaCode: '123456' },
      script: [
        start(login()),
        posted(privacyIdea('webauthn')),
        receiver({ mode: 'otp', modeChanged: '1' }, privacyIdea('otp')),
        receiver({ otp: '123456', mode: 'otp' }, responsePage()),
      ],
    }))

  test('P13 one field named code, as in Feide', () => {
    const code = page(
      'Code',
      '<form method="post" action="/code"><label for="c">Code</label><input id="c" type="text" name="code"><input type="submit" value="OK"></form>',
    )
    return succeeds({
      ...run,
      settings: { mfaCommand: 'echo 123456' },
      script: [start(login()), posted(code), { on: 'POST /code', body: 'code=123456', reply: responsePage() }],
    })
  })

  test('P15 a chain over another installation', async () => {
    const other = await startFakeIdp([
      {
        on: 'POST /saml2-acs.php',
        body: [
          ['SAMLResponse', samlResponse('https://proxy.example/acs')],
          ['RelayState', ''],
        ],
        reply: responsePage(),
      },
    ])
    try {
      await succeeds({
        ...run,
        script: [
          start(login()),
          posted(responsePage(samlResponse('https://proxy.example/acs'), `${other.origin}/saml2-acs.php`)),
        ],
      })
      expect(other.problems()).toEqual([])
    } finally {
      await other.stop()
    }
  })
})
