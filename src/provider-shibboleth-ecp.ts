/**
 * The ECP profile of Shibboleth: one SOAP request, with the password in its header, answered with a signed response.
 *
 * SAML 2.0 Profiles, section 4.2; the response goes to AWS byte for byte as it came, or its signature would break.
 */
import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { partitions } from './arn.ts'
import { failure } from './errors.ts'
import { codeOfText, formFailure } from './form-failure.ts'
import { clean } from './form-text.ts'
import type { HttpResponse } from './http.ts'
import { keepSecret } from './log.ts'
import { codeFor, hasCode } from './mfa-code.ts'
import { wishedMethod } from './mfa-choice.ts'
import type { ProviderContext } from './provider.ts'
import type { Assertion } from './types.ts'
import { parseXml, walkXml, type XmlElement } from './xml.ts'
import { awsTime } from './tokens.ts'

const amazon = 'urn:amazon:webservices'
/** A push is answered by a person, on another device, while the request is open. */
const patience = 120_000

/** `address` may say `?providerId=` for AWS in another partition. */
export async function ecpLogin(context: ProviderContext, address: URL): Promise<Assertion> {
  const { http, mode } = context
  const service = address.searchParams.get('providerId') ?? amazon
  const url = new URL(address)
  url.searchParams.delete('providerId')
  const body = authnRequest(service)
  const headers = { 'content-type': 'text/xml; charset=utf-8', accept: 'text/xml, application/vnd.paos+xml, */*' }
  const request = { url: url.href, method: 'POST', headers, body } as const
  // A session that lives needs neither password nor second factor.
  const first = await http.request(request)
  if (first.status !== 401) return { kind: 'saml', response: responseOf(first) }
  const factor = factorOf(context)
  if (mode === 'refresh' && factor !== undefined) {
    throw formFailure(
      'idp-session-ended',
      `the session at ${url.host} has ended, and signing in again needs a second factor`,
    )
  }
  const basic = `Basic ${Buffer.from(`${context.username}:${await passwordOf(context)}`, 'utf8').toString('base64')}`
  keepSecret(basic.slice(6))
  const more = factor === undefined ? {} : await factorHeaders(context, url.host, factor)
  const second = await http.request({
    ...request,
    headers: { ...headers, authorization: basic, ...more },
    sensitive: true,
    timeoutMs: patience,
  })
  if (second.status === 401) throw formFailure('password-refused', `${url.host} refused the user name or the password`)
  return { kind: 'saml', response: responseOf(second) }
}

async function passwordOf(context: ProviderContext): Promise<string> {
  const password = await context.password()
  if (password === '') throw failure('config', 'the password is empty', { hint: 'cloudtoken --password-prompt' })
  keepSecret(password)
  return password
}

/** The words of the Duo extension, where one is set; a code means `passcode`. */
function factorOf(context: ProviderContext): string | undefined {
  const wish = wishedMethod(context)?.toLowerCase()
  const factor = { code: 'passcode', call: 'phone' }[wish ?? ''] ?? wish
  if (factor === undefined) return hasCode(context) ? 'passcode' : undefined
  if (/^(?:auto|push|phone|passcode|sms)$/.test(factor)) return factor
  throw failure('config', `ECP knows no second factor “${clean(factor, 60)}”`, {
    hint: 'cloudtoken --mfa-method push, or phone, passcode, sms, auto',
    code: 'mfa-method',
  })
}

async function factorHeaders(context: ProviderContext, host: string, factor: string): Promise<Record<string, string>> {
  if (factor !== 'passcode') {
    context.ask.tell(`${host}: answer the second factor (${factor}) on your device`)
    return { 'x-shibboleth-duo-factor': factor }
  }
  const code = await codeFor(context, { host, label: 'Duo passcode', sent: [] })
  return { 'x-shibboleth-duo-factor': factor, 'x-shibboleth-duo-passcode': code }
}

function authnRequest(service: string): string {
  const partition = partitions.find(({ name }) => {
    if (service.startsWith(`${amazon}:govcloud`)) return name === 'aws-us-gov'
    return service.startsWith(`${amazon}:cn-`) ? name === 'aws-cn' : name === 'aws'
  })
  const acs = `https://${partition?.signInHosts[0] ?? 'signin.aws.amazon.com'}/saml`
  const issuer = service.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<?xml version="1.0" encoding="UTF-8"?>
<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" AssertionConsumerServiceURL="${acs}" ID="_${randomBytes(16).toString('hex')}" IssueInstant="${awsTime(new Date())}" ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:PAOS" Version="2.0"><saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">${issuer}</saml:Issuer></samlp:AuthnRequest></S:Body></S:Envelope>`
}

