/**
 * Shibboleth by ECP, against a server that reads the request as strictly as SAML wants it.
 */
import { afterEach, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { cutResponse } from '../src/provider-shibboleth-ecp.ts'
import { shibboleth } from '../src/provider-shibboleth.ts'
import { parseXml, walkXml } from '../src/xml.ts'
import { testContext, type TestContext, type TestContextOptions } from './context.ts'
import { page, serve, type Reply, type Seen } from './fake-idp.ts'

const protocol = 'urn:oasis:names:tc:SAML:2.0:protocol'
const success = `<saml2p:Status><saml2p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></saml2p:Status>`
/** Odd spacing and letters, so that writing it anew would show. */
const response =
  `<saml2p:Response  xmlns:saml2p='${protocol}' ID="_1"\n Destination="https://signin.aws.amazon.com/saml">${success}<x:Assertion xmlns:x="urn:x"><x:V>Jörg &#x41;</x:V></x:Assertion></saml2p:Response >`.replace(
    ' >',
    '>',
  )

function envelope(inside: string, prefix = 'soap11', attributes = ''): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<${prefix}:Envelope xmlns:${prefix}="http://schemas.xmlsoap.org/soap/envelope/"${attributes}><${prefix}:Header><ecp:Response xmlns:ecp="urn:oasis:names:tc:SAML:2.0:profiles:SSO:ecp" AssertionConsumerServiceURL="https://signin.aws.amazon.com/saml" ${prefix}:mustUnderstand="1"/></${prefix}:Header><${prefix}:Body>${inside}</${prefix}:Body></${prefix}:Envelope>`
}

const xml = (body: string, headers: Readonly<Record<string, string>> = {}): Reply => ({
  headers: { 'content-type': 'text/xml; charset=utf-8', ...headers },
  body,
})
const unauthorized: Reply = {
  status: 401,
  headers: { 'www-authenticate': 'Basic realm="idp"' },
  body: page('401', '<p>Unauthorized</p>'),
}

let stop: (() => Promise<void>) | undefined
afterEach(async () => {
  await stop?.()
  stop = undefined
})

interface Ecp {
  readonly url: string
  readonly seen: Seen[]
  /** Where no session lives, the right password answers with this. */
  answer: Reply
  sessions: boolean
}

async function startEcp(answer: Reply): Promise<Ecp> {
  const seen: Seen[] = []
  const ecp = { url: '', seen, answer, sessions: true }
  const server = await serve('127.0.0.1', request => {
    seen.push(request)
    const { method, path, headers, body } = request
    const asked = parseXml(body)
    const [authn] = walkXml(asked).filter(({ name }) => name === 'AuthnRequest')
    const fits =
      method === 'POST' &&
      path === '/idp/profile/SAML2/SOAP/ECP' &&
      headers['content-type']?.startsWith('text/xml') === true &&
      asked.name === 'Envelope' &&
      authn?.attributes.get('Version') === '2.0' &&
      authn.attributes.get('ProtocolBinding') === 'urn:oasis:names:tc:SAML:2.0:bindings:PAOS' &&
      /^_[0-9a-f]{32}$/.test(authn.attributes.get('ID') ?? '') &&
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(authn.attributes.get('IssueInstant') ?? '')
    if (!fits) return { status: 500, body: page('Error', '<p>Message Security Error</p>') }
    if (ecp.sessions && headers.cookie?.includes('shib_idp_session=s1')) return xml(envelope(response))
    if (headers.authorization !== `Basic ${Buffer.from('jane:correct hörse').toString('base64')}`) return unauthorized
    return ecp.answer
  })
  stop = server.stop
  ecp.url = `${server.origin}/idp/profile/SAML2/SOAP/ECP`
  return ecp
}

const context = (ecp: Ecp, options: TestContextOptions = {}): Promise<TestContext> =>
  testContext({ password: 'correct hörse', ...options, settings: { url: ecp.url, ...options.settings } })
const fails = async (made: TestContext): Promise<unknown> =>
  shibboleth.authenticate(made.context).then(
    () => undefined,
    (error: unknown) => error,
  )

test('S30 the response is cut out byte for byte', async () => {
  for (const prefix of ['S', 'soap11', 'soapenv']) {
    const made = await context(await startEcp(xml(envelope(response, prefix))))
    const assertion = await shibboleth.authenticate(made.context)
    if (assertion.kind !== 'saml') throw new Error('no SAML')
    expect(Buffer.from(assertion.response, 'base64').toString('utf8')).toBe(response)
    await stop?.()
  }
})

test('S31 a namespace of the envelope is copied, the rest stays as it is', () => {
  const inside = `<saml2p:Response ID="_1">${success}<a:V xmlns:a="urn:a" xsi:type="xs:string">x</a:V></saml2p:Response>`
  const attributes = ` xmlns:saml2p="${protocol}" xmlns:xs='urn:xs' xmlns:xsi="urn:xsi" xmlns:unused="urn:u"`
  expect(cutResponse(envelope(inside, 'S', attributes))).toBe(
    inside.replace(
      '<saml2p:Response',
      `<saml2p:Response xmlns:saml2p="${protocol}" xmlns:xs='urn:xs' xmlns:xsi="urn:xsi"`,
    ),
  )
  expect(cutResponse(envelope('<Response/>', 'S'))).toBeUndefined()
  expect(cutResponse('<html></html>')).toBeUndefined()
  const prefixes = Array.from({ length: 20_000 }, (_, index) => ` xmlns:p${index}="urn:p"`).join('')
  expect(cutResponse(envelope(`<Response>${'<x/>'.repeat(100_000)}</Response>`, 'S', prefixes))).toBeUndefined()
})

test('S32 401 is a wrong password, sent once and never shown', async () => {
  const ecp = await startEcp(xml(envelope(response)))
  const made = await context(ecp, { password: 'wrong hörse' })
  expect(await fails(made)).toMatchObject({ kind: 'refused', code: 'password-refused' })
  const passwords = ecp.seen.filter(({ headers }) => headers.authorization !== undefined)
  expect(passwords).toHaveLength(1)
  const said = JSON.stringify([made.logged, made.told, [...made.files]])
  expect(said).not.toContain('wrong hörse')
  expect(said).not.toContain(passwords[0]?.headers.authorization?.slice(6) ?? '')
})

test('S33 a refused second factor, with its message', async () => {
  const refused = `<saml2p:Response xmlns:saml2p="${protocol}"><saml2p:Status><saml2p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"><saml2p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"/></saml2p:StatusCode><saml2p:StatusMessage>An error occurred.</saml2p:StatusMessage></saml2p:Status></saml2p:Response>`
  const made = await context(await startEcp(xml(envelope(refused))))
  expect(await fails(made)).toMatchObject({
    kind: 'refused',
    code: 'mfa-refused',
    message: expect.stringContaining('An error occurred.'),
  })
})

test('S34 the factor is named in a header, and the person told before the request blocks', async () => {
  const ecp = await startEcp(xml(envelope(response)))
  for (const [mfaMethod, expected] of [
    ['push', 'push'],
    ['call', 'phone'],
    ['sms', 'sms'],
  ] as const) {
    const made = await context(ecp, { settings: { mfaMethod } })
    await shibboleth.authenticate(made.context)
    expect([ecp.seen.at(-1)?.headers['x-shibboleth-duo-factor'], made.told.length]).toEqual([expected, 1])
  }
  const made = await context(ecp, { settings: { mfaCode: '123456' } })
  await shibboleth.authenticate(made.context)
  const { headers } = ecp.seen.at(-1) ?? {}
  expect([headers?.['x-shibboleth-duo-factor'], headers?.['x-shibboleth-duo-passcode']]).toEqual(['passcode', '123456'])
  expect(await fails(await context(ecp, { settings: { mfaMethod: 'smoke' } }))).toMatchObject({ kind: 'config' })
})

test('S35 a living session needs no password, not even in the background', async () => {
  const ecp = await startEcp(xml(envelope(response), { 'set-cookie': 'shib_idp_session=s1; Path=/idp' }))
  const first = await context(ecp)
  await shibboleth.authenticate(first.context)
  const second = await context(ecp, { mode: 'refresh', earlier: first })
  await shibboleth.authenticate(second.context)
  expect([second.passwords(), ecp.seen.at(-1)?.headers.authorization]).toEqual([0, undefined])
  ecp.sessions = false
  const third = await context(ecp, { mode: 'refresh', earlier: first, settings: { mfaMethod: 'push' } })
  expect(await fails(third)).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
  expect(third.passwords()).toBe(0)
})

test('S36 a page in the place of SOAP', async () => {
  const made = await context(
    await startEcp({ body: page('Login', '<form method="post"><input type="password"></form>') }),
  )
  expect(await fails(made)).toMatchObject({
    kind: 'config',
    code: 'ecp-missing',
    hint: expect.stringContaining('--url'),
  })
})

test('a fault is told', async () => {
  const fault = '<S:Fault xmlns:S="s"><faultcode>S:Server</faultcode><faultstring>Out of tea</faultstring></S:Fault>'
  const made = await context(await startEcp({ ...xml(envelope(fault)), status: 500 }))
  expect(await fails(made)).toMatchObject({ kind: 'network', message: expect.stringContaining('Out of tea') })
})

test('AWS in another partition is named in the address', async () => {
  const ecp = await startEcp(xml(envelope(response)))
  const made = await context(ecp, { settings: { url: `${ecp.url}?providerId=urn:amazon:webservices:govcloud` } })
  await shibboleth.authenticate(made.context)
  const { body = '' } = ecp.seen.at(-1) ?? {}
  expect(body).toContain('>urn:amazon:webservices:govcloud<')
  expect(body).toContain('"https://signin.amazonaws-us-gov.com/saml"')
})
