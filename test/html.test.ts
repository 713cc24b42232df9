import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'bun:test'
import { readPage, submit, type Control, type Form, type Page } from '../src/html.ts'
import { charsetOf, decode } from '../src/http-charset.ts'
import type { HttpRequest } from '../src/http.ts'

interface Source {
  url?: string
  status?: number
  type?: string
  headers?: Record<string, string>
}

async function maybePage(body: string | Uint8Array, source: Source = {}): Promise<Page | undefined> {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  const headers = new Headers({
    ...(source.type !== '' && { 'content-type': source.type ?? 'text/html' }),
    ...source.headers,
  })
  const text = decode(bytes, charsetOf(headers, bytes))
  return await readPage({
    url: source.url ?? 'https://idp.test/login',
    status: source.status ?? 200,
    headers,
    bytes,
    text,
  })
}

async function page(body: string | Uint8Array, source: Source = {}): Promise<Page> {
  const read = await maybePage(body, source)
  if (!read) throw new Error('no page')
  return read
}

function form(read: Page, index = 0): Form {
  const found = read.forms[index]
  if (!found) throw new Error(`no form ${index} of ${read.forms.length}`)
  return found
}

function control(read: Page, name: string): Control {
  const found = [...read.forms.flatMap(({ controls }) => controls), ...read.loose].find(c => c.name === name)
  if (!found) throw new Error(`no control ${name}`)
  return found
}

const names = (owner: Form): string[] => owner.controls.map(({ name }) => name)
/** Name and value of everything that is sent, in order. */
const sent = (request: HttpRequest): [string, string][] =>
  request.method === 'POST' ? [...new URLSearchParams(String(request.body))] : [...new URL(request.url).searchParams]

describe('where a form goes', () => {
  const document = 'https://idp.test/idp/login?AuthState=abc'
  const cases: [name: string, markup: string, target: string, url?: string][] = [
    ['F01 an empty action keeps the query', '<form method=post action="">', document],
    ['F02 action "?" drops the query', '<form method=post action="?">', 'https://idp.test/idp/login?'],
    ['F03 no action is the final URL', '<form method=post>', document],
    [
      'F04 the port stays',
      '<form method=post action="/idp/x?execution=e1s2">',
      'http://127.0.0.1:8443/idp/x?execution=e1s2',
      'http://127.0.0.1:8443/a',
    ],
    [
      'F05 a written standard port is none',
      '<form method=post action="https://idp.test:443/adfs/ls/">',
      'https://idp.test/adfs/ls/',
    ],
    [
      'F06 entities are decoded once',
      '<form method=post action="https&#x3a;&#x2f;&#x2f;idp&#x2e;test&#x2f;a&#x3f;b&#x3d;1&#x2b;2&amp;c=&amp;amp;">',
      'https://idp.test/a?b=1+2&c=&amp;',
    ],
    [
      'F07 bare ampersands are no entities',
      '<form method=post action="/x?a=1&copy=2&reg=3&lt=4&client-request-id=5">',
      'https://idp.test/x?a=1&copy=2&reg=3&lt=4&client-request-id=5',
    ],
    ['F08 upper case', '<FORM METHOD="POST" ACTION="/kc">', 'https://idp.test/kc'],
    [
      'F27 base for a relative action',
      '<base href="https://other.test/"><form method=post action="idp/z">',
      'https://other.test/idp/z',
    ],
    [
      'F27 but the document for an empty one',
      '<base href="https://other.test/"><form method=post action="">',
      document,
    ],
    ['F46 a script is no address', '<form method=post action="javascript:send(this)">', document],
    ['an action of nothing but a query', '<form method=post action="?a=b">', 'https://idp.test/idp/login?a=b'],
    ['an action of nothing but a fragment', '<form method=post action="#x">', document],
    ['an action that is no address', '<form method=post action="https://[">', document],
    [
      'an id that must not be re-encoded',
      '<form method=post action="/saml/idp/res?id=/Common/x">',
      'https://idp.test/saml/idp/res?id=/Common/x',
    ],
  ]
  for (const [name, markup, target, url = document] of cases) {
    test(name, async () => {
      const read = await page(`<html><body>${markup}<input type=hidden name=a value=1></form>`, { url })
      const request = submit(read, form(read))
      expect(request).toMatchObject({ url: target, method: 'POST', body: 'a=1' })
      expect(request.headers).toMatchObject({
        'content-type': 'application/x-www-form-urlencoded',
        origin: new URL(url).origin,
      })
    })
  }

  test('F26 a form with neither method nor action is a GET that replaces the query', async () => {
    const read = await page(
      '<form><input type=hidden name=AuthState value="_1:x"><input type=submit name="sourceChoice[a]"><input type=submit name="sourceChoice[b]" value=B></form>',
      { url: 'https://idp.test/multiauth?AuthState=old&x=y' },
    )
    const request = submit(read, form(read), {}, control(read, 'sourceChoice[b]'))
    expect(request).toMatchObject({
      url: 'https://idp.test/multiauth?AuthState=_1%3Ax&sourceChoice%5Bb%5D=B',
      method: 'GET',
    })
    expect(request.body).toBeUndefined()
  })

  test('a button may have its own action and method', async () => {
    const read = await page('<form action=/a><button name=b formaction=/other formmethod=POST>Go</button></form>')
    expect(submit(read, form(read), {}, control(read, 'b'))).toMatchObject({
      url: 'https://idp.test/other',
      method: 'POST',
      body: 'b=',
    })
    expect(submit(read, form(read))).toMatchObject({ url: 'https://idp.test/a', method: 'GET' })
  })

  test('another host learns the origin only, plain http nothing', async () => {
    const read = await page(
      '<form method=post action="https://aws.test/saml"></form><form action="http://idp.test/"></form>',
      { url: 'https://idp.test/a?secret=1' },
    )
    expect(submit(read, form(read)).headers).toMatchObject({ referer: 'https://idp.test/' })
    expect(submit(read, form(read, 1)).headers).toEqual({})
  })
})

