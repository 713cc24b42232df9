import { expect, test } from 'bun:test'
import { addressAt, clean, inserted, isPrivateWay, place, words } from '../src/form-text.ts'

test('clean leaves nothing that moves a cursor', () => {
  expect(clean('a\u001b[31mb\r\n\tc\u202e\u200bd\u0085e')).toBe('a [31mb cd e')
  expect(clean('abcdef', 4)).toBe('abc…')
})

test('words of identifiers and labels', () => {
  expect(words('_eventId_TermsRejected')).toEqual(['event', 'id', 'terms', 'rejected'])
  expect(words('Fortsätt → Wëiter')).toEqual(['fortsätt', 'wëiter'])
})

test('inserted is what a page says anew', () => {
  expect(inserted('Sign in User Password', 'Sign in Wrong password! User Password')).toBe('Wrong password!')
  expect(inserted('a b', 'a b')).toBe('')
  expect(inserted('a a', 'a a a')).toBe('a')
  expect(inserted('', 'x y')).toBe('x y')
})

test('place shows no token', () => {
  expect(place('https://u:p@idp.example/a;jsessionid=1/b?c=d#e')).toBe('https://idp.example/a/b')
  expect(place('no address?x=1')).toBe('no address')
})

test('an address at home', () => {
  const base = 'https://idp.test/am'
  expect(['/x', 'https://IDP.test:443/x', '//idp.test/x'].map(to => addressAt(base, to))).toEqual(
    Array.from({ length: 3 }, () => 'https://idp.test/x'),
  )
  const away = ['http://idp.test/', 'https://idp.test.evil.test/', '//evil.test/', 'http://[', 'javascript:1']
  expect(away.filter(to => addressAt(base, to))).toEqual([])
})

test('a private way is https or this machine', () => {
  const ways = [
    'https://a',
    'http://127.0.0.1:1',
    'http://localhost',
    'http://[::1]:2',
    'http://127.0.0.1.example',
    'http://localhost.example',
    'http://10.0.0.1',
    'ftp://a',
  ]
  expect(ways.map(way => isPrivateWay(new URL(way)))).toEqual([true, true, true, true, false, false, false, false])
})
