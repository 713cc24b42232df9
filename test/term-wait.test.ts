import { expect, test } from 'bun:test'
import { setTimeout as delay } from 'node:timers/promises'
import { canShowWait, showWait } from '../src/term-wait.ts'

const clear = '\r\u001B[K'

test('one line that turns, counts, fits the terminal, and goes away', async () => {
  const written: string[] = []
  let now = 1000
  const line = { write: (text: string) => void written.push(text), elapsed: () => now, waitedMs: 1500 }
  const hide = showWait('idp.corp.test', line)
  now += 3000
  await delay(200)
  hide()
  await delay(200)
  expect(written.slice(0, 2)).toEqual([
    `${clear}| waiting for idp.corp.test, 1 s`,
    `${clear}/ waiting for idp.corp.test, 4 s`,
  ])
  expect(written.at(-1)).toBe(clear)
  expect(written).toHaveLength(3)
  showWait('a-very-long-name.corp.test', { ...line, columns: 20 })()
  expect(written[3]).toBe(`${clear}| waiting for a-ver`)
})

test('not where nobody sees it', () => {
  expect(canShowWait({ TERM: 'dumb' })).toBe(false)
})
