import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseXml } from '../src/xml.ts'

/** Characters that XML allows. */
const text = fc
  .string({ unit: 'binary' })
  .map(value => value.replace(/[^\t\n\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, ''))

type Style = 'entity' | 'hex' | 'decimal' | 'cdata'

const named: Readonly<Record<string, string>> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' }

function write(value: string, style: Style): string {
  if (style === 'cdata') return `<![CDATA[${value.replaceAll(']]>', ']]]]><![CDATA[>')}]]>`
  return [...value]
    .map(character => {
      const code = character.codePointAt(0) ?? 0
      if (style === 'hex') return `&#x${code.toString(16)};`
      if (style === 'decimal') return `&#${code};`
      return character in named ? `&${named[character]};` : character
    })
    .join('')
}

const style = fc.constantFrom<Style>('entity', 'hex', 'decimal', 'cdata')

describe('parseXml', () => {
  test('reads back any text, however it is written and wherever comments stand', () => {
    const part = fc.tuple(text, style, fc.constantFrom('', '<!-- c -->', '<?p i?>', '<b/>'))
    fc.assert(
      fc.property(fc.array(part), parts => {
        const xml = `<a>${parts.map(([value, how, between]) => write(value, how) + between).join('')}</a>`
        expect(parseXml(xml).text).toBe(parts.map(([value]) => value).join(''))
      }),
    )
  })

  test('reads back any attribute, with white space anywhere between', () => {
    const blank = fc.constantFrom('', ' ', '\n\t', '\r\n')
    fc.assert(
      fc.property(text, fc.constantFrom<Style>('entity', 'hex', 'decimal'), blank, blank, (value, how, one, two) => {
        const xml = `<p:a\n b${one}=${two}"${write(value, how)}"${one}/>`
        const seen = how === 'entity' ? value.replace(/[\t\n]/g, ' ') : value
        expect(parseXml(xml).attributes.get('b')).toBe(seen)
      }),
    )
  })

  test('never throws anything but an error with words, on any soup', () => {
    const token = fc.constantFrom(
      '<',
      '>',
      '/',
      'a',
      '<a>',
      '</a>',
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '&',
      ';',
      '="',
      "'",
      '?',
      '<?',
    )
    fc.assert(
      fc.property(fc.array(token, { maxLength: 30 }), tokens => {
        try {
          parseXml(tokens.join(''))
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
          expect(String(error)).toMatch(/^Error: (?:the|a|an|there|elements|start) /)
        }
      }),
      { numRuns: 1000 },
    )
  })
})
