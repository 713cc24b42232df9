/**
 * Reads a SAML response: which roles it offers, how long it is good for, what the identity provider says.
 *
 * Nothing is verified here. STS checks the signature; this side only has to offer the right choices and to
 * say in time what STS would refuse. OASIS saml-core-2.0-os; attributes as in the IAM guide, "Configure SAML
 * assertions for the authentication response".
 */
import { Buffer } from 'node:buffer'
import { isRoleArn, isSamlProviderArn } from './arn.ts'
import { failure, messageOf } from './errors.ts'
import { parseTime } from './tokens.ts'
import type { Role } from './types.ts'
import { parseXml, walkXml, type XmlElement } from './xml.ts'

export interface SamlResponse {
  /** The response as STS wants it: base64 without white space. */
  readonly response: string
  readonly status: SamlStatus
  /** In the order of the document, duplicates included. */
  readonly roles: readonly Role[]
  /** Why `roles` may be empty: the attribute is absent, has no value, or has values and none of them is a role. */
  readonly roleAttribute: 'missing' | 'empty' | 'present'
  /** Things that are odd but need not stop anybody; fit to be shown. */
  readonly warnings: readonly string[]
  /** Seconds, 900 to 43200; the attribute is meant for console sessions. */
  readonly sessionDuration?: number
  readonly roleSessionName?: string
  readonly nameId?: string
  readonly issuer?: string
  /** The page of AWS it is meant for; taken from the recipient where the response does not say. */
  readonly destination?: string
  readonly issueInstant?: Date
  readonly notBefore?: Date
  /** The earliest of all conditions and subject confirmations. */
  readonly notOnOrAfter?: Date
  /** End of the session at the identity provider; STS ends the role's session then at the latest. */
  readonly sessionNotOnOrAfter?: Date
  /** Only AWS can read it, with the key of the IAM provider. */
  readonly encrypted: boolean
}

export interface SamlStatus {
  readonly success: boolean
  /** Last words of the status codes, outermost first: `Responder`, `AuthnFailed`. */
  readonly codes: readonly string[]
  readonly message?: string
}

const namespace = 'https://aws.amazon.com/SAML/Attributes/'
const roots = ['Response', 'Assertion', 'AttributeStatement']

/** Takes the base64 text of the form field. Fails with kind `network`, code `assertion-unreadable`. */
export function readAssertion(base64: string): SamlResponse {
  const response = cleanBase64(base64)
  const root = parse(response)
  const elements = walkXml(root)
  const warnings: string[] = []
  const time = (element: XmlElement, name: string): Date | undefined => {
    const text = element.attributes.get(name)
    const date = text === undefined ? undefined : parseTime(text)
    if (text !== undefined && !date) warnings.push(`${name} of ${element.name} is no time, ignored: ${quote(text)}`)
    return date
  }
  const named = (...names: string[]): XmlElement[] => elements.filter(element => names.includes(element.name))
  const times = (name: string, ...names: string[]): Date[] => named(...names).flatMap(e => time(e, name) ?? [])

  const limits = ['Conditions', 'SubjectConfirmationData']
  let notBefore = latest(times('NotBefore', ...limits))
  let notOnOrAfter = earliest(times('NotOnOrAfter', ...limits))
  if (notBefore && notOnOrAfter && notBefore >= notOnOrAfter) {
    warnings.push('the assertion ends before it begins; its times are ignored')
    notBefore = notOnOrAfter = undefined
  }
  const attributes = readAttributes(named('Attribute'))
  const recipient = named('SubjectConfirmationData').flatMap(e => e.attributes.get('Recipient') ?? [])[0]
  return {
    response,
    status: readStatus(root),
    ...readRoles(attributes.get('Role'), warnings),
    warnings,
    ...defined({
      sessionDuration: readDuration(attributes.get('SessionDuration')?.[0], warnings),
      roleSessionName: attributes.get('RoleSessionName')?.[0],
      nameId: named('NameID')[0]?.text.trim(),
      issuer: named('Issuer')[0]?.text.trim(),
      destination: root.attributes.get('Destination') || recipient,
      issueInstant: time(root, 'IssueInstant'),
      notBefore,
      notOnOrAfter,
      sessionNotOnOrAfter: earliest(times('SessionNotOnOrAfter', 'AuthnStatement')),
    }),
    encrypted: named('EncryptedAssertion').length > 0,
  }
}