describe('what is sent', () => {
  const cases: [name: string, markup: string, expected: [string, string][], button?: string][] = [
    ['F06 an unquoted value is decoded', '<input type=hidden name=a value=Ab9&#x3d;&#x7c;17>', [['a', 'Ab9=|17']]],
    [
      'F10 one UserName of the right form',
      '<input name=UserName value=me></form><form action=/o><input type=hidden name=UserName value=x>',
      [['UserName', 'me']],
    ],
    [
      'F11 an unchecked box stays home',
      '<input type=checkbox name=Kmsi value="true "><input type=hidden name=Kmsi>',
      [['Kmsi', '']],
    ],
    ['F11 a checked box without value says on', '<input type=checkbox name=a checked>', [['a', 'on']]],
    [
      'F12 consent is not revoked',
      '<input type=checkbox name=_shib_idp_revokeConsent value=true><input name=j_username value=u>',
      [['j_username', 'u']],
    ],
    [
      'F13 no value is an empty value',
      '<input type=hidden name=a><input type=hidden name=b><input name=c>',
      [
        ['a', ''],
        ['b', ''],
        ['c', ''],
      ],
    ],
    [
      'F14 disabled controls stay home',
      '<input name=username value=me disabled><input type=password name=password value=p>',
      [['password', 'p']],
    ],
    [
      'F15 only the pressed button',
      '<input name=otp value=1><input type=submit name=login value=In><input type=submit name=cancel value=Out>',
      [
        ['otp', '1'],
        ['login', 'In'],
      ],
      'login',
    ],
    [
      'F16 a button without type and value',
      '<button name=_eventId_proceed>Go</button><button name=_eventId_Rejected>No</button>',
      [['_eventId_proceed', '']],
      '_eventId_proceed',
    ],
    ['F17 no button at all', '<input name=a value=1><span id=submitButton onclick="go()">Sign in</span>', [['a', '1']]],
    [
      'F18 type=button is no submit',
      '<input name=a value=1><input type=button name=m-save value=Verify>',
      [['a', '1']],
    ],
    [
      'F23 a disabled placeholder gives way',
      '<select name=o><option disabled selected>Choose<option value=1>One<option value=2>Two</select>',
      [['o', '1']],
    ],
    [
      'F23 nothing selected is the first',
      '<select name=o><option>One</option><option>Two</option></select>',
      [['o', 'One']],
    ],
    [
      'F23 the selected one',
      '<select name=o><option>One</option><option selected value=2>Two</option></select>',
      [['o', '2']],
    ],
    ['a list for several, with none chosen', '<select name=o multiple><option>One</select>', []],
    [
      'a disabled group of options',
      '<select name=o><optgroup disabled><option>One</optgroup><option>Two</select>',
      [['o', 'Two']],
    ],
    ['F24 a textarea', '<textarea name=t>\na &lt; b</textarea>', [['t', 'a < b']]],
    [
      'F25 the same name five times',
      '<input type=hidden name=c value=x>'.repeat(2) + '<input type=hidden name=c value=y>'.repeat(3),
      [
        ['c', 'x'],
        ['c', 'x'],
        ['c', 'y'],
        ['c', 'y'],
        ['c', 'y'],
      ],
    ],
    [
      'F29 a submit in noscript',
      '<input type=hidden name=a value=1><noscript><input type=submit name=continue value=Go></noscript>',
      [['a', '1']],
    ],
    ['F36 an empty name is never sent', '<input type=hidden name="" value=x><input name=b value=1>', [['b', '1']]],
    [
      'F45 line ends are CRLF',
      '<input type=hidden name=a value="AA\nBB&#13;CC&#13;&#10;DD">',
      [['a', 'AA\r\nBB\r\nCC\r\nDD']],
    ],
    [
      'F52 a nameless submit comes first',
      '<input type=submit id=postLoginSubmitButton><input type=hidden name="RelayState[0]" value=r>',
      [['RelayState[0]', 'r']],
    ],
    [
      'F53 attributes in any case, order and line',
      '<INPUT\n  VALUE="PHg+"\n  NAME="SAMLResponse"\n  TYPE="HIDDEN"\n/>',
      [['SAMLResponse', 'PHg+']],
    ],
    ['F53 in a password field', '<input type=password name=SAMLResponse value="PHg+">', [['SAMLResponse', 'PHg+']]],
    [
      'F54 odd spelling',
      '<input name="a"class="b"value=\'1\'><input\n\tname = \'c\' value\n=\n"2">',
      [
        ['a', '1'],
        ['c', '2'],
      ],
    ],
    [
      'a disabled fieldset',
      '<fieldset disabled><legend><input name=l value=1></legend><input name=a value=1></fieldset><input name=b value=2>',
      [
        ['l', '1'],
        ['b', '2'],
      ],
    ],
    ['readonly controls are sent', '<input name=a value=1 readonly>', [['a', '1']]],
    [
      'the last checked of a radio group',
      '<input type=radio name=r value=1 checked><input type=radio name=r value=2 checked><input type=radio name=r value=3>',
      [['r', '2']],
    ],
    [
      'where an image was pressed',
      '<input type=image name=go src=x>',
      [
        ['go.x', '0'],
        ['go.y', '0'],
      ],
      'go',
    ],
    ['the charset on demand', '<input type=hidden name=_charset_>', [['_charset_', 'utf-8']]],
    [
      'a value with markup in it',
      '<input type=hidden name=a value="<form action=x></form><noscript>">',
      [['a', '<form action=x></form><noscript>']],
    ],
  ]
  for (const [name, markup, expected, button] of cases) {
    test(name, async () => {
      const read = await page(`<body><form method=post action=/x>${markup}</form>`)
      const request = submit(read, form(read), {}, button === undefined ? undefined : control(read, button))
      expect(sent(request)).toEqual(expected)
    })
  }

  const valueCases: [
    name: string,
    markup: string,
    values: Record<string, string | string[]>,
    expected: [string, string][],
  ][] = [
    [
      'a text replaces the value',
      '<input name=u value=old><input type=hidden name=h value=1>',
      { u: 'me' },
      [
        ['u', 'me'],
        ['h', '1'],
      ],
    ],
    [
      'a list sets repeated controls in order',
      '<input name=c><input name=c><input name=c value=z>',
      { c: ['x', 'y'] },
      [
        ['c', 'x'],
        ['c', 'y'],
        ['c', 'z'],
      ],
    ],
    [
      'what is left of a list follows',
      '<input name=c><input name=d>',
      { c: ['x', 'y'] },
      [
        ['c', 'x'],
        ['d', ''],
        ['c', 'y'],
      ],
    ],
    [
      'a box is checked by its value',
      '<input type=checkbox name=c value=a><input type=checkbox name=c value=b>',
      { c: 'b' },
      [['c', 'b']],
    ],
    ['a box is unchecked', '<input type=checkbox name=c checked>', { c: [] }, []],
    ['an option is chosen', '<select name=o><option value=1><option value=2></select>', { o: '2' }, [['o', '2']]],
    [
      'F14 a disabled control stays home all the same',
      '<input name=username disabled><input name=b>',
      { username: 'me' },
      [['b', '']],
    ],
    [
      'a field that a script would add',
      '<input name=a value=1>',
      { sig_response: 's' },
      [
        ['a', '1'],
        ['sig_response', 's'],
      ],
    ],
    [
      'names of the language itself',
      '<input name=constructor value=1><input name=__proto__ value=2>',
      {},
      [
        ['constructor', '1'],
        ['__proto__', '2'],
      ],
    ],
  ]
  for (const [name, markup, values, expected] of valueCases) {
    test(name, async () => {
      const read = await page(`<form method=post>${markup}</form>`)
      expect(sent(submit(read, form(read), values))).toEqual(expected)
    })
  }

  test('F19 the hidden fields of PingFederate as its script would set them', async () => {
    const read = await page(
      '<form method=post action=/as><input name=pf.username><input type=password name=pf.pass><input type=hidden name=pf.ok><input type=hidden name=pf.cancel><a href="#" onclick="postOk();">Sign On</a></form>',
    )
    const request = submit(read, form(read), { 'pf.username': 'me', 'pf.pass': 'p', 'pf.ok': 'clicked' })
    expect(sent(request)).toEqual([
      ['pf.username', 'me'],
      ['pf.pass', 'p'],
      ['pf.ok', 'clicked'],
      ['pf.cancel', ''],
    ])
    expect(request.sensitive).toBe(true)
    expect(read.links).toEqual([{ id: '', href: '#', text: 'Sign On', onclick: 'postOk();' }])
  })

  test('a form without a filled password field is not sensitive', async () => {
    const read = await page('<form method=post><input type=password name=p><input name=u></form>')
    expect(submit(read, form(read), { u: 'me' }).sensitive).toBeUndefined()
  })

  test('multipart', async () => {
    const read = await page(
      '<form method=post enctype="multipart/form-data"><input name="a&quot;b" value="ü&#10;x"><input type=file name=f></form>',
    )
    const { headers, body } = submit(read, form(read))
    const boundary = /^multipart\/form-data; boundary=(.+)$/.exec(headers?.['content-type'] ?? '')?.[1]
    const text = Buffer.from(body as Uint8Array).toString('utf8')
    expect(text.replaceAll(boundary ?? '?', 'B')).toBe(
      '--B\r\nContent-Disposition: form-data; name="a%22b"\r\n\r\nüx\r\n' +
        '--B\r\nContent-Disposition: form-data; name="f"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--B--\r\n',
    )
  })
})

