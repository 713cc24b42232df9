/**
 * SAML responses for tests: a complete and ordinary one, of which a test says only what it is about.
 */
import { Buffer } from 'node:buffer'

export interface SamlOptions {
  /** Raw text of each attribute value, as XML; or whole `Role` attributes, one list each. */
  readonly roles?: readonly string[] | readonly (readonly string[])[]
  /** Leave the role attribute away. */
  readonly withoutRoles?: boolean
  /** Prefix of the assertion's elements; '' declares a default namespace on the assertion. */
  readonly prefix?: string
  readonly protocolPrefix?: string
  readonly destination?: string | undefined
  readonly recipient?: string | undefined
  readonly issuer?: string
  readonly nameId?: string
  /** Further attributes by last word: `SessionDuration`. */
  readonly attributes?: Readonly<Record<string, string>>
  readonly issueInstant?: string
  readonly notBefore?: string
  /** Of the conditions. */
  readonly notOnOrAfter?: string
  /** Of the subject confirmation. */
  readonly confirmUntil?: string
  readonly sessionNotOnOrAfter?: string
  /** XML of the status element's content. */
  readonly status?: string
  /** In the place of the assertion. */
  readonly body?: string
  readonly prolog?: string
}

const account = '123456789012'

export function roleArn(name: string, id = account): string {
  return `arn:aws:iam::${id}:role/${name}`
}

export function providerArn(name = 'corp', id = account): string {
  return `arn:aws:iam::${id}:saml-provider/${name}`
}

/** One role value: `ROLE,PROVIDER`. */
export function roleValue(name: string, id = account, provider = 'corp'): string {
  return `${roleArn(name, id)},${providerArn(provider, id)}`
}

export function samlXml(options: SamlOptions = {}): string {
  const p = options.protocolPrefix ?? 'samlp:'
  const declare = p ? `xmlns:${p.slice(0, -1)}` : 'xmlns'
  const destination = 'destination' in options ? options.destination : 'https://signin.aws.amazon.com/saml'
  const to = destination === undefined ? '' : ` Destination="${destination}"`
  const instant = options.issueInstant ?? '2026-03-01T10:00:00Z'
  const status = options.status ?? `<${p}StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>`
  return (
    (options.prolog ?? '<?xml version="1.0" encoding="UTF-8"?>\n') +
    `<${p}Response ${declare}="urn:oasis:names:tc:SAML:2.0:protocol" ID="_1" Version="2.0" IssueInstant="${instant}"${to}>` +
    `<${p}Status>${status}</${p}Status>${options.body ?? assertionXml(options)}</${p}Response>`
  )
}

export function assertionXml(options: SamlOptions = {}): string {
  const a = options.prefix === undefined ? 'saml:' : options.prefix && `${options.prefix}:`
  const declare = a ? `xmlns:${a.slice(0, -1)}` : 'xmlns'
  const values = options.roles ?? [roleValue('Admin')]
  const lists = values.every(value => typeof value === 'string') ? [values] : values.map(value => [value].flat())
  const attribute = (name: string, content: readonly string[]): string =>
    `<${a}Attribute Name="https://aws.amazon.com/SAML/Attributes/${name}">${content
      .map(text => `<${a}AttributeValue>${text}</${a}AttributeValue>`)
      .join('')}</${a}Attribute>`
  const more = Object.entries({ RoleSessionName: 'ada@example.com', ...options.attributes })
  const recipient = 'recipient' in options ? options.recipient : 'https://signin.aws.amazon.com/saml'
  const to = recipient === undefined ? '' : ` Recipient="${recipient}"`
  return (
    `<${a}Assertion ${declare}="urn:oasis:names:tc:SAML:2.0:assertion" ID="_2" Version="2.0">` +
    `<${a}Issuer>${options.issuer ?? 'https://idp.example.com/metadata'}</${a}Issuer>` +
    `<${a}Subject><${a}NameID>${options.nameId ?? 'ada'}</${a}NameID>` +
    `<${a}SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><${a}SubjectConfirmationData` +
    ` NotOnOrAfter="${options.confirmUntil ?? '2026-03-01T10:05:00Z'}"${to}/></${a}SubjectConfirmation></${a}Subject>` +
    `<${a}Conditions NotBefore="${options.notBefore ?? '2026-03-01T09:59:30Z'}"` +
    ` NotOnOrAfter="${options.notOnOrAfter ?? '2026-03-01T10:05:00Z'}"/>` +
    `<${a}AuthnStatement SessionNotOnOrAfter="${options.sessionNotOnOrAfter ?? '2026-03-01T18:00:00Z'}"/>` +
    `<${a}AttributeStatement>` +
    (options.withoutRoles ? '' : lists.map(list => attribute('Role', list)).join('')) +
    more.map(([name, text]) => attribute(name, [text])).join('') +
    `</${a}AttributeStatement></${a}Assertion>`
  )
}

export function encode(xml: string): string {
  return Buffer.from(xml, 'utf8').toString('base64')
}

/** Base64, as a form field carries it. */
export function samlResponse(options: SamlOptions = {}): string {
  return encode(samlXml(options))
}
