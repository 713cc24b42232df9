import { describe, expect, test } from 'bun:test'
import { parseArgs } from 'citty'
import fc from 'fast-check'
import { argsOf, flagsOf, normaliseArgv } from '../src/argv.ts'
import { isFailure } from '../src/errors.ts'
import type { OptionTable } from '../src/option.ts'
import { coreOptions } from '../src/options.ts'

function read(...words: string[]) {
  const argv = normaliseArgv(words, coreOptions)
  return flagsOf(parseArgs(argv, argsOf(argv, coreOptions)), coreOptions)
}

describe('what the original took', () => {
  test.each([
    [['-d', '-r', '1'], { daemon: true, 'role-number': 1 }],
    [['-dr1'], { daemon: true, 'role-number': 1 }],
    [['-r=2'], { 'role-number': 2 }],
    [['-flist'], { filter: 'list' }],
    [['-lf', 'x'], { list: true, filter: 'x' }],
    [['-V'], { version: true }],
    [['-v'], { version: true }],
    [['--cloudtoken-dir', '/x'], { 'config-dir': '/x' }],
    [['--allowed-cidr', '10.0.0.0/8,::1'], { 'allow-from': ['10.0.0.0/8', '::1'] }],
    [['--allow-from', 'a', '--allow-from=b'], { 'allow-from': ['a', 'b'] }],
    [['--no-input'], { 'no-input': true }],
    [['--no-input=false'], {}],
    [['--quiet=false'], { quiet: false }],
    [['--filter='], { filter: '' }],
    [['--saml-response', '-'], { 'saml-response': '-' }],
    [['--role', '--x'], { role: '--x' }],
    [['--role', 'a', '--role', 'b', '--role=c,d'], { role: 'a', 'also-role': ['b', 'c', 'd'] }],
    [['--session-duration', '900', '--session-duration', '1800'], { 'session-duration': 1800 }],
  ])('%j', (words, flags) => {
    expect(read(...words)).toEqual(flags)
  })
})

describe('what citty would let pass', () => {
  test.each([
    [['--bogus'], 'unknown option --bogus', 'cloudtoken --help'],
    [['--filtr', 'x'], 'unknown option --filtr', 'did you mean --filter?'],
    [['-x'], 'unknown option -x', 'cloudtoken --help'],
    [['-lx'], 'unknown option -x', 'cloudtoken --help'],
    [['--role'], '--role needs a value: --role NAME|ARN', undefined],
    [['word'], 'unexpected argument "word"', 'cloudtoken --help'],
    [['--no-quiet'], 'unknown option --no-quiet', undefined],
  ])('%j is refused', (words, message, hint) => {
    const failure = (() => {
      try {
        return read(...words)
      } catch (error) {
        return error
      }
    })()
    expect(isFailure(failure) && failure.kind).toBe('usage')
    expect(failure).toMatchObject({ message, ...(hint && { hint }) })
  })
})

test('the words after -- are left as they are', () => {
  expect(normaliseArgv(['-l', '--', 'aws', '--help', '-r', '1'], coreOptions)).toEqual([
    '--list=true',
    '--',
    'aws',
    '--help',
    '-r',
    '1',
  ])
})

test('any text survives as a value, and any words give flags or a usage failure', () => {
  const table: OptionTable = { text: { type: 'string', alias: ['t'], mayBeEmpty: true, summary: '' } }
  fc.assert(
    // `--` ends the options, whatever stands before it.
    fc.property(
      fc.string().filter(text => text !== '--'),
      text => {
        for (const words of [[`--text=${text}`], ['--text', text], ['-t', text]]) {
          const argv = normaliseArgv(words, table)
          expect(flagsOf(parseArgs(argv, argsOf(argv, table)), table)).toEqual({ text })
        }
      },
    ),
  )
  fc.assert(
    fc.property(fc.array(fc.string()), words => {
      try {
        read(...words)
      } catch (error) {
        expect(isFailure(error) && error.kind).toBe('usage')
      }
    }),
  )
})