describe('who owns a control', () => {
  test('F20 terms of use: a form in a form', async () => {
    const read = await page(`<body>
      <form action="/e" method="post" name="A"><fieldset>
        <form action="/e" method="post" name="B"><input type="hidden" name="csrf_token" value="t"><input type="checkbox" name="_shib_idp_consentIds" value="tou" required>
      </fieldset><button type="submit" name="_eventId_proceed">Accept</button></form>
      <form action="/e" method="post" name="C"><input type="hidden" name="csrf_token" value="t"><button name="_eventId_TermsRejected">Refuse</button>
      </form></form>`)
    expect(read.forms.map(f => f.name)).toEqual(['A', 'C'])
    const request = submit(read, form(read), { _shib_idp_consentIds: 'tou' }, control(read, '_eventId_proceed'))
    expect(sent(request)).toEqual([
      ['csrf_token', 't'],
      ['_shib_idp_consentIds', 'tou'],
      ['_eventId_proceed', ''],
    ])
    expect(names(form(read, 1))).toEqual(['csrf_token', '_eventId_TermsRejected'])
  })

  const cases: [name: string, markup: string, expected: string[][], loose?: string[]][] = [
    [
      'F21 an end tag around it does not close a form',
      '<div><form><input name=a></div><input name=b></form><input name=c>',
      [['a', 'b']],
      ['c'],
    ],
    [
      'F21 a form opened in a row and closed after the table',
      '<table><tr><form><td><input name=a></td></tr><tr><td><input name=b></td></tr></table><input name=c></form><input name=d>',
      [['a', 'b', 'c']],
      ['d'],
    ],
    [
      'F22 form="id" wins, wherever it stands',
      '<input name=a form=f><form id=f><input name=b></form><form><input name=c form=f><input name=d form=g></form><input name=e>',
      [['a', 'b', 'c'], []],
      ['d', 'e'],
    ],
    [
      'the first end tag closes, the next is stray',
      '<form><input name=a><form><input name=b></form><input name=c></form><form><input name=d></form>',
      [['a', 'b'], ['d']],
      ['c'],
    ],
    ['an unclosed form goes on to the end', '<form><input name=a><p><form><input name=b>', [['a', 'b']]],
    [
      'an element open across the end tag stays in the form',
      '<form><div></form><input name=a></div><input name=b>',
      [['a']],
      ['b'],
    ],
    ['unless it is a paragraph, which ends there', '<form><p>x</form><input name=a>', [[]], ['a']],
    [
      'a form in a paragraph ends the paragraph',
      '<p><form><div></form><input name=a></div><input name=b>',
      [['a']],
      ['b'],
    ],
    ['and a table keeps nothing', '<table><form><tr></form><td><input name=a></table>', [[]], ['a']],
    [
      'another form opened there takes over',
      '<form id=a><div></form><form id=b><input name=x></form><input name=y></div>',
      [['y'], ['x']],
    ],
  ]
  for (const [name, markup, expected, loose = []] of cases) {
    test(name, async () => {
      const read = await page(`<body>${markup}`)
      expect(read.forms.map(names)).toEqual(expected)
      expect(read.loose.map(c => c.name)).toEqual(loose)
    })
  }

  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
  ]) {
    test(`F09 three forms, in the order ${order.join()}`, async () => {
      const parts = [
        '<form action="/lang"><select name=l><option>en</select></form>',
        '<form id=loginForm method=post action="/adfs/ls?x=1"><input name=UserName><input type=password name=Password></form>',
        '<form id=options method=post action="https://idp.test:443/adfs/ls?y=2"><input type=hidden name=AuthMethod></form>',
      ]
      const read = await page(order.map(index => parts[index]).join(''))
      const login = read.forms.find(f => f.controls.some(c => c.type === 'password'))
      if (!login) throw new Error('no login form')
      expect(submit(read, login, { UserName: 'u', Password: 'p' })).toMatchObject({
        url: 'https://idp.test/adfs/ls?x=1',
        body: 'UserName=u&Password=p',
      })
    })
  }

  test('F28 a fragment, and a page that starts with its title', async () => {
    const fragment = await page(
      '<div id=c>Log in</div><form name=IDPLogin><input type=hidden name=option value=credential></form>',
    )
    expect(names(form(fragment))).toEqual(['option'])
    const bare = await page('<!DOCTYPE html><title>Sign &amp; in</title><form><input name=a></form>')
    expect(bare.title).toBe('Sign & in')
    expect(names(form(bare))).toEqual(['a'])
  })

  test('F30 a whole document in noscript', async () => {
    const read =
      await page(`<html><head><title>Real</title></head><body><noscript><!DOCTYPE html><html><head><title>Other</title></head><body>
      <div class=error role=alert>PingID requires Javascript</div><form action=/no><input name=n></form></body></html></noscript>
      <form action="/yes" method=post><input name=otp></form></body></html>`)
    expect(read.title).toBe('Real')
    expect(read.errors).toEqual([])
    expect(read.forms.map(f => f.action)).toEqual(['/yes'])
    expect(read.text).not.toContain('Javascript')
  })

  test('F30 even when its tags do not match', async () => {
    const read = await page(
      '<body><div hidden><noscript></div></body></html><form id=n></noscript></div><form id=y><input name=a></form>',
    )
    expect(read.forms.map(f => f.id)).toEqual(['y'])
  })

  test('F35 forms that are none', async () => {
    const read = await page(`<body><!-- <form id=1></form> --><!--[if IE]><form id=2></form><![endif]-->
      <template><form id=3><template></template><input name=t></form></template><script>var s = "<form id=4></form>"</script>
      <iframe src=x><form id=5></form></iframe><textarea><form id=6></form></textarea><style>/* <form id=7> */</style><form id=8></form>`)
    expect(read.forms.map(f => f.id)).toEqual(['8'])
  })

  test('F36 decoys are not shown, the real fields are', async () => {
    const read = await page(
      '<form><input type=password name=hiddenPassword aria-hidden=true tabindex=-1><input name=identifier style="x:y; display: none"><div style="display:none"><input name=trap></div><input type=password name=Passwd></form>',
    )
    expect(
      form(read)
        .controls.filter(c => !c.invisible)
        .map(c => c.name),
    ).toEqual(['Passwd'])
  })

  test('a password step that a script will show counts as shown, its trap does not', async () => {
    const read = await page(
      '<form><div><input name=user></div><div class=hidden><input type=password name=pass><input name=otp></div><div hidden><input name=trap></div></form>',
    )
    expect(
      form(read)
        .controls.filter(c => !c.invisible)
        .map(c => c.name),
    ).toEqual(['user', 'pass', 'otp'])
  })
})

