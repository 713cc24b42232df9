import { expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { readSamlResponse } from '../src/form-saml.ts'

const base64 = (xml: string): string => Buffer.from(xml).toString('base64')
// Bytes whose base64 holds plus signs, and umlauts.
const xml =
  '<samlp:Response xmlns:samlp="urn:x" a=">>>???" Destination="https://a/?b&amp;c"><a:SubjectConfirmationData Recipient="https://r/"/>äöü~~~>>></samlp:Response>'
const field = base64(xml)

for (const [name, text] of [
  ['as it is', field],
  ['with line ends', field.replace(/(.{40})/g, '$1\r\n')],
  ['with blanks around', `  ${field}\n`],
  ['percent-encoded', encodeURIComponent(field)],
  ['with blanks for plus signs', field.replaceAll('+', ' ')],
] as const) {
  test(`base64 ${name}`, () => {
    expect(field).toContain('+')
    expect(readSamlResponse(text)).toEqual({ base64: field, destination: 'https://a/?b&c', recipient: 'https://r/' })
  })
}

for (const [name, text] of [
  ['another root', base64('<Assertion/>')],
  ['a request', base64('<samlp:AuthnRequest/>')],
  ['a DOCTYPE', base64('<!DOCTYPE x [<!ENTITY a "b">]><Response/>')],
  ['half a document', base64('<Response><a>')],
  ['no base64', '<Response/>'],
  ['a bad percent sequence', '%E0%A4%A'],
  ['nothing', ''],
] as const) {
  test(`${name} is no response`, () => expect(readSamlResponse(text)).toBeUndefined())
}
