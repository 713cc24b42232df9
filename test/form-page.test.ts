/**
 * What a page is taken for, page by page, without a walk.
 */
import { describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { chooseButton } from '../src/form-button.ts'
import { classify, type PageKind } from '../src/form-page.ts'
import { duoOf } from '../src/mfa-duo.ts'
import { readPage, type Page } from '../src/html.ts'
import { awsAcs, page, responsePage, samlResponse } from './fake-idp.ts'

async function read(text: string, status = 200, url = 'https://idp.example/p'): Promise<Page> {
  const headers = new Headers({ 'content-type': 'text/html; charset=utf-8' })
  const found = await readPage({ url, status, headers, bytes: new TextEncoder().encode(text), text })
  if (!found) throw new Error('no page')
  return found
}

const classes = async (text: string, status?: number, url?: string): Promise<PageKind> =>
  classify(await read(text, status, url))

const user = '<input name="username">'
const pass = '<input type="password" name="password">'
const form = (inside: string, attributes = 'method="post"'): string => page('', `<form ${attributes}>${inside}</form>`)
const hidden = (...names: string[]): string =>
  names.map(name => `<input type="hidden" name="${name}" value="v">`).join('')

describe('classes', () => {
  const table: readonly (readonly [name: string, source: string, kind: PageKind['kind']])[] = [
    ['a response', responsePage(), 'response'],
    ['F49 a response beside a log-in', responsePage() + `<form method="post">${user}${pass}</form>`, 'response'],
    ['F50 an empty response', responsePage(''), 'hop-form'],
    [
      'a response that is no XML',
      page('', `<form method="post" action="${awsAcs}"><input type="hidden" name="SAMLResponse" value="AAAA"></form>`),
      'unknown',
    ],
    [
      'a response with a DOCTYPE',
      form(
        `<input type="hidden" name="SAMLResponse" value="${Buffer.from('<!DOCTYPE x><Response/>').toString('base64')}">`,
      ),
      'unknown',
    ],
    ['a SAML request', form(hidden('SAMLRequest')), 'hop-form'],
    ['WS-Federation', form(hidden('wa', 'wresult')), 'hop-form'],
    ['half of WS-Federation', form(hidden('wa')), 'unknown'],
    ['OpenID Connect', form(hidden('id_token', 'state')), 'hop-form'],
    ['a storage page', form(hidden('shib_idp_ls_success.k')), 'hop-form'],
    ['the WebAuthn probe of PingID', form('<input type="hidden" name="isWebAuthnSupportedByBrowser">'), 'hop-form'],
    ['the way to PingID', form(hidden('ppm_request')), 'hop-form'],
    ['the way back from PingID', form(hidden('RelayState')), 'hop-form'],
    [
      'a RelayState beside what a script fills in',
      form(`${hidden('RelayState')}<input type="hidden" name="key">`),
      'unknown',
    ],
    ['a RelayState in one form of several', `${form(hidden('RelayState'))}${form(user + pass)}`, 'credentials'],
    [
      'a form1 with something to press',
      `<form id="form1" method="post">${hidden('csrfToken')}<button name="accept">I accept the terms</button><button name="decline">No</button></form>`,
      'consent',
    ],
    ['a frame of Duo', page('', '<iframe id="duo_iframe"></iframe>'), 'duo'],
    [
      'an old frame of Duo that is not used',
      form(`${user}${pass}<input type="hidden" name="duo_host">`),
      'credentials',
    ],
    ['a code', form('<input name="otp">'), 'code'],
    ['a code of type password', form('<input type="password" name="j_tokencode">'), 'code'],
    ['a code by autocomplete', form('<input name="x" autocomplete="one-time-code">'), 'code'],
    [
      'a code by its label',
      form('<label for="p">SecurID code</label><input type="password" id="p" name="pf.pass">'),
      'code',
    ],
    [
      'a password by its label',
      form(`${user}<label for="p">Password or passcode</label><input type="password" id="p" name="x">`),
      'credentials',
    ],
    [
      'F39 a password and a code',
      form(`<input type="password" name="password"><input type="password" name="otp">`),
      'code',
    ],
    ['user name, password and code', form(`${user}${pass}<input name="totp">`), 'credentials'],
    ['user name and code', form('<input name="Ecom_User_ID"><input type="password" name="Ecom_Token">'), 'code'],
    ['an adapter of ADFS', form(`${hidden('Context', 'AuthMethod')}<input type="password" name="answer">`), 'code'],
    [
      'the password form of ADFS',
      form(`${hidden('Context')}<input type="hidden" name="AuthMethod" value="FormsAuthentication">${user}${pass}`),
      'credentials',
    ],
    ['an adapter of ADFS without a field', form(hidden('Context', 'AuthMethod')), 'push'],
    [
      'a choice of methods at ADFS',
      form(
        `${hidden('Context')}<input type="hidden" name="AuthMethod"><a href="#" id="A" onclick="SelectOption('A')">A</a>`,
      ),
      'method',
    ],
    [
      'a log-in beside a choice of methods',
      form(`${user}${pass}<a href="#" onclick="SelectOption('CertificateAuthentication')">Certificate</a>`),
      'credentials',
    ],
    ['a security key', form(hidden('authenticatorData', 'clientDataJSON')), 'method'],
    [
      'a security key beside a code',
      form(hidden('authenticatorData', 'clientDataJSON')) + form('<input name="otp">'),
      'code',
    ],
    [
      'a passkey beside a log-in',
      form(hidden('authenticatorData', 'clientDataJSON'), 'method="post" id="webauth"') + form(user + pass),
      'credentials',
    ],
    ['a security key of the SIL module', form(hidden('mfaSubmission', 'submitMfa')), 'method'],
    ['a form to Duo', form(hidden('adfs_context', 'adfs_auth_method')), 'hop-form'],
    ['a form back from Duo', form(hidden('duo_code', 'state', 'context')), 'hop-form'],
    ['the plugin form of Duo', form(hidden('tx'), 'method="post" id="plugin_form"'), 'duo'],
    ['a log-in form of the same id', form(user + pass, 'method="post" id="login-form"'), 'credentials'],
    ['a log-in', form(user + pass), 'credentials'],
    ['F28 a fragment', `<form method="post">${user}${pass}</form>`, 'credentials'],
    [
      'F28 a page without html and body',
      `<!DOCTYPE html><title>x</title><form method="post">${user}${pass}</form>`,
      'credentials',
    ],
    [
      'F35 only a frame holds a log-in',
      page(
        'Home',
        `<!-- <form>${pass}</form> --><template><form>${pass}</form></template><iframe><form>${pass}</form></iframe><script>"<form>${pass}</form>"</script>`,
      ),
      'unknown',
    ],
    [
      'F55 a log-in whose script could go elsewhere',
      page(
        '',
        `<script>function forgot() { window.location.href = '/forgot' }</script><form method="post">${user}${pass}</form>`,
      ),
      'credentials',
    ],
    [
      'F54 tags without blanks',
      `<form method='post'><input name="u"class="b" type = 'text'><input\ntype=password\nname='p'></form>`,
      'credentials',
    ],
    [
      'F30 a document in noscript',
      page(
        '',
        `<noscript><!DOCTYPE html><html><head><title>Error</title></head><body><div class="error">requires JavaScript</div></body></html></noscript><form method="post">${user}${pass}</form>`,
      ),
      'credentials',
    ],
    [
      'F40 a new password',
      form('<input type="password" name="a"><input type="password" name="b"><input type="password" name="c">'),
      'new-password',
    ],
    [
      'a new password, twice',
      form('<input type="password" name="newPassword"><input type="password" name="newPassword2">'),
      'new-password',
    ],
    [
      'one password that claims to be new',
      form(`${user}<input type="password" name="p" autocomplete="new-password">`),
      'credentials',
    ],
    ['F41 a captcha', form(`${user}${pass}<input name="captcha">`), 'captcha'],
    ['a captcha widget', form(`${user}${pass}<div class="g-recaptcha" data-sitekey="x"></div>`), 'captcha'],
    ['F47 a user name alone', form('<input name="loginfmt"><button>Next</button>'), 'identifier'],
    [
      'a forgotten password',
      form('<input name="email"><button>Send</button>', 'action="/forgot" method="post"'),
      'unknown',
    ],
    ['a search box', form('<input name="q"><button>Search</button>', 'action="/search"'), 'unknown'],
    [
      'consent of Shibboleth',
      form(`${hidden('_shib_idp_consentIds')}<button name="_eventId_proceed">Accept</button>`),
      'consent',
    ],
    ['consent of SimpleSAMLphp', form(`${hidden('StateId')}<button name="yes">Yes</button>`), 'consent'],
    [
      'terms',
      page(
        'Terms of use',
        '<form method="post"><button name="accept">Accept</button><button name="cancel">Decline</button></form>',
      ),
      'consent',
    ],
    [
      'sources of version 2',
      form('<button name="sourceChoice[a]">A</button><button name="sourceChoice[b]">B</button>', ''),
      'choice',
    ],
    [
      'one select',
      form(
        '<select name="idpentityid"><option value="a">A</option><option value="b">B</option></select><button>Go</button>',
      ),
      'choice',
    ],
    ['a choice of language', form('<select name="lang"><option value="de">Deutsch</option></select>'), 'unknown'],
    [
      'radio buttons',
      form(
        '<input type="radio" name="method" value="a"><input type="radio" name="method" value="b"><button>Go</button>',
      ),
      'choice',
    ],
    [
      'a form that sends itself',
      page('', `<form method="post">${hidden('a')}</form>`, 'onload="document.forms[0].submit()"'),
      'hop-form',
    ],
    [
      'a log-in that sends itself',
      page('', `<form method="post">${user}${pass}</form>`, 'onload="document.forms[0].submit()"'),
      'credentials',
    ],
    ['F31 a refresh', '<meta http-equiv=refresh content="0;url=/n"><p>Wait</p>', 'hop'],
    ['a refresh that cancels', '<meta http-equiv=refresh content="0;url=/n?_eventId=cancel"><p>Wait</p>', 'unknown'],
    [
      'F29 a refresh in noscript',
      '<noscript><meta http-equiv=refresh content="0;url=/n"></noscript><p>Wait</p>',
      'unknown',
    ],
    [
      'continue',
      page('', `<form method="post">${hidden('a')}<button name="continue">Go on</button></form>`),
      'continue',
    ],
    [
      'a lone button without a name',
      page('', `<form method="post">${hidden('a')}<input type="submit"></form>`),
      'continue',
    ],
    [
      'log out',
      page('', `<form method="post" action="/logout">${hidden('a')}<input type="submit" value="Log out"></form>`),
      'unknown',
    ],
    ['send and cancel', form('<button name="send">Send</button><button name="cancel">Cancel</button>'), 'unknown'],
    ['an error element', page('', '<div role="alert">No</div>'), 'failure'],
    ['an error title', page('Access Denied', 'No'), 'failure'],
    ['a report form', form('<input name="email"><textarea name="text"></textarea>'), 'failure'],
    ['a short report form', form('<input name="email"><input type="hidden" name="reportId" value="1">'), 'failure'],
    ['a plain page', page('Home', 'Welcome'), 'unknown'],
  ]
  for (const [name, source, kind] of table) {
    test(`${name}: ${kind}`, async () => expect((await classes(source)).kind).toBe(kind))
  }

  test('a page with an error status is a failure', async () =>
    expect((await classes(page('', 'x'), 500)).kind).toBe('failure'))
  test('links that are none, and tags that never end', async () => {
    const bad =
      '<a href="http://[x?mfaId=1&StateId=2">a</a><form method="post"><input type="hidden" name="mfaSubmission"></form>'
    expect(await classes(page('', bad))).toMatchObject({ kind: 'method', ways: [] })
    const shown = await read(page('', ''))
    const start = performance.now()
    for (const tag of ['<iframe id=x ', '<b data-akey= ', '<b data-authkey= ']) {
      duoOf({ ...shown, source: tag.repeat(300_000) })
    }
    expect(performance.now() - start).toBeLessThan(10_000)
  })
  test('a page at Duo', async () =>
    expect((await classes(form(hidden('a')), 200, 'https://api-1.duosecurity.com/x')).kind).toBe('duo'))
})

describe('fields', () => {
  const names = (kind: PageKind): unknown => {
    if (kind.kind !== 'credentials' && kind.kind !== 'code') return kind.kind
    return [kind.userName?.name, kind.password?.name, kind.code?.name]
  }
  for (const [source, expected] of [
    [user + pass, ['username', 'password', undefined]],
    [
      '<input name="a"><input name="uid"><input name="domain"><input type="password" name="pass">',
      ['uid', 'pass', undefined],
    ],
    ['<input name="a"><input name="b"><input type="password" name="c"><input name="d">', ['b', 'c', undefined]],
    [
      '<input name="ctl00$ContentPlaceHolder1$UsernameTextBox"><input name="x"><input type="password" name="ctl00$ContentPlaceHolder1$PasswordTextBox">',
      ['ctl00$ContentPlaceHolder1$UsernameTextBox', 'ctl00$ContentPlaceHolder1$PasswordTextBox', undefined],
    ],
    [
      '<input type="hidden" name="pf.userType"><input name="pf.username"><input type="password" name="pf.pass">',
      ['pf.username', 'pf.pass', undefined],
    ],
    [
      '<input type="hidden" name="userNameInputOptionsHolder"><input type="email" name="UserName"><input type="password" name="Password">',
      ['UserName', 'Password', undefined],
    ],
    [`${user}${pass}<input type="tel" name="mfatoken">`, ['username', 'password', 'mfatoken']],
    ['<input name="user"><input type="text" name="passwd">', ['user', 'passwd', undefined]],
  ] as const) {
    test(JSON.stringify(expected), async () => expect(names(await classes(form(source)))).toEqual([...expected]))
  }
})

describe('buttons', () => {
  for (const [buttons, expected] of [
    ['<button name="cancel">x</button><button name="login">x</button>', 'login'],
    ['<button name="_eventId_authn/SPNEGO">x</button><button name="_eventId_proceed">x</button>', '_eventId_proceed'],
    ['<button name="_eventId_AttributeReleaseRejected">x</button>', undefined],
    ['<button name="a">Abbrechen</button><button name="b">Weiter</button>', 'b'],
    ['<button name="show">Show</button><button name="submitMfa">Verify</button>', 'submitMfa'],
    ['<button name="getMore">Get more</button><button name="continue">Not now</button>', 'continue'],
    ['<button name="Sign On">x</button>', 'Sign On'],
    ['<button name="a" disabled>Login</button>', undefined],
    ['<input type="image" name="i"><input type="reset" name="r"><input type="button" name="b">', undefined],
    ['<button name="first">A</button><button name="second">B</button>', 'first'],
  ] as const) {
    test(`${expected} of ${buttons.replace(/<[^>]*name="([^"]*)"[^>]*>/g, '$1 ').replace(/<[^>]*>/g, '')}`, async () => {
      const [only] = (await read(form(buttons))).forms
      expect(only && chooseButton(only)?.name).toBe(expected)
    })
  }
})

test('F51 the response and where it is for', async () => {
  const kind = await classes(responsePage(samlResponse('https://sp.example/acs')))
  expect(kind).toMatchObject({
    kind: 'response',
    response: { destination: 'https://sp.example/acs', base64: samlResponse('https://sp.example/acs') },
  })
})