/** Fails with kind `refused` when the identity provider reports that the sign-in failed, in its own words. */
export function checkStatus({ status }: Pick<SamlResponse, 'status'>): void {
  if (status.success) return
  const code = status.codes.at(-1) ?? 'no status'
  const reason = status.message ? `${quote(status.message)} (${code})` : code
  throw failure('refused', `the identity provider answered with a failure: ${reason}`, {
    hint: hints.get(code) ?? 'sign in again; if it stays so, ask the people who run the identity provider',
    code: 'saml-status',
  })
}

const hints = new Map<string, string>([
  ['NoPassive', 'the session at the identity provider has ended: sign in with cloudtoken'],
  ['AuthnFailed', 'check user name, password and second factor, then run cloudtoken again'],
  ['RequestDenied', 'the account may not use this application: ask for access to AWS at the identity provider'],
  ['UnknownPrincipal', 'the identity provider does not know this user: check --username'],
  ['NoAuthnContext', 'the identity provider demands a stronger way to sign in, such as a second factor'],
])

/** STS redeems an assertion up to five minutes after it was issued. */
const redeemMs = 5 * 60_000

/**
 * Says before STS does that an assertion is too old (code `assertion-expired`: a fresh one helps) or not valid
 * yet (code `clock-skew`: it does not help, the clock is wrong). `skewMs` is how far clocks may be apart.
 */
export function checkFresh(
  assertion: Pick<SamlResponse, 'issueInstant' | 'notBefore' | 'notOnOrAfter'>,
  nowMs: number,
  skewMs = 60_000,
): void {
  const { issueInstant, notBefore, notOnOrAfter } = assertion
  const start = notBefore?.getTime() ?? issueInstant?.getTime()
  if (start !== undefined && nowMs + skewMs < start) {
    const message = `the assertion becomes valid only in ${timeSpan(start - nowMs)}: this machine's clock seems to be slow`
    throw failure('sts', message, { hint: 'set the clock of this machine and try again', code: 'clock-skew' })
  }
  const redeem = issueInstant && new Date(issueInstant.getTime() + redeemMs)
  const end = earliest([redeem, notOnOrAfter].flatMap(date => date ?? []))
  if (!end || nowMs < end.getTime() + skewMs) return
  throw failure('sts', `the assertion expired ${timeSpan(nowMs - end.getTime())} ago`, {
    hint: "sign in again; if it is fresh, this machine's clock is fast",
    code: 'assertion-expired',
  })
}

/** `40 seconds`, `12 minutes`, `3 hours`, `2 days`. */
export function timeSpan(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000)
  const units = [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ] as const
  const [unit, size] = units.find(([, length]) => seconds >= 2 * length) ?? ['second', 1]
  const count = Math.round(seconds / size)
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

/**
 * One value of the role attribute: role and provider, in either order, with white space around and a comma too
 * many. A comma is legal in a role's name, so only one before `arn:` separates.
 */
export function parseRolePair(value: string): Role | undefined {
  const [first = '', second = '', ...more] = value.split(/,(?=\s*arn:)/).map(withoutCommas)
  if (more.length > 0) return undefined
  if (isRoleArn(first) && isSamlProviderArn(second)) return { roleArn: first, providerArn: second }
  if (isRoleArn(second) && isSamlProviderArn(first)) return { roleArn: second, providerArn: first }
  return undefined
}

/** By hand: a pattern that ends in `$` takes quadratic time on a long row of commas. */
function withoutCommas(text: string, index: number): string {
  let end = text.trim()
  while (index === 1 && end.endsWith(',')) end = end.slice(0, -1).trimEnd()
  return end
}

