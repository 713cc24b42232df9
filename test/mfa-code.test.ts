import { expect, test } from 'bun:test'
import process from 'node:process'
import { codeFor, hasCode } from '../src/mfa-code.ts'
import { awaitApproval } from '../src/mfa-push.ts'
import { splitWords } from '../src/words.ts'
import { testContext } from './context.ts'

const question = { host: 'idp.example', label: 'Passcode:', sent: [] }
const failed = (asking: Promise<unknown>): Promise<unknown> => asking.catch((error: unknown) => error)

test('a code from the command line is handed out once, then the person is asked', async () => {
  const { context, asked } = await testContext({
    settings: { mfaCode: '111111' },
    answers: [['Passcode (idp.example)', '222222']],
  })
  expect(await codeFor(context, question)).toBe('111111')
  expect(await codeFor(context, question)).toBe('222222')
  expect(asked).toHaveLength(1)
})

test('in a renewal the code of the command line is an old one', async () => {
  const { context } = await testContext({ settings: { mfaCode: '111111' }, mode: 'refresh' })
  expect(hasCode(context)).toBe(false)
  expect(await failed(codeFor(context, question))).toMatchObject({ kind: 'person' })
})

test('a command is run as it stands: words and quotes, no shell', async () => {
  const mfaCommand = `printf '%s\\n' "123 456" '$HOME;x'`
  const { context, logged } = await testContext({ settings: { mfaCommand } })
  expect(await codeFor(context, question)).toBe('123 456')
  expect(splitWords(mfaCommand)).toEqual(['printf', '%s\\n', '123 456', '$HOME;x'])
  expect(splitWords(`op item get "My Site" --otp --x='a b'c`)).toEqual([
    'op',
    'item',
    'get',
    'My Site',
    '--otp',
    '--x=a bc',
  ])
  context.log.debug('the code is 123 456')
  expect(logged.join()).not.toContain('123 456')
})

test('a command that fails, is missing or prints nothing is named', async () => {
  for (const [mfaCommand, words] of [
    ['false', 'exit code 1'],
    ['true', 'printed no code'],
    ['cloudtoken-no-such-program x', 'exit code 127'],
  ] as const) {
    const { context } = await testContext({ settings: { mfaCommand } })
    expect(await failed(codeFor(context, question))).toMatchObject({
      kind: 'config',
      code: 'mfa-command',
      message: expect.stringContaining(words),
    })
  }
})

test('the command sees no password', async () => {
  const before = process.env['CLOUDTOKEN_PASSWORD']
  process.env['CLOUDTOKEN_PASSWORD'] = 'correct horse'
  try {
    const { context } = await testContext({ settings: { mfaCommand: `sh -c 'echo "none\${CLOUDTOKEN_PASSWORD}"'` } })
    expect(await codeFor(context, question)).toBe('none')
  } finally {
    if (before === undefined) delete process.env['CLOUDTOKEN_PASSWORD']
    else process.env['CLOUDTOKEN_PASSWORD'] = before
  }
})

test('a code that was sent is not sent again, whoever gives it', async () => {
  const made = await testContext({ settings: { mfaCommand: 'echo 123456' } })
  expect(await failed(codeFor(made.context, { ...question, sent: ['123456'] }))).toMatchObject({ code: 'mfa-refused' })
  const { context, told } = await testContext({
    answers: [
      ['', '123456'],
      ['', '654321'],
    ],
  })
  expect(await codeFor(context, { ...question, sent: ['123456'] })).toBe('654321')
  expect(told).toHaveLength(1)
})

test.each([0, -5, 1e12])('a server that wants to be asked every %d ms is asked now and then', async intervalMs => {
  const { context } = await testContext()
  const slept: number[] = []
  const clock = { ...context.clock, sleep: async (ms: number) => void slept.push(ms) }
  const wait = { host: 'idp.example', what: 'Push', intervalMs }
  expect(await failed(awaitApproval({ ...context, clock }, wait, async () => ({})))).toMatchObject({
    code: 'mfa-timeout',
  })
  expect(slept.length).toBeLessThan(300)
  expect(Math.max(...slept)).toBeLessThanOrEqual(60_000)
})

test('waiting ends with an abort', async () => {
  const { context } = await testContext()
  const stop = new AbortController()
  const waiting = awaitApproval(
    { ...context, signal: stop.signal },
    { host: 'idp.example', what: 'Push' },
    async () => {
      stop.abort(new Error('enough'))
      return {}
    },
  )
  expect(String(await failed(waiting))).toContain('enough')
})
