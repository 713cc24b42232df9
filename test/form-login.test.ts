/**
 * The walk against a strict script: every request is expected, byte for byte, and nothing else is sent.
 */
import { describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { form } from '../src/provider-form.ts'
import { testContext } from './context.ts'
import { awsAcs, page, redirect, responsePage, samlResponse, startFakeIdp, withFakeIdp, type Step } from './fake-idp.ts'
import { walker } from './walk.ts'

const password = 'c0rrect horse&<"é'
const typedPassword = new URLSearchParams({ p: password }).toString().slice(2)
const sent = `username=jane&password=${typedPassword}`
const login = (inside = '', attributes = 'method="post" action="/login"'): string =>
  page('Sign in', `<form ${attributes}><input name="username"><input type="password" name="password">${inside}</form>`)
const success: Step = { on: 'POST /login', body: sent, reply: responsePage() }

const { succeeds, fails } = walker(form, password)

describe('where a form is sent', () => {
  test('F01 an empty action keeps the query', () =>
    succeeds({
      script: [
        { on: '/login?AuthState=abc', reply: login('', 'method="post" action=""') },
        { on: 'POST /login?AuthState=abc', body: sent, reply: responsePage() },
      ],
      entry: '/login?AuthState=abc',
    }))

  test('F02 the action "?" drops the query', () =>
    succeeds({
      entry: '/login?AuthState=abc',
      script: [
        {
          on: '/login?AuthState=abc',
          reply: login(
            '<input type="hidden" name="AuthState" value="_1:https://sp/?a=1&amp;b=2">',
            'method="post" action="?"',
          ),
        },
        {
          on: 'POST /login?',
          body: `${sent}&AuthState=_1%3Ahttps%3A%2F%2Fsp%2F%3Fa%3D1%26b%3D2`,
          reply: responsePage(),
        },
      ],
    }))

  test('F03 without an action the final URL counts', () =>
    succeeds({
      script: [
        { on: '/start', reply: redirect('/a') },
        { on: '/a', reply: redirect('/b?x=1') },
        { on: '/b?x=1', reply: login('', 'method="post"') },
        { on: 'POST /b?x=1', body: sent, reply: responsePage() },
      ],
    }))

  test('F04 F06 F07 a port is kept, entities are decoded once, bare ampersands stay', () =>
    succeeds({
      script: [
        {
          on: '/start',
          reply: login(
            '',
            'method="post" action="&#x2f;idp&#x2f;x?execution&#x3d;e1s2&copy=2&lt=4&client-request-id=5"',
          ),
        },
        { on: 'POST /idp/x?execution=e1s2&copy=2&lt=4&client-request-id=5', body: sent, reply: responsePage() },
      ],
    }))

  test('F08 a page in capitals that sends itself', () =>
    succeeds({
      script: [
        {
          on: '/start',
          reply: {
            status: 401,
            body: '<HTML><HEAD><TITLE>Kerberos Unsupported</TITLE></HEAD><BODY Onload="document.forms[0].submit()"><FORM METHOD="POST" ACTION="/go"><INPUT TYPE="HIDDEN" NAME="a" VALUE="1"><NOSCRIPT><INPUT TYPE="SUBMIT" NAME="continue"></NOSCRIPT></FORM></BODY></HTML>',
          },
        },
        { on: 'POST /go', body: 'a=1', reply: login() },
        success,
      ],
    }))

  const language = '<form action="/lang"><select name="lang"><option>en</option><option>de</option></select></form>'
  const options =
    '<form method="post" action="/options"><input type="hidden" name="UserName"><input type="hidden" name="o" value="1"></form>'
  for (const [order, body] of [
    ['before', language + options + '%'],
    ['behind', '%' + options + language],
  ] as const) {
    test(`F09 F10 other forms ${order} the log-in form are left alone`, () =>
      succeeds({
        script: [{ on: '/start', reply: login().replace(/<form.*<\/form>/, form => body.replace('%', form)) }, success],
      }))
  }

  test('F26 a form with neither method nor action is a GET to its own path', () =>
    succeeds({
      entry: '/multi?AuthState=x',
      settings: { authSource: 'B' },
      script: [
        {
          on: '/multi?AuthState=x',
          reply: page(
            'Select',
            '<form><input type="hidden" name="AuthState" value="x"><button name="sourceChoice[a]">Staff</button><button name="sourceChoice[b]">Guests</button></form>',
          ),
        },
        { on: '/multi?AuthState=x&sourceChoice%5Bb%5D=', reply: login() },
        success,
      ],
    }))

  test('F27 base href counts for a relative action', () =>
    succeeds({
      entry: '/idp/x/y',
      script: [
        {
          on: '/idp/x/y',
          reply: (_, origin) =>
            login('', 'method="post" action="idp/z"').replace('<head>', `<head><base href="${origin}/">`),
        },
        { on: 'POST /idp/z', body: sent, reply: responsePage() },
      ],
    }))

  test('F46 an action that is a script counts as none', () =>
    succeeds({
      entry: '/s?x=1',
      script: [
        { on: '/s?x=1', reply: login('', 'method="post" action="javascript:send(this)"') },
        { on: 'POST /s?x=1', body: sent, reply: responsePage() },
      ],
    }))
})

describe('what is sent', () => {
  test('F11 F12 boxes that are not ticked stay at home', () =>
    succeeds({
      script: [
        {
          on: '/start',
          reply: login(
            '<input type="checkbox" name="Kmsi" value="true "><input type="hidden" name="Kmsi"><input type="checkbox" name="_shib_idp_revokeConsent" value="true">',
          ),
        },
        { on: 'POST /login', body: `${sent}&Kmsi=`, reply: responsePage() },
      ],
    }))

  test('F13 hidden fields without a value are sent empty', () =>
    succeeds({
      script: [
        { on: '/start', reply: login('<input type="hidden" name="credentialId"><input type="hidden" name="">') },
        { on: 'POST /login', body: `${sent}&credentialId=`, reply: responsePage() },
      ],
    }))

  test('F14 a disabled user name is not sent', () =>
    succeeds({
      script: [
        { on: '/start', reply: login().replace('name="username"', 'name="username" value="jane" disabled') },
        { on: 'POST /login', body: `password=${typedPassword}`, reply: responsePage() },
      ],
    }))

  for (const [name, buttons, extra] of [
    [
      'F15 login and not cancel',
      '<input type="submit" name="cancel" value="Cancel"><input type="submit" name="login" value="Log in">',
      '&login=Log+in',
    ],
    [
      'F16 the event that proceeds',
      '<button name="_eventId_Rejected">No</button><button name="_eventId_authn/Duo">Duo</button><button name="_eventId_proceed">Go</button>',
      '&_eventId_proceed=',
    ],
    [
      'F17 no button where a span stands in for one',
      '<span id="submitButton" onclick="Login.submit()">Sign in</span>',
      '',
    ],
    ['F18 no button of type button', '<input type="button" name="m-save" value="Verify">', ''],
    [
      'F19 what the script of a link would set',
      '<input type="hidden" name="pf.ok"><input type="hidden" name="pf.cancel"><a href="#" onclick="postOk()">Sign on</a>',
      '&pf.ok=clicked&pf.cancel=',
    ],
    ['F29 no button inside noscript', '<noscript><button name="continue">Continue</button></noscript>', ''],
  ] as const) {
    test(name, () =>
      succeeds({
        script: [
          { on: '/start', reply: login(buttons) },
          { on: 'POST /login', body: sent + extra, reply: responsePage() },
        ],
      }),
    )
  }

  test('F36 a decoy password field stays empty', () =>
    succeeds({
      script: [
        {
          on: '/start',
          reply: page(
            'x',
            '<form method="post" action="/login"><input type="password" name="hiddenPassword" aria-hidden="true" tabindex="-1"><input name="username"><input type="password" name="password"></form>',
          ),
        },
        { on: 'POST /login', body: `hiddenPassword=&${sent}`, reply: responsePage() },
      ],
    }))

  test('F37 a password field of type text', () =>
    succeeds({ script: [{ on: '/start', reply: login().replace('type="password"', 'type="text"') }, success] }))

  test('F44 the charset of the page is the charset of the answer', () =>
    succeeds({
      username: 'jörg',
      password: 'geheim',
      script: [
        {
          on: '/start',
          reply: { headers: { 'content-type': 'text/html; charset=iso-8859-1' }, body: Buffer.from(login(), 'latin1') },
        },
        { on: 'POST /login', body: 'username=j%F6rg&password=geheim', reply: responsePage() },
      ],
    }))

  test('F23 an organisation is asked for where none is configured, and remembered', async () => {
    const select =
      '<select name="organization"><option value="" selected disabled>Choose</option><option value="a">Alpha</option><option value="b">Beta</option></select>'
    const script: Step[] = [
      { on: '/start', reply: login(select) },
      { on: 'POST /login', body: `${sent}&organization=b`, reply: responsePage() },
    ]
    const asked = await succeeds({ script, answers: [['organisation', 'Beta']] })
    expect(asked.asked).toHaveLength(1)
    await succeeds({ script, settings: { organization: 'beta' } })
    await withFakeIdp(script, async idp => {
      const earlier = asked
      earlier.files.set(
        'sign-in.json',
        earlier.files.get('sign-in.json')?.replace(/127\.0\.0\.1:\d+/, new URL(idp.origin).host) ?? '',
      )
      const { context } = await testContext({
        password,
        mode: 'refresh',
        earlier,
        settings: { url: `${idp.origin}/start` },
      })
      await form.authenticate(context)
    })
  })
})

describe('pages that lead on', () => {
  test('F31 F32 a meta refresh, and not the decoy link', async () => {
    const done = await succeeds({
      script: [
        { on: '/start', reply: login() },
        {
          on: 'POST /login',
          body: sent,
          reply: page(
            'Expiring password',
            '<p>Your password will expire in 3 days.</p><a href="/login-retry">retry</a><a href="/n?a=1&amp;_eventId_proceed=1">here</a>',
          ).replace('<head>', '<head><META HTTP-EQUIV="Refresh" content="20; URL=\'/n?a=1&amp;b=2\'">'),
        },
        { on: '/n?a=1&b=2', reply: responsePage() },
      ],
    })
    expect(done.logged.join('')).toContain('Your password will expire in 3 days.')
  })

  test('F32 without a meta refresh the link that proceeds', () =>
    succeeds({
      script: [
        {
          on: '/start',
          reply: page('x', '<a href="/login-retry">retry</a><a href="/n?a=1&amp;_eventId_proceed=1">here</a>'),
        },
        { on: '/n?a=1&_eventId_proceed=1', reply: responsePage() },
      ],
    }))

  test('F33 F34 onload and script addresses, also with status 401', () =>
    succeeds({
      script: [
        {
          on: '/start',
          reply: { status: 401, body: page('SPNEGO', '', `onload="window.location = '/next?_eventId=x'"`) },
        },
        {
          on: '/next?_eventId=x',
          reply: page('', String.raw`<script>window.location.href='/m?x=1\u0026y\x2Dz=2';</script>`),
        },
        { on: '/m?x=1&y-z=2', reply: responsePage() },
      ],
    }))

  test('F47 the user name first, then the password', () =>
    succeeds({
      script: [
        {
          on: '/start',
          reply: page(
            'Sign in',
            '<form method="post" action="/user"><input name="username"><button>Next</button></form>',
          ),
        },
        {
          on: 'POST /user',
          body: 'username=jane',
          reply: page(
            'Sign in',
            '<form method="post" action="/pass"><p>jane</p><input type="password" name="password"><button>Sign in</button></form>',
          ),
        },
        { on: 'POST /pass', body: `password=${typedPassword}`, reply: responsePage() },
      ],
    }))

  const self = (action: string): string =>
    page(
      '',
      `<form method="post" action="${action}"><input type="hidden" name="n" value="1"></form>`,
      'onload="document.forms[0].submit()"',
    )
  test('F48 a chain of forty forms stops at the limit', async () => {
    const script: Step[] = [{ on: '/start', reply: self('/1') }]
    for (let n = 1; n < 30; n += 1) script.push({ on: `POST /${n}`, body: 'n=1', reply: self(`/${n + 1}`) })
    expect(await fails({ script })).toMatchObject({ code: 'too-many-pages', kind: 'network' })
  })

  test('F48 two pages that send to each other stop at the limit', async () => {
    const script: Step[] = [{ on: '/start', reply: self('/1') }]
    for (let n = 1; n < 30; n += 1) script.push({ on: `POST /${n % 2}`, body: 'n=1', reply: self(`/${(n + 1) % 2}`) })
    const failed = await fails({ script })
    expect(failed).toMatchObject({ code: 'too-many-pages', kind: 'network' })
    expect(failed.message).toContain('30 pages')
  })

  test('SAML request, WS-Federation and OpenID Connect forms, and the storage pages of Shibboleth', () =>
    succeeds({
      script: [
        {
          on: '/start',
          reply: page(
            '',
            '<form method="post" action="/saml"><input type="hidden" name="SAMLRequest" value="a+b="><input type="hidden" name="RelayState" value="r"><noscript><input type="submit"></noscript></form>',
          ),
        },
        {
          on: 'POST /saml',
          body: 'SAMLRequest=a%2Bb%3D&RelayState=r',
          reply: page(
            '',
            '<form method="post" action="/wsfed"><input type="hidden" name="wa" value="wsignin1.0"><input type="hidden" name="wresult" value="&lt;t/>"><input type="hidden" name="wctx" value="c"></form>',
          ),
        },
        {
          on: 'POST /wsfed',
          body: 'wa=wsignin1.0&wresult=%3Ct%2F%3E&wctx=c',
          reply: page(
            '',
            '<form method="post" action="/oidc"><input type="hidden" name="code" value="xyz"><input type="hidden" name="state" value="s"></form>',
          ),
        },
        {
          on: 'POST /oidc',
          body: 'code=xyz&state=s',
          reply: page(
            'Loading Session Information',
            '<form name="form1" method="post" action="/ls"><input type="hidden" name="csrf_token" value="t"><input type="hidden" name="shib_idp_ls_exception.k"><input type="hidden" name="shib_idp_ls_success.k" value="false"><input type="hidden" name="shib_idp_ls_value.k"><input type="hidden" name="shib_idp_ls_supported"><input type="hidden" name="_eventId_proceed"><noscript><input type="submit" value="Continue"></noscript></form>',
            'onload="doLoad()"',
          ),
        },
        {
          on: 'POST /ls',
          body: 'csrf_token=t&shib_idp_ls_exception.k=&shib_idp_ls_success.k=false&shib_idp_ls_value.k=&shib_idp_ls_supported=&_eventId_proceed=',
          reply: responsePage(),
        },
      ],
    }))
})

describe('the response', () => {
  test('F49 wins over a log-in form on the same page', () =>
    succeeds({
      script: [
        { on: '/start', reply: responsePage().replace('<form', `${/<form.*<\/form>/.exec(login())?.[0]}<form`) },
      ],
    }))

  test('F50 an empty one is no success', async () => {
    expect(await fails({ script: [{ on: '/start', reply: responsePage('') }] })).toMatchObject({ code: 'saml-missing' })
  })

  test('F51 one for another service provider is sent on to it', () =>
    succeeds({
      script: [
        { on: '/start', reply: responsePage(samlResponse('https://sp.example/acs', '_inner'), '/acs') },
        {
          on: 'POST /acs',
          body: [
            ['SAMLResponse', samlResponse('https://sp.example/acs', '_inner')],
            ['RelayState', ''],
          ],
          reply: responsePage(),
        },
      ],
    }))

  test('F45 F52 F53 white space, odd names beside it, and any type of field', async () => {
    const spread = samlResponse().replace(/(.{60})/g, '$1\r\n')
    await succeeds({
      script: [
        {
          on: '/start',
          reply: page(
            '',
            `<form method='post' action='${awsAcs}'><input type=submit id=postLoginSubmitButton><input type="hidden" name="RelayState[0]" value="a"><INPUT TYPE='password'\n NAME = "SAMLResponse"class="x" VALUE="${spread}"\n/></form>`,
          ),
        },
      ],
    })
  })

  test('for a look-alike of AWS goes on to that host and is not taken', async () => {
    const other = await startFakeIdp([{ on: 'POST /saml', reply: page('Thanks', 'nothing here') }])
    try {
      const failed = await fails({
        script: [{ on: '/start', reply: responsePage(samlResponse(`${other.origin}/saml`), `${other.origin}/saml`) }],
      })
      expect(failed.code).toBe('page-unknown')
      expect(other.problems()).toEqual([])
    } finally {
      await other.stop()
    }
  })

  test('without an action is for whom its Destination says', () =>
    succeeds({ script: [{ on: '/start', reply: responsePage(samlResponse(), 'javascript:go()') }] }))

  test('never leads to AWS without an assertion', async () => {
    const failed = await fails({
      script: [
        {
          on: '/start',
          reply: page(
            '',
            `<form method="post" action="${awsAcs}"><input type="hidden" name="a"></form>`,
            'onload="document.forms[0].submit()"',
          ),
        },
      ],
    })
    expect(failed.code).toBe('saml-missing')
  })
})

describe('refusals', () => {
  const again = (error = '', attributes?: string): string =>
    login(undefined, attributes).replace('<form', `${error}<form`)

  for (const [name, error, code] of [
    ['an error element', '<div role="alert">Wrong!</div>', 'password-refused'],
    [
      'text in no known element, in any language',
      '<section><b>Feil brukernavn eller passord</b></section>',
      'password-refused',
    ],
    ['no text at all', '', 'password-refused'],
    ['a locked account', '<p class="output-message output--error">Your account is locked.</p>', 'account-locked'],
    ['a locked account in German', '<p class="form-error">Ihr Konto ist gesperrt.</p>', 'account-locked'],
    ['a disabled account', '<p class="error">This account has been disabled.</p>', 'account-disabled'],
    ['an expired password', '<p class="error">Your password has expired.</p>', 'password-expired'],
  ] as const) {
    test(`the same form again with ${name} is one post and ${code}`, async () => {
      const failed = await fails({
        script: [
          { on: '/start', reply: login() },
          { ...success, reply: again(error) },
        ],
      })
      expect(failed).toMatchObject({ code, kind: 'refused' })
      const text = error.replace(/<[^>]*>/g, '')
      expect(failed.message).toContain(text)
      expect(failed.made.passwords()).toBe(1)
    })
  }

  test('F56 an error that was there before, empty or hidden, is none', () =>
    succeeds({
      script: [
        {
          on: '/start',
          reply: again('<span id="errorText"></span><div class="error" style="display:none">Wrong!</div>'),
        },
        success,
      ],
    }))

  test('a notice that was there before is not the reason', async () => {
    const notice = '<div role="alert">Account locked? Call 555.</div>'
    const failed = await fails({
      script: [
        { on: '/start', reply: again(notice) },
        { ...success, reply: again(`${notice}<div role="alert">Nope</div>`) },
      ],
    })
    expect(failed).toMatchObject({ code: 'password-refused', message: expect.stringMatching(/: Nope$/) })
  })

  test('a refusal that starts over with the user name', async () => {
    const first = page(
      'Sign in',
      '<form method="post" action="/user"><input name="username"><button>Next</button></form>',
    )
    const failed = await fails({
      script: [
        { on: '/start', reply: first },
        {
          on: 'POST /user',
          body: 'username=jane',
          reply: page('Sign in', '<form method="post" action="/pass"><input type="password" name="password"></form>'),
        },
        { on: 'POST /pass', body: `password=${typedPassword}`, reply: first },
      ],
    })
    expect(failed.code).toBe('password-refused')
  })

  test('a user name that is not known', async () => {
    const first = page(
      'Sign in',
      '<form method="post" action="/user"><input name="username"><button>Next</button></form>',
    )
    const failed = await fails({
      script: [
        { on: '/start', reply: first },
        {
          on: 'POST /user',
          body: 'username=jane',
          reply: first.replace('<form', '<p role="alert">Unknown user</p><form'),
        },
      ],
    })
    expect(failed).toMatchObject({ code: 'username-refused', message: expect.stringContaining('Unknown user') })
  })

  test('status 401 after the password, without a form', async () => {
    const failed = await fails({
      script: [
        { on: '/start', reply: login() },
        { ...success, reply: { status: 401, body: page('Nope', '<p>Sorry</p>') } },
      ],
    })
    expect(failed.code).toBe('password-refused')
  })

  test('no access to AWS', async () => {
    const failed = await fails({
      script: [
        { on: '/start', reply: login() },
        { ...success, reply: { status: 403, body: page('Access Denied', '<p>You may not use this service.</p>') } },
      ],
    })
    expect(failed).toMatchObject({ code: 'no-access', kind: 'refused' })
  })

  test('an empty password is not sent', async () => {
    expect(await fails({ password: '', script: [{ on: '/start', reply: login() }] })).toMatchObject({ kind: 'config' })
  })

  test('F40 three password fields: nothing is sent', async () => {
    const body =
      '<form method="post" action="/change"><input type="password" name="current"><input type="password" name="new"><input type="password" name="confirm"></form>'
    const failed = await fails({
      script: [
        { on: '/start', reply: login() },
        { ...success, reply: page('Change', body) },
      ],
    })
    expect(failed).toMatchObject({ code: 'password-expired', kind: 'refused' })
  })

  test('F41 a captcha: nothing is sent', async () => {
    const failed = await fails({ script: [{ on: '/start', reply: login('<img src="/c.png"><input name="ca">') }] })
    expect(failed).toMatchObject({ code: 'captcha', hint: expect.stringContaining('--browser') })
  })

  test('F42 the form of an error page is not filled in', async () => {
    const body =
      '<h2>Unhandled exception</h2><form method="post" action="/errorReport.php"><input name="email"><textarea name="text"></textarea><input type="hidden" name="reportId" value="1"><button name="send">Send</button></form>'
    const failed = await fails({ script: [{ on: '/start', reply: { status: 500, body: page('Error', body) } }] })
    expect(failed).toMatchObject({
      code: 'idp-error',
      kind: 'network',
      message: expect.stringContaining('Unhandled exception'),
    })
  })

  for (const [name, reply, expected] of [
    ['nothing', { body: '' }, /empty body \(status 200\)/],
    ['white space', { body: ' \n ' }, /empty body/],
    [
      'text',
      { status: 503, headers: { 'content-type': 'text/plain' }, body: 'Service Unavailable' },
      /text\/plain.*status 503.*Service Unavailable/,
    ],
    [
      'JSON',
      { headers: { 'content-type': 'application/json' }, body: '{"sessionToken":"20111wvQ"}' },
      /application\/json instead of a page \(status 200\)$/,
    ],
  ] as const) {
    test(`F43 ${name} instead of a page`, async () => {
      const failed = await fails({ script: [{ on: '/start', reply }] })
      expect(failed).toMatchObject({ kind: 'network', message: expect.stringMatching(expected) })
    })
  }

  test('Duo and security keys need a browser', async () => {
    const duo = page(
      'Duo',
      '<iframe id="duo_iframe" data-host="api-1.duosecurity.com"></iframe><a href="/x?_eventId=cancel">cancel</a>',
    )
    expect(await fails({ script: [{ on: '/start', reply: duo }] })).toMatchObject({
      code: 'mfa-unsupported',
      kind: 'person',
    })
    const key = page(
      'Key',
      '<form method="post"><input type="hidden" name="clientDataJSON"><input type="hidden" name="authenticatorData"></form>',
    )
    expect(await fails({ script: [{ on: '/start', reply: key }] })).toMatchObject({ code: 'mfa-unsupported' })
  })
})

describe('one-time codes', () => {
  const code = (error = '', field = '<input name="otp">'): string =>
    page(
      'Second factor',
      `${error}<form method="post" action="/otp">${field}<button name="submitMfa">Go</button></form>`,
    )
  const start: Step[] = [
    { on: '/start', reply: login() },
    { ...success, reply: code() },
  ]
  const wrong = (value: string, reply: string): Step => ({ on: 'POST /otp', body: `otp=${value}&submitMfa=`, reply })

  test('a wrong code is asked for again and never resent', async () => {
    const done = await succeeds({
      script: [...start, wrong('111111', code('<p class="error">Wrong code</p>')), wrong('222222', responsePage())],
      answers: [
        ['', '111111'],
        ['', '222222'],
      ],
    })
    expect(done.told.join()).toContain('Wrong code')
    expect(done.passwords()).toBe(1)
  })

  test('three wrong codes are the end', async () => {
    const failed = await fails({
      script: [...start, wrong('111111', code()), wrong('222222', code()), wrong('333333', code())],
      answers: [
        ['', '111111'],
        ['', '222222'],
        ['', '333333'],
        ['', '444444'],
      ],
    })
    expect(failed).toMatchObject({ code: 'mfa-refused', kind: 'refused' })
  })

  test('a wrong code that leads back to the password sends it no second time', async () => {
    const failed = await fails({ script: [...start, wrong('111111', login())], answers: [['', '111111']] })
    expect(failed.code).toBe('mfa-refused')
  })

  test('a lock-out is not answered', async () => {
    const failed = await fails({
      script: [...start, wrong('111111', code('<p class="error">Your account is locked</p>'))],
      answers: [
        ['', '111111'],
        ['', '2'],
      ],
    })
    expect(failed.code).toBe('account-locked')
  })

  test('F38 a code field of type password never gets the password', () =>
    succeeds({
      answers: [[/code|passcode/i, '123456']],
      script: [
        { on: '/start', reply: login() },
        {
          ...success,
          reply: page(
            'SecurID',
            '<form method="post"><input type="hidden" name="Context" value="c"><input type="hidden" name="AuthMethod" value="SecurIDAuthentication"><input type="password" name="Passcode"></form><form id="options" method="post"><input type="hidden" name="AuthMethod"></form>',
          ),
        },
        {
          on: 'POST /login',
          body: 'Context=c&AuthMethod=SecurIDAuthentication&Passcode=123456',
          reply: responsePage(),
        },
      ],
    }))

  test('F39 a password and a code on one page get a value each', () =>
    succeeds({
      answers: [['', '123456']],
      script: [
        { on: '/start', reply: login('<input type="password" name="otp">') },
        { on: 'POST /login', body: `${sent}&otp=123456`, reply: responsePage() },
      ],
    }))
})

describe('where secrets may go', () => {
  test('C12 a foreign host is asked about once, and remembered', async () => {
    const foreign = await startFakeIdp([success, success, success].map(step => ({ ...step })))
    const start: Step = { on: '/start', reply: login('', `method="post" action="${foreign.origin}/login"`) }
    try {
      await withFakeIdp([start, start], async idp => {
        const settings = { url: `${idp.origin}/start` }
        const first = await testContext({ password, settings, answers: [[new URL(foreign.origin).host, true]] })
        await form.authenticate(first.context)
        expect(first.asked).toHaveLength(1)
        const second = await testContext({ password, settings, earlier: first, mode: 'refresh' })
        await form.authenticate(second.context)
        expect(second.asked).toEqual([])
      })
      const refused = await fails({ script: [start], answers: [['', false]] })
      expect(refused).toMatchObject({ code: 'foreign-host', kind: 'refused' })
      const background = await fails({ script: [start], mode: 'refresh' })
      expect(background).toMatchObject({ code: 'foreign-host', kind: 'person' })
      expect(foreign.seen).toHaveLength(2)
      expect(refused.made.passwords() + background.made.passwords()).toBe(0)
    } finally {
      await foreign.stop()
    }
  })

  test('never over plain http to another machine', async () => {
    const failed = await fails({
      script: [{ on: '/start', reply: login('', 'method="post" action="http://idp.example/login"') }],
    })
    expect(failed).toMatchObject({ code: 'insecure' })
    expect(failed.made.passwords()).toBe(0)
  })

  test('never in an address', async () => {
    const failed = await fails({ script: [{ on: '/start', reply: login('', 'action="/login"') }] })
    expect(failed).toMatchObject({ code: 'insecure' })
  })
})

describe('tokens and secrets on the way', () => {
  test('an assertion for somebody else does not travel in the clear', async () => {
    const failed = await fails({
      script: [{ on: '/start', reply: responsePage(samlResponse('http://sp.example/acs'), 'http://sp.example/acs') }],
    })
    expect(failed).toMatchObject({ code: 'insecure', message: expect.stringContaining('http://sp.example/acs') })
  })

  test('a password is not carried to another host by a redirect', async () => {
    const other = await startFakeIdp([])
    try {
      const reply = { status: 307, headers: { location: `${other.origin}/login` } }
      const failed = await fails({
        script: [
          { on: '/start', reply: login() },
          { ...success, reply },
        ],
      })
      expect(failed.kind).toBe('network')
      expect(other.seen).toEqual([])
    } finally {
      await other.stop()
    }
  })

  test('a page that echoes the password does not get it into the message', async () => {
    const echo = login().replace('<form', '<p role="alert">“c0rrect horse&amp;&lt;&quot;é” is wrong</p><form')
    const failed = await fails({
      script: [
        { on: '/start', reply: login() },
        { ...success, reply: echo },
      ],
    })
    expect(failed.message).toEndWith(': “*****” is wrong')
  })

  test('the link of another identity provider is taken when it is the configured source', () =>
    succeeds({
      settings: { authSource: 'corp' },
      script: [
        {
          on: '/start',
          reply: login().replace(
            '<form',
            '<a id="social-other" href="/other">Other</a><a id="social-corp" href="/broker/corp?x=1&amp;y=2">Corporate</a><form',
          ),
        },
        { on: '/broker/corp?x=1&y=2', reply: login() },
        success,
      ],
    }))
})

describe('consent', () => {
  const consent = page(
    'Information Release',
    '<p>mail: jane@example.org</p><form method="post" action="/consent"><input type="hidden" name="_shib_idp_consentIds" value="mail"><input type="hidden" name="_shib_idp_consentIds" value="uid"><input type="radio" name="o" value="1"><input type="radio" name="o" value="2" checked><button name="_eventId_AttributeReleaseRejected">Reject</button><button name="_eventId_proceed">Accept</button></form>',
  )
  const start: Step = { on: '/start', reply: consent }
  const accepted: Step = {
    on: 'POST /consent',
    body: '_shib_idp_consentIds=mail&_shib_idp_consentIds=uid&o=2&_eventId_proceed=',
    reply: responsePage(),
  }

  test('is asked about with the text of the page, and remembered', async () => {
    await withFakeIdp([start, accepted, start, accepted], async idp => {
      const settings = { url: `${idp.origin}/start` }
      const first = await testContext({ settings, answers: [['Information Release', true]] })
      await form.authenticate(first.context)
      expect(first.told.join()).toContain('mail: jane@example.org')
      const second = await testContext({ settings, earlier: first, mode: 'refresh' })
      await form.authenticate(second.context)
      await form.forget?.(second.context)
      expect([...second.files.keys()]).toEqual([])
    })
  })

  test('follows the setting', async () => {
    await succeeds({ script: [start, accepted], settings: { consent: 'accept' } })
    expect(await fails({ script: [start], settings: { consent: 'refuse' } })).toMatchObject({ code: 'consent-refused' })
    expect(await fails({ script: [start], answers: [['', false]] })).toMatchObject({ code: 'consent-refused' })
    expect(await fails({ script: [start], mode: 'refresh' })).toMatchObject({
      code: 'idp-session-ended',
      kind: 'person',
    })
  })

  test('F20 terms of use in nested forms: token, box and the button that proceeds', () =>
    succeeds({
      settings: { consent: 'accept' },
      script: [
        {
          on: '/start',
          reply: page(
            'Terms of Use',
            '<form action="/tou" method="post"><fieldset><form action="/tou" method="post"><input type="hidden" name="csrf_token" value="t"><input type="checkbox" name="_shib_idp_consentIds" value="k" required></fieldset><button type="submit" name="_eventId_proceed">Submit</button></form><form action="/tou" method="post"><input type="hidden" name="csrf_token" value="t"><button name="_eventId_TermsRejected">Refuse</button></form></form>',
          ),
        },
        { on: 'POST /tou', body: 'csrf_token=t&_shib_idp_consentIds=k&_eventId_proceed=', reply: responsePage() },
      ],
    }))

  test('impersonation goes on as oneself', () =>
    succeeds({
      script: [
        {
          on: '/start',
          reply: page(
            'Impersonation',
            '<form method="post" action="/i"><input name="principal"><button name="_eventId_impersonate">Impersonate</button><button name="_eventId_proceed">Continue</button></form>',
          ),
        },
        { on: 'POST /i', body: 'principal=&_eventId_proceed=', reply: responsePage() },
      ],
    }))
})

describe('in the background', () => {
  test('nothing is asked; a log-in page without a stored password is the end of the session', async () => {
    await withFakeIdp([{ on: '/start', reply: login() }], async idp => {
      const { context, asked } = await testContext({ mode: 'refresh', settings: { url: `${idp.origin}/start` } })
      const error = await form.authenticate(context).catch((error: unknown) => error)
      expect(error).toMatchObject({ kind: 'person', code: 'idp-session-ended', hint: 'cloudtoken' })
      expect(asked).toEqual([])
    })
  })

  test('a stored password signs in again', () =>
    succeeds({ mode: 'refresh', script: [{ on: '/start', reply: login() }, success] }))

  test('an abort ends the walk between two pages', async () => {
    await withFakeIdp([{ on: '/start', reply: login() }], async idp => {
      const abort = new AbortController()
      const { context } = await testContext({ settings: { url: `${idp.origin}/start` } })
      const password = async (): Promise<string> => {
        abort.abort(new Error('enough'))
        return 'secret'
      }
      const error = await form
        .authenticate({ ...context, password, signal: abort.signal })
        .catch((thrown: unknown) => thrown)
      expect(error).toEqual(new Error('enough'))
    })
  })
})

describe('a lost state', () => {
  const stale: Step['reply'] = {
    status: 400,
    body: page(
      'Web Login Service - Stale Request',
      '<p>You may be seeing this page because you used the Back button</p>',
    ),
  }

  test('starts again once', () =>
    succeeds({ script: [{ on: '/start', reply: stale }, { on: '/start', reply: login() }, success] }))

  test('behind the password, too, which nobody has judged', () =>
    succeeds({
      script: [
        { on: '/start', reply: login() },
        { ...success, reply: stale },
        { on: '/start', reply: login() },
        success,
      ],
    }))

  test('and not twice', async () => {
    expect(
      await fails({
        script: [
          { on: '/start', reply: stale },
          { on: '/start', reply: stale },
        ],
      }),
    ).toMatchObject({ code: 'state-lost' })
  })
})

test('X07 a page that is not understood: title, place and a copy without secrets', async () => {
  const secret = 'dGhpcyBpcyBhIHNlY3JldCB0b2tlbg1234567890'
  const strange = page(
    'Strange',
    `<p>Hello ${password.replace('&', '&amp;').replace('<', '&lt;')}</p><form method="post" action="/x?token=${secret}"><input type="hidden" name="csrf" value="abc123"><input name="q" value="mine"><button>Find</button></form><script>var t = {"csrfToken": "short1"}</script>`,
  )
  const failed = await fails({
    script: [
      { on: '/start', reply: login() },
      { on: 'POST /login', body: sent, reply: redirect('/strange?ticket=ST-1#x') },
      { on: '/strange?ticket=ST-1', reply: strange },
    ],
  })
  expect(failed).toMatchObject({ code: 'page-unknown', kind: 'network' })
  expect(failed.message).toMatch(/“Strange” at http:\/\/127\.0\.0\.1:\d+\/strange \(status 200\).*\/state\/page\.html$/)
  const copy = failed.made.files.get('page.html') ?? ''
  expect(copy).toContain('<title>Strange</title>')
  expect(copy).toContain('name="csrf" value="*****"')
  for (const hidden of [secret, 'abc123', 'mine', 'short1', 'ST-1', 'horse']) expect(copy).not.toContain(hidden)
  expect(failed.made.logged.join('')).not.toContain(password)
})
