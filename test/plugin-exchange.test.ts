/** The host's side of a conversation, with real processes that keep and break the protocol. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { failure, isFailure, type Failure } from '../src/errors.ts'
import { createLog } from '../src/log.ts'
import { converse, type Conversation, type Result } from '../src/plugin-exchange.ts'
import type { AskMessage } from '../src/plugin-protocol.ts'
import { until } from './until.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloudtoken-exchange-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let count = 0
interface Talk {
  readonly outcome: Promise<Result | Failure>
  readonly asked: AskMessage[]
  readonly told: string[]
  readonly logged: string[]
  readonly lines: [from: 'host' | 'plugin', line: string][]
}

function talk(script: string, more: Partial<Conversation> = {}): Talk {
  count += 1
  const path = join(folder, `plugin-${count}`)
  writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o700 })
  const asked: AskMessage[] = []
  const told: string[] = []
  const logged: string[] = []
  const lines: [from: 'host' | 'plugin', line: string][] = []
  const sink = (text: string): void => void logged.push(text)
  const outcome = converse({
    name: 'test',
    path,
    env: { PATH: process.env['PATH'], OUT: folder },
    opening: [{ type: 'hello', protocol: 1 }],
    answer: async ask => {
      asked.push(ask)
      return 'an answer'
    },
    tell: message => void told.push(message),
    log: createLog({ debug: true, stdout: sink, stderr: sink }),
    debug: false,
    timeoutMs: 20_000,
    trace: (from, line) => void lines.push([from, line]),
    ...more,
  }).catch((error: unknown) => {
    if (!isFailure(error)) throw error
    return error
  })
  return { outcome, asked, told, logged, lines }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
  } catch {
    return false
  }
}
const pidIn = (name: string): number => Number(readFileSync(join(folder, name), 'utf8'))

describe('a conversation', () => {
  test.concurrent('questions are answered one by one, in order, and unknown messages are ignored', async () => {
    const { outcome, asked, told, lines } = talk(`read -r hello
echo '{"type":"tell","message":"welcome"}'; read -r a
printf '%s\\n' '{"type":"grease"}' '' '{"type":"ask","kind":"text","message":"one"}' '{"type":"ask","kind":"secret","message":"two"}'
read -r b; read -r c
printf '{"type":"result","data":%s}' "$c"`)
    expect(await outcome).toEqual({ type: 'result', data: { type: 'answer', value: 'an answer' } })
    expect([told, asked.map(ask => ask.message)]).toEqual([['welcome'], ['one', 'two']])
    expect(lines.filter(([from]) => from === 'host').map(([, line]) => JSON.parse(line).type)).toEqual([
      ...['hello', 'answer', 'answer', 'answer'],
    ])
  })

  test.concurrent('nobody to ask: the plugin is told, and may still find a way', async () => {
    const answer = (): Promise<never> => Promise.reject(failure('person', 'nobody is there'))
    const ask = `read -r hello; echo '{"type":"ask","kind":"text","message":"Code"}'; read -r a`
    const finds = await talk(`${ask}; printf '{"type":"result","data":%s}\\n' "$a"`, { answer }).outcome
    expect(finds).toMatchObject({ data: { type: 'refused', reason: 'person' } })
    for (const end of ['exit 1', `echo '{"type":"error","message":"then not"}'`]) {
      const error = await talk(`${ask}; ${end}`, { answer }).outcome
      expect(error).toMatchObject({ kind: 'person', message: 'plugin test asks “Code”: nobody is there' })
    }
  })

  test.concurrent('its errors are told in its name, with its hint and kind', async () => {
    const { outcome } = talk(`echo '{"type":"error","kind":"refused","message":"no way","hint":"try x","code":"c"}'`)
    expect(await outcome).toMatchObject({ kind: 'refused', message: 'plugin test: no way', hint: 'try x', code: 'c' })
  })

  test.concurrent('stderr is shown under --debug only, without what is known to be secret', async () => {
    const script = `echo '{"type":"ask","kind":"secret","message":"x"}'; read -r h; read -r a; echo "got $a" >&2; echo '{"type":"result"}'`
    const answer = async (): Promise<string> => 'correct-horse'
    const shown = talk(script, { answer, debug: true })
    await shown.outcome
    expect(shown.logged.join('')).toContain('plugin test: got {"type":"answer","value":"*****"}')
    const hidden = talk(script, { answer })
    await hidden.outcome
    expect(hidden.logged.join('')).not.toContain('got')
  })

  test.concurrent('it works in an empty folder that goes away, and has no terminal', async () => {
    const { outcome } =
      talk(`pwd > "$OUT/cwd"; ls -A > "$OUT/ls"; (exec < /dev/tty) 2>/dev/null && echo tty >> "$OUT/ls"
echo '{"type":"result"}'`)
    await outcome
    expect(readFileSync(join(folder, 'ls'), 'utf8')).toBe('')
    expect(existsSync(readFileSync(join(folder, 'cwd'), 'utf8').trim())).toBe(false)
  })

  test.concurrent('after five seconds without a word a person is told what is waited for', async () => {
    const { outcome, logged } = talk(`sleep 5.5; echo '{"type":"result"}'`)
    expect(await outcome).toMatchObject({ type: 'result' })
    expect(logged).toEqual(['cloudtoken: waiting for the plugin test\n'])
  }, 20_000)

  test.concurrent('the time that a person takes is not the plugin’s', async () => {
    const { outcome } = talk(
      `read -r h; echo '{"type":"ask","kind":"text","message":"x"}'; read -r a; echo '{"type":"result"}'`,
      {
        timeoutMs: 2000,
        answer: async () => {
          await Bun.sleep(2500)
          return 'late'
        },
      },
    )
    expect(await outcome).toMatchObject({ type: 'result' })
  })
})

describe('a plugin that', () => {
  test.concurrent('ends before it reads: no EPIPE, but how it ended', async () => {
    const big = 'x'.repeat(300_000)
    const { outcome } = talk('exec 0<&-; exit 7', { opening: [{ type: 'hello', big }] })
    expect(await outcome).toMatchObject({
      kind: 'plugin',
      message: 'plugin test ended with exit code 7 before it gave a result',
    })
  })

  test.concurrent('does not exist, or may not be run', async () => {
    expect(await talk('', { path: join(folder, 'none') }).outcome).toMatchObject({
      kind: 'plugin',
      message: expect.stringContaining('plugin test cannot be started'),
    })
  })

  test.concurrent('leaves a child that keeps the pipe open does not keep us', async () => {
    const begin = performance.now()
    const { outcome } = talk(`sleep 30 & echo $! > "$OUT/grandchild"; exit 4`)
    expect(await outcome).toMatchObject({ message: 'plugin test ended with exit code 4 before it gave a result' })
    expect(performance.now() - begin).toBeLessThan(15_000)
    // It broke its word, so nothing of it stays.
    await until(() => !isAlive(pidIn('grandchild')), 'its end')
  })

  test.concurrent('gave its result may leave a child behind, such as a browser', async () => {
    const { outcome } = talk(`sleep 30 & echo $! > "$OUT/browser"; echo '{"type":"result"}'`)
    expect(await outcome).toMatchObject({ type: 'result' })
    expect(isAlive(pidIn('browser'))).toBe(true)
    process.kill(pidIn('browser'), 'SIGKILL')
  })

  test.concurrent('does not end after its result gets INT, and KILL when it does not care', async () => {
    await talk(
      `echo $$ > "$OUT/polite"; trap 'echo int > "$OUT/trapped"; exit' INT; echo '{"type":"result"}'; while :; do sleep 0.1; done`,
    ).outcome
    expect([readFileSync(join(folder, 'trapped'), 'utf8'), isAlive(pidIn('polite'))]).toEqual(['int\n', false])
    await talk(`echo $$ > "$OUT/rude"; trap '' INT; echo '{"type":"result"}'; while :; do sleep 0.1; done`).outcome
    expect(isAlive(pidIn('rude'))).toBe(false)
  }, 20_000)

  test.concurrent('hangs is ended at its time', async () => {
    const { outcome } = talk(`echo $$ > "$OUT/hung"; trap '' INT; while :; do sleep 0.1; done`, { timeoutMs: 300 })
    expect(await outcome).toMatchObject({ kind: 'plugin', message: 'plugin test gave no result within 0.3 s' })
    expect(isAlive(pidIn('hung'))).toBe(false)
  }, 20_000)

  test.concurrent('is not wanted any more is ended', async () => {
    const controller = new AbortController()
    const { outcome } = talk(`echo $$ > "$OUT/aborted"; sleep 30`, { signal: controller.signal })
    while (!existsSync(join(folder, 'aborted'))) await Bun.sleep(10)
    controller.abort(failure('cancelled', 'enough'))
    expect(await outcome).toMatchObject({ kind: 'cancelled' })
    expect(isAlive(pidIn('aborted'))).toBe(false)
  }, 20_000)

  test.concurrent('floods stderr neither blocks nor fills the log', async () => {
    const { outcome, logged } = talk(`yes | head -c 3000000 >&2; echo '{"type":"result"}'`, { debug: true })
    expect(await outcome).toMatchObject({ type: 'result' })
    expect(logged.join('').length).toBeLessThan(200_000)
    expect(logged.at(-1)).toContain('writes too much to stderr')
  })

  test.concurrent('writes rubbish is quoted nowhere', async () => {
    const { outcome, logged } = talk('echo hunter2-hunter2')
    const error = await outcome
    expect(error).toMatchObject({ kind: 'plugin', message: 'plugin test wrote a line that is not JSON' })
    expect(JSON.stringify([error, logged])).not.toContain('hunter2')
  })
})

test('nothing is left in the temporary folder', async () => {
  const own = mkdtempSync(join(folder, 'tmp-'))
  process.env['TMPDIR'] = own
  try {
    await talk(`echo x > file; echo '{"type":"result"}'`).outcome
    await talk('mkdir -p a/b; exit 1').outcome
  } finally {
    delete process.env['TMPDIR']
  }
  expect(readdirSync(own)).toEqual([])
})
