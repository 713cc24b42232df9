/**
 * The odd cases that broke other tools, each with a letter for its subject and a number. A test that covers one begins its
 * name with it: `F09 F10 other forms …`, `A08-A16 adfs`. No case is left out by oversight: it has a test, or a reason here.
 */
import { expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** How many cases each subject has. */
const subjects: Readonly<Record<string, readonly [about: string, last: number]>> = {
  F: ['forms and pages', 56],
  C: ['HTTP and cookies', 20],
  A: ['AD FS', 23],
  S: ['Shibboleth; from 30 on by ECP', 36],
  P: ['SimpleSAMLphp', 18],
  K: ['Keycloak', 15],
  O: ['Okta', 17],
  E: ['Entra ID', 13],
  N: ['Ping, F5, NetIQ, OneLogin, JumpCloud, authentik, Auth0, ForgeRock, a command', 16],
  D: ['Duo', 12],
  R: ['assertions and roles', 22],
  W: ['the sign-in page of AWS', 9],
  T: ['STS and time', 13],
  X: ['a whole run', 10],
}
/** Numbers that were never given out. */
const unused = ['S26', 'S27', 'S28', 'S29']

/** Why a case has no test. */
const exceptions: Readonly<Record<string, string>> = {}

const letters = Object.keys(subjects).join('')
const number = `[${letters}]\\d\\d`
/** A text that begins with numbers of cases, alone or from one to another. */
const begins = new RegExp(`(?<=['"\`])${number}(?:-${number}|(?:[ ,]+${number})+)?(?=[: '"\`])`, 'g')

/** Case to files with a test of it. */
function carried(): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const file of readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.test.ts') || file === 'cases.test.ts') continue
    for (const [names] of readFileSync(join(import.meta.dirname, file), 'utf8').matchAll(begins)) {
      for (const name of spread(names)) found.set(name, [...(found.get(name) ?? []), file])
    }
  }
  return found
}

/** `A08-A10` is three of them. */
function spread(names: string): string[] {
  const [first = '', last] = names.split('-')
  if (last === undefined) return names.split(/[ ,]+/)
  const [from, to] = [Number(first.slice(1)), Number(last.slice(1))]
  return Array.from({ length: to - from + 1 }, (_, index) => caseName(first.charAt(0), from + index))
}

function caseName(letter: string, count: number): string {
  return `${letter}${String(count).padStart(2, '0')}`
}

const all = Object.entries(subjects).flatMap(([letter, [, last]]) =>
  Array.from({ length: last }, (_, index) => caseName(letter, index + 1)).filter(name => !unused.includes(name)),
)
const tested = carried()

test('there are 276 cases, and each has a test or a reason', () => {
  expect(all).toHaveLength(276)
  expect(all.filter(name => !tested.has(name) && !Object.hasOwn(exceptions, name))).toEqual([])
})

test('no test has a number that is no case', () => {
  expect([...tested].filter(([name]) => !all.includes(name))).toEqual([])
})

test('no exception is left standing beside a test', () => {
  expect(Object.keys(exceptions).filter(name => tested.has(name) || !all.includes(name))).toEqual([])
})

test('numbers are read as they are written', () => {
  expect(['A08-A10', 'F09 F10', 'D04, D09'].map(spread)).toEqual([
    ['A08', 'A09', 'A10'],
    ['F09', 'F10'],
    ['D04', 'D09'],
  ])
})
