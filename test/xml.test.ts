import { describe, expect, test } from 'bun:test'
import { parseXml, walkXml } from '../src/xml.ts'

describe('parseXml', () => {
  test('reads elements by local name, whatever the prefix', () => {
    const root = parseXml('<?xml version="1.0"?><!-- hi --><q1:a xmlns:q1="x"><b/><q2:c>t</q2:c></q1:a>\n<!-- bye -->')
    expect(walkXml(root).map(element => element.name)).toEqual(['a', 'b', 'c'])
    expect(root.attributes.get('xmlns:q1')).toBe('x')
  })

  test('joins text around comments, CDATA, instructions and children', () => {
    expect(parseXml('<a>1<!-- x -->2<![CDATA[<3&]]>4<?p x?>5<b>no</b>6</a>').text).toBe('12<3&456')
  })

  test('decodes the five entities and characters, once', () => {
    expect(parseXml('<a b="&quot;&apos;">&amp;lt; &lt;&gt; &#x41;&#66;&#x1F600;</a>').text).toBe('&lt; <> AB😀')
    expect(parseXml(`<a b='"&apos;'/>`).attributes.get('b')).toBe(`"'`)
  })

  test('folds line ends, in attributes to blanks', () => {
    const root = parseXml('\ufeff<a b="1\r\n2">x\r\ny\rz</a>')
    expect([root.text, root.attributes.get('b')]).toEqual(['x\ny\nz', '1 2'])
  })

  test.each([
    ['', 'no root'],
    ['text', 'outside the root'],
    ['<a/>text', 'outside the root'],
    ['<a/><b/>', 'two root'],
    ['<a>', 'cut off'],
    ['<a', 'malformed'],
    ['<a><!-- x', 'cut off'],
    ['<a><![CDATA[x</a>', 'cut off'],
    ['<a><b></a></b>', 'do not match'],
    ['</a>', 'do not match'],
    ['<x:a></y:a>', 'do not match'],
    ['<a b=1/>', 'malformed'],
    ['<a b="<"/>', 'malformed'],
    ['<a b="1" b="2"/>', 'given twice'],
    ['<a b="1"c="2"/>', 'malformed'],
    ['< a/>', 'malformed'],
    ['<a>&</a>', 'entity'],
    ['<a>&nbsp;</a>', 'entity'],
    ['<a>&constructor;</a>', 'entity'],
    ['<a>&#0;</a>', 'entity'],
    ['<a>&#xD800;</a>', 'entity'],
    ['<a>&#x110000;</a>', 'entity'],
    ['<a>]]></a>', 'CDATA'],
    ['<a><!-- -- --></a>', 'comment'],
    ['<a>\0</a>', 'forbids'],
    [' <?xml version="1.0"?><a/>', 'instruction'],
    ['<![CDATA[x]]><a/>', 'outside the root'],
    ['<!DOCTYPE a><a/>', 'document type'],
    ['<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', 'document type'],
    ['<a><!DOCTYPE a></a>', 'document type'],
    ['<a>'.repeat(101) + '</a>'.repeat(101), 'deep'],
    ['<a>'.repeat(1_000_000), 'deep'],
    ['x'.repeat(8_000_001), 'characters'],
  ])('refuses %.40j: %s', (text, reason) => {
    expect(() => parseXml(text)).toThrow(reason)
  })

  test('names of the prototype are ordinary names', () => {
    const root = parseXml('<constructor __proto__="1"><__proto__/></constructor>')
    expect([root.name, root.attributes.get('__proto__'), root.children[0]?.name]).toEqual([
      'constructor',
      '1',
      '__proto__',
    ])
  })

  test.each([
    ['blanks in a tag', `<a${' '.repeat(400_000)}x`],
    ['a long name', `<a ${'b'.repeat(400_000)}`],
    ['ampersands', `<a>${'&a'.repeat(200_000)}</a>`],
    ['blanks after a value', `<a ${'b="c"   '.repeat(50_000)}`],
    ['open comments', `<a>${'<!-- '.repeat(80_000)}`],
  ])('hostile text takes no quadratic time, which would be minutes: %s', (_, text) => {
    expect(() => parseXml(text)).toThrow()
  })
})