/** The signed response in base64; fails with what the answer says instead. */
function responseOf({ url, status, bytes, text }: HttpResponse): string {
  const { host } = new URL(url)
  const envelope = xmlOf(text)
  const soapBody = envelope?.name === 'Envelope' ? envelope.children.find(({ name }) => name === 'Body') : undefined
  const response = soapBody?.children.find(({ name }) => name === 'Response')
  if (!response) {
    const fault = soapBody && walkXml(soapBody).find(({ name }) => name === 'faultstring')
    const said = clean(fault?.text ?? '', 200)
    if (soapBody)
      throw formFailure(
        'idp-error',
        `${host} answered without a SAML response (status ${status})${said && `: ${said}`}`,
      )
    throw failure('config', `${host} is no ECP endpoint: it answered with status ${status} and no SOAP envelope`, {
      code: 'ecp-missing',
      hint: 'sign in by its pages: --url https://HOST/idp/profile/SAML2/Unsolicited/SSO?providerId=urn:amazon:webservices',
    })
  }
  checkStatus(host, response)
  // One character is one byte, so that whatever stands in it stays as it is.
  const cut = cutResponse(Buffer.from(bytes).toString('latin1'))
  if (cut === undefined) throw formFailure('saml-missing', `${host} sent a SAML response that cannot be cut out`)
  const base64 = Buffer.from(cut, 'latin1').toString('base64')
  keepSecret(base64)
  return base64
}

function checkStatus(host: string, response: XmlElement): void {
  const codes = walkXml(response).filter(({ name }) => name === 'StatusCode')
  const words = codes.map(({ attributes }) => attributes.get('Value')?.split(':').at(-1) ?? '')
  if (words[0] === 'Success') return
  const said = clean(walkXml(response).find(({ name }) => name === 'StatusMessage')?.text ?? '', 200)
  const message = `${host} refused (${words.filter(Boolean).join(', ')})${said && `: ${said}`}`
  // The password was right, or the answer would have been 401.
  throw formFailure(words.includes('AuthnFailed') ? 'mfa-refused' : (codeOfText(said) ?? 'idp-error'), message)
}

/** The element `Response` of the SOAP body, with the namespaces that it borrows from around it declared on it. */
export function cutResponse(source: string): string | undefined {
  const body = /<(?:[\w.-]+:)?Body\b[^<>]*>/.exec(source)
  const rest = body ? body.index + body[0].length : -1
  const start = rest < 0 ? undefined : /<((?:[\w.-]+:)?Response)\b[^<>]*>/.exec(source.slice(rest))
  const name = start?.[1]
  if (!body || !start || name === undefined) return undefined
  const from = rest + start.index
  const closing = `</${name}>`
  const end = source.lastIndexOf(closing)
  if (end < from) return undefined
  const element = source.slice(from, end + closing.length)
  const own = declarations(start[0])
  // The nearest declaration counts.
  const around = new Map([
    ...declarations(/<(?:[\w.-]+:)?Envelope\b[^<>]*>/.exec(source)?.[0] ?? ''),
    ...declarations(body[0]),
  ])
  // Each is looked for in the whole response.
  if (around.size > 100) return undefined
  const borrowed = [...around].filter(([attribute]) => {
    if (own.has(attribute)) return false
    const prefix = attribute.slice('xmlns:'.length)
    return prefix === '' ? !name.includes(':') : new RegExp(`[\\s<"'/]${prefix.replaceAll('.', '\\.')}:`).test(element)
  })
  return `<${name}${borrowed.map(([attribute, value]) => ` ${attribute}=${value}`).join('')}${element.slice(name.length + 1)}`
}

/** `xmlns` and `xmlns:PREFIX` of a start tag, with their quoted values. */
function declarations(tag: string): Map<string, string> {
  return new Map(
    [...tag.matchAll(/\s(xmlns(?::[\w.-]+)?)\s*=\s*("[^"]*"|'[^']*')/g)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  )
}

function xmlOf(text: string): XmlElement | undefined {
  try {
    return parseXml(text)
  } catch {
    return undefined
  }
}
