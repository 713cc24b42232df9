/**
 * Pages that nobody wrote: whatever the pieces, a page is classified, and its copy gives nothing away.
 */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { classify } from '../src/form-page.ts'
import { scrubHtml } from '../src/form-report.ts'
import { inserted } from '../src/form-text.ts'
import { readPage } from '../src/html.ts'

const piece = fc.constantFrom(
  ...'<form method="post">|</form>|<form action="?x=1">|<input name="username">|<input type=password name=p>|<input name=otp>'.split(
    '|',
  ),
  ...'<input type="hidden" name="SAMLResponse" value="PGE+">|<button name=yes>Yes</button>|<button name="cancel">|</button>'.split(
    '|',
  ),
  ...'<select name="organization"><option>a</select>|<textarea name=t>|<noscript>|</noscript>|<table>|</div>|<!--|-->|<script>'.split(
    '|',
  ),
  ...'location.href="/x"|</script>|<meta http-equiv=refresh content="0;url=/y">|<div role=alert>No</div>|text| "|\'|<|>'.split(
    '|',
  ),
)
const pages = fc.array(piece, { maxLength: 25 }).map(pieces => pieces.join(''))

test('every page has a class', async () => {
  await fc.assert(
    fc.asyncProperty(pages, fc.constantFrom(200, 401, 500), async (text, status) => {
      const headers = new Headers({ 'content-type': 'text/html' })
      const page = await readPage({ url: 'https://a/', status, headers, bytes: new TextEncoder().encode(text), text })
      if (!page) return
      const kind = classify(page)
      // No class that would send a password without a field for it.
      if (kind.kind === 'credentials') expect(kind.form.controls).toContain(kind.password)
      if (kind.kind === 'failure')
        expect(page.errors.length > 0 || status >= 400 || text.includes('<textarea')).toBe(true)
    }),
    { numRuns: 300 },
  )
})

test('no copy holds a value of a field, or the secret', () => {
  const secret = fc
    .string({ minLength: 5, unit: 'grapheme' })
    .filter(text => text.trim().length > 4 && !/[<>"']/.test(text))
    // A word of the markup itself is no secret.
    .filter(text => !'input type="hidden" name="h" value="" textarea script'.includes(text.trim()))
  fc.assert(
    fc.property(pages, pages, secret, (before, after, value) => {
      const hidden = `${value}9Zq`
      // Outside of a comment, a script or an open quote, where the page has no such field.
      const copy = scrubHtml(
        `<p>${before.replace(/<!--|-->|<\/?script>|['"]|<textarea name=t>/g, '')}</p><input type="hidden" name="h" value="${hidden}">${after} ${value}`,
        [value],
      )
      expect(copy).not.toContain(hidden)
      expect(copy).not.toContain(value)
    }),
    { numRuns: 300 },
  )
})

test('what was inserted is found', () => {
  const word = fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('a', 'b', 'c') })
  fc.assert(
    fc.property(fc.array(word), fc.array(word), fc.array(word, { minLength: 1 }), (head, tail, added) => {
      const found = inserted([...head, ...tail].join(' '), [...head, ...added, ...tail].join(' '))
      // Repeated words may shift the cut, never the number of words.
      if (head.length + tail.length > 0) expect(found.split(' ')).toHaveLength(added.length)
    }),
    { numRuns: 200 },
  )
})