describe('where a page goes by itself', () => {
  const at = 'https://idp.test/a/b?c=d'
  const cases: [name: string, markup: string, hop: string | undefined, source?: Source][] = [
    [
      'F29 a refresh in noscript',
      '<head><noscript><meta http-equiv=refresh content="0;url=/jsdisabled"></noscript></head><form></form>',
      undefined,
    ],
    ['F31 a refresh', '<meta http-equiv="refresh" content="20;url=/n?a=1&amp;b=2">', 'https://idp.test/n?a=1&b=2'],
    ['F31 with quotes and blanks', `<META CONTENT="0; URL='/n'" HTTP-EQUIV="Refresh">`, 'https://idp.test/n'],
    ['F31 with a comma', '<meta http-equiv=refresh content="5,url=n">', 'https://idp.test/a/n'],
    ['F31 without url=', '<meta http-equiv=refresh content="0; /n">', 'https://idp.test/n'],
    ['F31 of the header', '<p>wait</p>', 'https://idp.test/h', { headers: { refresh: '0;url=/h' } }],
    [
      'F31 against the base',
      '<base href="https://other.test/x/"><meta http-equiv=refresh content="0;url=n">',
      'https://other.test/x/n',
    ],
    ['F31 after ten minutes it is a time-out', '<meta http-equiv=refresh content="600;url=/timeout">', undefined],
    ['F31 of the page itself', '<meta http-equiv=refresh content="5">', undefined],
    ['F31 to a script', '<meta http-equiv=refresh content="0;url=javascript:x()">', undefined],
    [
      'F32 not the decoy link',
      '<meta http-equiv=refresh content="20;url=/f?_eventId_proceed=1"><a href="login-retry">again</a>',
      'https://idp.test/f?_eventId_proceed=1',
    ],
    [
      'F33 onload, with status 401',
      `<body onload="window.location = '/next?_eventId=x'">`,
      'https://idp.test/next?_eventId=x',
      { status: 401 },
    ],
    ['F33 onload in another case', `<BODY OnLoad="window.location='/next'">`, 'https://idp.test/next'],
    [
      'F34 a script of the body',
      String.raw`<body><script>window.location.href='https://idp.test/n\x2Dm?x=1\u0026y=\/';</script>`,
      'https://idp.test/n-m?x=1&y=/',
    ],
    [
      'F34 location.replace',
      '<div></div><script type="text/javascript">location.replace("/r")</script>',
      'https://idp.test/r',
    ],
    ['F34 not in the head', '<head><script>location.href="/x"</script></head><body>x</body>', undefined],
    ['F34 not of a template', '<script type="text/html">location.href="/x"</script><p>x</p>', undefined],
    [
      'F34 a function called on load',
      '<head><script>function go() { location.href = "/go" }</script></head><body onload="go()">',
      'https://idp.test/go',
    ],
    [
      'F55 a function nobody calls',
      '<script>function forgot() { window.location.href = "/forgot" }</script><form><input type=password name=p></form>',
      undefined,
    ],
  ]
  for (const [name, markup, hop, source] of cases) {
    test(name, async () => {
      expect((await page(markup, { url: at, ...source })).hop).toBe(hop)
    })
  }

  const submitting: [name: string, markup: string, expected: boolean][] = [
    ['F08 onload', '<BODY Onload="document.forms[0].submit()"><FORM METHOD=POST></FORM>', true],
    ['by javascript:', '<body onload="javascript:document.forms[0].submit()"><form></form>', true],
    [
      'by a script of the body',
      "<form name=hiddenform></form><script>window.setTimeout('document.forms[0].submit()', 0);</script>",
      true,
    ],
    ['onload of something else', '<body onload="SimpleSAML_focus(\'username\')"><form></form>', false],
    ['a handler', '<form></form><script>function go() { document.forms[0].submit() }</script>', false],
    ['no form to send', '<body onload="document.forms[0].submit()">', false],
  ]
  for (const [name, markup, expected] of submitting) {
    test(`sends itself: ${name}`, async () => {
      expect((await page(markup)).submitsItself).toBe(expected)
    })
  }
})