/** Form fields come with line breaks, and now and then with their percent signs. */
function cleanBase64(text: string): string {
  const plain = text.replace(/\s+/g, '')
  if (isBase64(plain)) return plain
  const decoded = plain.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  const clean = decoded.replace(/\s+/g, '')
  if (isBase64(clean)) return clean
  throw unreadable(plain === '' ? 'it is empty' : 'it is not base64')
}

function isBase64(text: string): boolean {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text)
}

function parse(response: string): XmlElement {
  let root: XmlElement
  try {
    root = parseXml(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(response, 'base64')))
  } catch (error) {
    throw unreadable(error instanceof TypeError ? 'it is not UTF-8' : messageOf(error))
  }
  // Some simulators send less than a response; its roles can be shown, though STS will want the whole.
  if (!roots.includes(root.name)) throw unreadable(`its root is ${quote(root.name)} instead of Response`)
  return root
}

function unreadable(reason: string): Error {
  return failure('network', `the SAML response cannot be read: ${reason}`, {
    hint: 'sign in again with --debug and look at what the identity provider sends',
    code: 'assertion-unreadable',
  })
}

function readStatus(root: XmlElement): SamlStatus {
  const status = root.children.find(child => child.name === 'Status')
  if (!status) return { success: true, codes: [] }
  const elements = walkXml(status)
  const codes = elements
    .filter(element => element.name === 'StatusCode')
    .map(element => quote(element.attributes.get('Value')?.split(':').at(-1) ?? '', 40))
  const message = elements.find(element => element.name === 'StatusMessage')?.text.trim()
  return { success: codes[0] === 'Success', codes, ...(message && { message: quote(message, 300) }) }
}

/** Values of the attributes that AWS defines, by last word; several attributes of one name are one. */
function readAttributes(elements: readonly XmlElement[]): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const element of elements) {
    const name = element.attributes.get('Name')?.trim() ?? ''
    if (!name.startsWith(namespace)) continue
    const key = name.slice(namespace.length)
    const values = element.children.filter(child => child.name === 'AttributeValue').map(child => child.text.trim())
    const list = found.get(key)
    if (list) list.push(...values)
    else found.set(key, values)
  }
  return found
}

function readRoles(
  values: readonly string[] | undefined,
  warnings: string[],
): Pick<SamlResponse, 'roles' | 'roleAttribute'> {
  const roles: Role[] = []
  for (const value of values ?? []) {
    const role = parseRolePair(value)
    if (role) roles.push(role)
    else warnings.push(`not a role with its provider, left out: ${quote(value) || 'an empty value'}`)
  }
  const filled = values?.some(value => value !== '')
  return { roles, roleAttribute: !values ? 'missing' : filled ? 'present' : 'empty' }
}

function readDuration(value: string | undefined, warnings: string[]): number | undefined {
  if (!value) return undefined
  const seconds = /^\d{1,9}$/.test(value) ? Number(value) : 0
  if (seconds >= 900 && seconds <= 43_200) return seconds
  warnings.push(`SessionDuration is not between 900 and 43200 seconds, ignored: ${quote(value)}`)
  return undefined
}

/** Foreign text made fit for a terminal: one line, no control characters, not endless. */
function quote(text: string, limit = 120): string {
  const line = text.replace(/[\s\p{Control}\p{Format}]+/gu, ' ').trim()
  return line.length > limit ? `${line.slice(0, limit)}…` : line
}

function earliest(dates: readonly Date[]): Date | undefined {
  return dates.reduce<Date | undefined>((best, date) => (best && best <= date ? best : date), undefined)
}

function latest(dates: readonly Date[]): Date | undefined {
  return dates.reduce<Date | undefined>((best, date) => (best && best >= date ? best : date), undefined)
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined | ''> }

/** Leaves out what is undefined or empty. */
function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined && value !== ''),
  ) as Defined<T>
}
