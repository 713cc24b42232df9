import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readWords } from '../src/command-simulate.ts'
import type { Flags } from '../src/command-context.ts'

const now = Date.parse('2026-01-02T03:04:05.678Z')
const read = (line: string, flags: Flags = {}) => readWords(line.split(' '), flags, now)

describe('the words of simulate', () => {
  test.each<[string, Flags, object]>([
    ['spot-interruption', {}, { 'spot-interruption': { action: 'terminate', time: '2026-01-02T03:06:05Z' } }],
    [
      'spot-interruption',
      { in: 5, action: 'stop' },
      { 'spot-interruption': { action: 'stop', time: '2026-01-02T03:04:10Z' } },
    ],
    ['rebalance', {}, { rebalance: { time: '2026-01-02T03:04:05Z' } }],
    [
      'maintenance',
      { code: 'instance-stop', in: 60 },
      { maintenance: { code: 'instance-stop', from: '2026-01-02T03:05:05Z', to: '2026-01-02T05:05:05Z' } },
    ],
    ['expiry', { in: 0 }, { expiry: { time: '2026-01-02T03:04:05Z' } }],
    ['slow 1500', {}, { slow: { milliseconds: 1500 } }],
    ['error 503', {}, { error: { status: 503 } }],
    ['error 503 for 30', {}, { error: { status: 503, until: '2026-01-02T03:04:35Z' } }],
    ['tags Name=web a.b=c=d', {}, { tags: { Name: 'web', 'a.b': 'c=d' } }],
  ])('%s %j', (line, flags, begin) => {
    expect(read(line, flags)).toEqual({ begin } as never)
  })

  test('off ends all, or what is named', () => {
    expect(read('off slow error')).toEqual({ end: ['slow', 'error'] })
    expect(read('off').end).toHaveLength(8)
  })

  test.each<[string, Flags, string, string | undefined]>([
    ['spot', {}, 'cannot simulate "spot"', undefined],
    ['rebalanse', {}, 'cannot simulate "rebalanse"', 'did you mean rebalance?'],
    ['off slw', {}, 'cannot simulate "slw"', 'did you mean slow?'],
    ['rebalance now', {}, 'unexpected argument "now"', 'cloudtoken simulate rebalance'],
    ['rebalance', { in: 3 }, '--in does not go with simulate rebalance', 'cloudtoken simulate spot-interruption --in'],
    ['expiry', { action: 'stop' }, '--action does not go with simulate expiry', undefined],
    ['slow', {}, 'a number is missing', 'cloudtoken simulate slow 1500'],
    ['slow 1.5', {}, '"1.5" is not a whole number from 1 to 60000', undefined],
    ['slow 1 2', {}, 'unexpected argument "2"', 'cloudtoken simulate slow MS'],
    ['error 200', {}, '"200" is not a whole number from 400 to 599', undefined],
    ['error 503 30', {}, 'unexpected argument "30"', 'cloudtoken simulate error 503 for 30'],
    ['error 503 for', {}, 'a number is missing', undefined],
    ['tags', {}, 'no tag is named', 'cloudtoken simulate tags Name=web Stage=test'],
    ['tags Name', {}, '"Name" is not KEY=VALUE', undefined],
    ['tags a/b=c', {}, '"a/b" is no key of a tag that instance metadata shows', undefined],
    ['user-data', {}, 'no file is named', 'cloudtoken simulate user-data FILE'],
    ['user-data /nonexistent/file', {}, 'no file /nonexistent/file', undefined],
  ])('%s %j is refused', (line, flags, message, hint) => {
    const expected = { kind: 'usage', message, ...(hint !== undefined && { hint }) }
    expect(() => read(line, flags)).toThrow(expect.objectContaining(expected))
  })

  test('user data are bytes, 16 KiB at most', () => {
    const folder = mkdtempSync(join(tmpdir(), 'simulate-'))
    try {
      const file = join(folder, 'data')
      writeFileSync(file, new Uint8Array([0, 255, 10]))
      expect(read(`user-data ${file}`)).toEqual({ begin: { 'user-data': { base64: 'AP8K' } } })
      writeFileSync(file, 'x'.repeat(16_385))
      expect(() => read(`user-data ${file}`)).toThrow('16385 bytes')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