describe('what is a page', () => {
  const none: [name: string, body: string, source?: Source][] = [
    ['F43 empty', ''],
    ['F43 white space', ' \r\n\t '],
    ['F43 text', 'Service Unavailable', { status: 503, type: 'text/plain' }],
    ['F43 text that claims to be HTML', 'Service Unavailable', { status: 503 }],
    ['F43 JSON', '{"html":"<form></form>"}', { type: 'application/json' }],
    ['F43 JSON that claims to be HTML', '{"html":"<form></form>"}'],
    ['F43 SOAP', '<soap11:Envelope><soap11:Body/></soap11:Envelope>', { type: 'text/xml' }],
    ['F43 SOAP without a type', '<S:Envelope xmlns:S="x"><S:Body/></S:Envelope>', { type: '' }],
    ['F43 XML', '<?xml version="1.0"?><Response/>', { type: 'application/xml' }],
  ]
  for (const [name, body, source] of none) {
    test(name, async () => {
      expect(await maybePage(body, source)).toBeUndefined()
    })
  }

  test('F43 a page needs no type', async () => {
    expect((await page('<form><input name=a></form>', { type: '' })).forms).toHaveLength(1)
  })

  test('F44 ISO-8859-1: read and sent in the charset of the page', async () => {
    const html =
      '<meta http-equiv=content-type content="text/html; charset=iso-8859-1"><form method=post><label for=u>Für</label><input id=u name=u value="ü">'
    const read = await page(Buffer.from(html, 'latin1'))
    expect(control(read, 'u')).toMatchObject({ label: 'Für', value: 'ü' })
    expect(submit(read, form(read)).body).toBe('u=%FC')
    expect(submit(read, form(read), { u: 'ß€ ł' }).body).toBe('u=%DF%80+%26%23322%3B')
  })

  test('F44 accept-charset goes before the charset of the page', async () => {
    const read = await page('<form method=post accept-charset="nonsense, iso-8859-15 utf-8"><input name=u value="€">')
    expect(submit(read, form(read)).body).toBe('u=%A4')
  })

  test('F44 two bytes for a character', async () => {
    const read = await page('<form method=post accept-charset="shift_jis"><input name=u value="ア日a">')
    expect(submit(read, form(read)).body).toBe('u=%83A%93%FAa')
  })

  test('F44 a byte order mark, and XHTML with a prolog', async () => {
    const marked = await page(Buffer.from('\ufeff<form method=post><input name=u value="ü">', 'utf8'))
    expect(submit(marked, form(marked)).body).toBe('u=%C3%BC')
    expect(marked.source.startsWith('<form')).toBe(true)
    const xhtml = await page(
      '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html PUBLIC "x"><html xmlns="y"><form><input name="a"/></form></html>',
      { type: 'application/xhtml+xml' },
    )
    expect(names(form(xhtml))).toEqual(['a'])
  })
})

