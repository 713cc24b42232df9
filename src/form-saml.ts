/**
 * What the walk must know of a SAMLResponse: that it is one, and where it is meant to go. Its verdict, roles and times
 * are read elsewhere.
 */
import { Buffer } from 'node:buffer'
import { parseXml, walkXml, type XmlElement } from './xml.ts'

export interface SamlResponse {
  /** Base64 without white space. */
  readonly base64: string
  readonly destination?: string
  /** `SubjectConfirmationData@Recipient`, the first there is. */
  readonly recipient?: string
}

/** `undefined` unless the field decodes to XML with the root `Response`. White space and percent-encoding are undone. */
export function readSamlResponse(field: string): SamlResponse | undefined {
  for (const base64 of spellings(field)) {
    const root = isBase64(base64) ? rootOf(base64) : undefined
    if (root?.name === 'Response') return { base64, ...describe(root) }
  }
  return undefined
}

export function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text)
}

/** A blank inside the value may be a plus sign that a form decoder ate. */
function spellings(field: string): Set<string> {
  const blank = field.trim().replace(/[\r\n\t]+/g, '')
  const plain = blank.replaceAll(' ', '')
  return new Set([plain, blank.replaceAll(' ', '+'), percentDecoded(plain)])
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text).replace(/\s+/g, '')
  } catch {
    return ''
  }
}

function rootOf(base64: string): XmlElement | undefined {
  try {
    return parseXml(Buffer.from(base64, 'base64').toString('utf8'))
  } catch {
    return undefined
  }
}

function describe(root: XmlElement): Omit<SamlResponse, 'base64'> {
  const destination = root.attributes.get('Destination')
  const recipient = walkXml(root)
    .find(element => element.name === 'SubjectConfirmationData' && element.attributes.has('Recipient'))
    ?.attributes.get('Recipient')
  return { ...(destination && { destination }), ...(recipient && { recipient }) }
}
