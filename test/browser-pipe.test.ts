import { describe, expect, test } from 'bun:test'
import { PassThrough } from 'node:stream'
import { speakDevTools } from '../src/browser-pipe.ts'

interface Side {
  readonly devtools: ReturnType<typeof speakDevTools>
  readonly sent: unknown[]
  /** What the browser writes, as it comes out of the pipe. */
  says(...parts: readonly (string | Uint8Array)[]): Promise<void>
  readonly events: unknown[]
  readonly input: PassThrough
}

function open(): Side {
  const [output, input] = [new PassThrough(), new PassThrough()]
  const sent: unknown[] = []
  output.setEncoding('utf8').on('data', (text: string) => {
    for (const message of text.split('\0').slice(0, -1)) sent.push(JSON.parse(message))
  })
  const devtools = speakDevTools(output, input)
  const events: unknown[] = []
  devtools.onEvent((method, parameters) => events.push([method, parameters]))
  const turn = (): Promise<unknown> => new Promise(resolve => setTimeout(resolve, 1))
  return {
    devtools,
    sent,
    events,
    input,
    async says(...parts) {
      for (const part of parts) {
        input.write(part)
        await turn()
      }
    },
  }
}

describe('the DevTools protocol over pipes', () => {
  test('an answer goes to its question, in whatever order and pieces', async () => {
    const { devtools, sent, says } = open()
    const [first, second] = [devtools.send('A.a'), devtools.send('B.b', { x: 1 }, 'S')]
    const text = new TextEncoder().encode('{"id":2,"result":{"name":"bücher"}}\0{"id":1,"result":{}}\0')
    await says(text.slice(0, 29), text.slice(29, 31), text.slice(31))
    expect([await first, await second]).toEqual([{}, { name: 'bücher' }])
    expect(sent).toEqual([
      { id: 1, method: 'A.a', params: {} },
      { id: 2, method: 'B.b', params: { x: 1 }, sessionId: 'S' },
    ])
  })

  test('events are heard, and nothing else is', async () => {
    const { events, says } = open()
    await says('{"method":"E.e","params":{"a":1}}\0{"method":"F.f"}\0', 'no json\0[1]\0null\0{"id":77,"result":{}}\0')
    expect(events).toEqual([
      ['E.e', { a: 1 }],
      ['F.f', {}],
    ])
  })

  test('a refusal names the method, and no more than a line of reasons', async () => {
    const { devtools, says } = open()
    const asked = devtools.send('A.a').catch((error: unknown) => error)
    await says(`{"id":1,"error":{"code":-1,"message":"${'no '.repeat(500)}"}}\0`)
    expect(await asked).toMatchObject({ code: 'browser-failed', message: expect.stringMatching(/^.{60,260}$/) })
  })

  test('the end of the pipe is the end of every question, asked or not yet', async () => {
    const { devtools, input } = open()
    const asked = devtools.send('A.a').catch((error: unknown) => error)
    input.end()
    await devtools.closed
    expect(await asked).toMatchObject({ code: 'browser-gone' })
    expect(await devtools.send('B.b').catch((error: unknown) => error)).toMatchObject({ code: 'browser-gone' })
  })

  test('a message without an end is not kept', async () => {
    const { devtools, input } = open()
    const chunk = 'x'.repeat(8 * 1024 * 1024)
    for (let turn = 0; turn < 10 && !input.destroyed; turn += 1) {
      input.write(chunk)
      await new Promise(resolve => setTimeout(resolve, 1))
    }
    await devtools.closed
    expect(input.destroyed).toBe(true)
  })
})