describe('what went wrong', () => {
  const cases: [name: string, markup: string, errors: string[]][] = [
    [
      'ADFS',
      '<div id=error><label id=errorText for="">Incorrect user ID or password.</label></div>',
      ['Incorrect user ID or password.'],
    ],
    ['F56 an empty element', '<div id=error class=error><span id=errorText> </span></div>', []],
    [
      'F56 a hidden one',
      '<p class=error style="display:none">Enter a name</p><div hidden><p role=alert>Too</p></div><p class="error hidden">Too</p>',
      [],
    ],
    ['Shibboleth 3', '<p class="form-element form-error">Your account is locked.</p>', ['Your account is locked.']],
    [
      'Shibboleth 5',
      '<p class="output-message output--error">The password you entered was incorrect.</p>',
      ['The password you entered was incorrect.'],
    ],
    [
      'SimpleSAMLphp 2',
      '<div class="message-box error"><h3>Incorrect username or password</h3><p>Either no user</p></div>',
      ['Incorrect username or password Either no user'],
    ],
    [
      'SimpleSAMLphp 1',
      '<div style="x"><img src="/icons/gtk-dialog-error.48x48.png" class="float-l erroricon" alt=""><h2>Error</h2><p><strong>Incorrect username or password</strong></p></div><h2>Enter</h2>',
      ['Error Incorrect username or password'],
    ],
    [
      'Keycloak',
      '<span id="input-error" class="pf-c-form__helper-text" aria-live=polite>Invalid username or password.</span>',
      ['Invalid username or password.'],
    ],
    [
      'Keycloak, as an alert',
      '<div class="alert-error"><span class=icon></span><span class="kc-feedback-text">Ungültig.</span></div>',
      ['Ungültig.'],
    ],
    [
      'PingFederate',
      '<div class="ping-messages"><div class="ping-error">We didn\'t recognize it.</div></div>',
      ["We didn't recognize it."],
    ],
    [
      'an error around its field is read from the message',
      '<div class="form-group has-error"><label>Password</label><input name=p><span class=help-block>Wrong</span></div>',
      ['Wrong'],
    ],
    [
      'an invalid field and its description',
      '<input name=u aria-invalid=true aria-describedby="hint e"><p id=e>Unknown user</p>',
      ['Unknown user'],
    ],
    ['said twice', '<p role=alert>No</p><p class=error>No</p>', ['No']],
    ['nothing that drives a terminal', '<p role=alert>a\u001b[2Jb\u202ec</p>', ['a [2Jbc']],
  ]
  for (const [name, markup, errors] of cases) {
    test(name, async () => {
      expect((await page(`<body>${markup}<form><input name=x></form>`)).errors).toEqual(errors)
    })
  }
})

