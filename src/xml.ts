/**
 * A small strict reader for XML as identity providers send it. No DTD, so no entities beyond the five of XML
 * itself and no fetching; nothing that is not well-formed gets through; depth and size are bounded.
 *
 * Names are compared by their local part: prefixes and default namespaces differ between products.
 */

export interface XmlElement {
  /** Local name, without prefix. */
  readonly name: string
  /** By name as written, prefix included. */
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  /** Its own text and CDATA, joined around comments and children; entities decoded. */
  readonly text: string
}

const maxLength = 8_000_000
const maxDepth = 100

const name = '[:A-Z_a-z\\u{80}-\\u{10FFFF}][-.0-9:A-Z_a-z\\u{80}-\\u{10FFFF}]*'
const openTag = new RegExp(`<(${name})`, 'uy')
const attribute = new RegExp(`[ \\t\\n]+(${name})[ \\t\\n]*=[ \\t\\n]*(?:"([^"<]*)"|'([^'<]*)')`, 'uy')
const openTagEnd = /[ \t\n]*(\/?)>/y
const closeTag = new RegExp(`</(${name})[ \\t\\n]*>`, 'uy')
const declaration = /<\?xml[ \t\n][^<>]*\?>/y
// Tab and line feed aside, XML 1.0 has no control characters, and no lone surrogates.
const foreign = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/u
const predefined: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
])

/** The root element. Throws an `Error` that says what is wrong, without quoting the document. */
export function parseXml(source: string): XmlElement {
  if (source.length > maxLength) throw new Error(`the document has more than ${maxLength} characters`)
  const text = source.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n')
  if (foreign.test(text)) throw new Error('the document holds characters that XML forbids')

  interface Open {
    tag: string
    attributes: ReadonlyMap<string, string>
    children: XmlElement[]
    text: string
  }
  const document: Open = { tag: '', attributes: new Map(), children: [], text: '' }
  const open: Open[] = []
  let parent = document
  let at = 0

  function take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = at
    const match = pattern.exec(text) ?? undefined
    if (match) at = pattern.lastIndex
    return match
  }
  /** What lies between here and `end`; goes on behind it. */
  function until(end: string): string {
    const stop = text.indexOf(end, at)
    if (stop < 0) throw new Error('the document is cut off')
    const inner = text.slice(at, stop)
    at = stop + end.length
    return inner
  }
  function skip(start: string): boolean {
    if (!text.startsWith(start, at)) return false
    at += start.length
    return true
  }
  function close(element: Open): void {
    parent = open.at(-1) ?? document
    const local = element.tag.slice(element.tag.lastIndexOf(':') + 1)
    const { attributes, children } = element
    parent.children.push({ name: local, attributes, children, text: element.text })
  }
  function startElement(tag: string): void {
    const attributes = new Map<string, string>()
    for (let match = take(attribute); match; match = take(attribute)) {
      const [, key = '', double, single = ''] = match
      if (attributes.has(key)) throw new Error(`the attribute ${key} is given twice`)
      attributes.set(key, decode((double ?? single).replace(/[\t\n]/g, ' ')))
    }
    const end = take(openTagEnd)
    if (!end) throw new Error(`the tag ${tag} is malformed`)
    if (parent === document && document.children.length > 0) throw new Error('there are two root elements')
    const element: Open = { tag, attributes, children: [], text: '' }
    if (end[1]) return close(element)
    if (open.push(element) > maxDepth) throw new Error(`elements are nested more than ${maxDepth} deep`)
    parent = element
  }
  function add(characters: string): void {
    if (parent !== document) parent.text += characters
    else if (/[^ \t\n]/.test(characters)) throw new Error('there is text outside the root element')
  }

  take(declaration)
  while (at < text.length) {
    const next = text.indexOf('<', at)
    const characters = text.slice(at, next < 0 ? undefined : next)
    if (characters.includes(']]>')) throw new Error('a CDATA section ends that was never begun')
    add(decode(characters))
    at += characters.length
    if (at === text.length) break
    if (skip('<!--')) {
      if (/--|-$/.test(until('-->'))) throw new Error('a comment is malformed')
    } else if (skip('<![CDATA[')) {
      if (parent === document) throw new Error('there is text outside the root element')
      add(until(']]>'))
    } else if (skip('<?')) {
      if (!/^(?!xml(?:[ \t\n]|$))[:A-Z_a-z]/i.test(until('?>')))
        throw new Error('a processing instruction is malformed')
    } else if (skip('<!')) {
      throw new Error('a document type is not allowed')
    } else if (text.startsWith('</', at)) {
      const tag = take(closeTag)?.[1]
      const element = open.pop()
      if (!element || element.tag !== tag) throw new Error('start and end tags do not match')
      close(element)
    } else {
      const tag = take(openTag)?.[1]
      if (tag === undefined) throw new Error('a tag is malformed')
      startElement(tag)
    }
  }
  if (open.length > 0) throw new Error('the document is cut off')
  const [root] = document.children
  if (!root) throw new Error('there is no root element')
  return root
}

function decode(text: string): string {
  if (!text.includes('&')) return text
  return text.replace(/&(?:(#)(?:x([0-9a-fA-F]{1,6})|(\d{1,7}))|(\w+));|&/g, (_, hash, hex, decimal, word) => {
    const value = hash ? character(hex ? Number.parseInt(hex, 16) : Number(decimal)) : predefined.get(word)
    if (value === undefined) throw new Error('an entity is malformed or not defined')
    return value
  })
}

function character(code: number): string | undefined {
  const value = code <= 0x10ffff ? String.fromCodePoint(code) : ''
  return value && !foreign.test(value) ? value : undefined
}

/** The element itself and everything below it, in document order. */
export function walkXml(element: XmlElement, found: XmlElement[] = []): XmlElement[] {
  found.push(element)
  for (const child of element.children) walkXml(child, found)
  return found
}