describe('what a person reads', () => {
  const cases: [name: string, markup: string, label: string][] = [
    ['a label by id', '<input id=a name=a placeholder=p><label for=a>User\n <b>name</b></label>', 'User name'],
    ['a label around it', '<label>Code <input name=a></label>', 'Code'],
    ['a placeholder', '<input name=a placeholder="6 digits">', '6 digits'],
    ['aria-label', '<input name=a aria-label=Token>', 'Token'],
    ['aria-labelledby', '<b id=x>Pass</b><b id=y>code</b><input name=a aria-labelledby="x y">', 'Pass code'],
    ['the cell before', '<table><tr><td>Enter:<td><input name=a>', 'Enter:'],
    [
      'the text after a box',
      '<p>Choose</p><input type=radio name=a value=1> Phone 1<br><input type=radio name=b> Phone 2',
      'Phone 1',
    ],
    ['what stands on a button', '<button name=a value=x><span>Sign</span> in</button>', 'Sign in'],
    ['the value of a button', '<input type=submit name=a value=Next>', 'Next'],
  ]
  for (const [name, markup, label] of cases) {
    test(name, async () => {
      expect(control(await page(`<form>${markup}</form>`), 'a').label).toBe(label)
    })
  }

  test('text is what is shown, with words apart', async () => {
    const read = await page(
      '<body><h1>Wel<b>come</b></h1><p>Bob</p><style>p{}</style><div hidden>secret</div><script>var x</script>',
    )
    expect(read.text).toBe('Welcome Bob')
  })

  test('links are absolute, scripts and fragments stay', async () => {
    const read = await page(
      '<base href="https://cdn.test/x/"><A HREF="y?a&amp;b" ID=l>Go</A><a href="#">f</a><a href="javascript:x()">s</a><a>none</a>',
    )
    expect(read.links).toEqual([
      { id: 'l', href: 'https://cdn.test/x/y?a&b', text: 'Go', onclick: '' },
      { id: '', href: '#', text: 'f', onclick: '' },
      { id: '', href: 'javascript:x()', text: 's', onclick: '' },
    ])
  })
})
