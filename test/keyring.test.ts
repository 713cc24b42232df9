import { describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { createKeyring, type KeyringOptions } from '../src/keyring.ts'
import { notify } from '../src/notify.ts'
import { run as reallyRun, type Run, type RunResult } from '../src/run.ts'

interface Call {
  command: string
  args: readonly string[]
  input: string | undefined
}

/** Plays the system's tool; records what it was asked. */
function stage(platform: NodeJS.Platform, answer: (call: Call) => Partial<RunResult>, env: KeyringOptions['env'] = {}) {
  const calls: Call[] = []
  const notes: string[] = []
  const run: Run = async (command, args, options) => {
    const call = { command, args, input: options?.input }
    calls.push(call)
    return { code: 0, stdout: '', stderr: '', ...answer(call) }
  }
  return { calls, notes, keyring: createKeyring({ platform, run, env, note: reason => notes.push(reason) }) }
}

const secret = `pä"s\\s'w$rd`
const account = 'CORP\\charlie b'
const base64 = (text: string): string => Buffer.from(text).toString('base64')

describe('macOS', () => {
  test('reads what the tool prints about the password', async () => {
    const hex = Buffer.from(secret).toString('hex').toUpperCase()
    for (const [stderr, expected] of [
      ['password: "plain word"\n', 'plain word'],
      ['password: "with "quotes""\n', 'with "quotes"'],
      ['password: "0x41"\n', '0x41'],
      [`password: 0x${hex}  "p\\303\\244..."\n`, secret],
      ['password: \n', undefined],
    ] as const) {
      const { keyring, calls } = stage('darwin', () => ({ stdout: 'keychain: "/Users/c/login.keychain-db"\n', stderr }))
      expect(await keyring.read('cloudtoken', account)).toBe(expected)
      expect(calls).toEqual([
        {
          command: '/usr/bin/security',
          args: ['find-generic-password', '-s', 'cloudtoken', '-a', account, '-g'],
          input: '',
        },
      ])
    }
  })

  test('writes by a line on stdin, in hexadecimal, and reads it back', async () => {
    const hex = Buffer.from(secret).toString('hex')
    const { keyring, calls } = stage('darwin', ({ args }) =>
      args[0] === '-i' ? {} : { stderr: `password: 0x${hex}  "…"\n` },
    )
    expect(await keyring.write('cloudtoken', account, secret)).toBe(true)
    expect(calls[0]).toEqual({
      command: '/usr/bin/security',
      args: ['-i'],
      input: `add-generic-password -U -s cloudtoken -a "CORP\\\\charlie b" -X ${hex}\n`,
    })
    expect(calls).toHaveLength(2)
  })

  test('a write that the tool only pretends to have done is false', async () => {
    const { keyring, notes } = stage('darwin', ({ args }) =>
      args[0] === '-i' ? {} : { code: 44, stderr: 'not found' },
    )
    expect(await keyring.write('cloudtoken', account, secret)).toBe(false)
    expect(notes).toEqual(['the keyring did not keep the password'])
  })

  test('an entry that is not there: undefined, and removed already', async () => {
    const { keyring, notes } = stage('darwin', () => ({
      code: 44,
      stderr: 'security: SecKeychainSearchCopyNext: not found',
    }))
    expect(await keyring.read('cloudtoken', 'a')).toBeUndefined()
    expect(await keyring.remove('cloudtoken', 'a')).toBe(true)
    expect(notes).toEqual([])
  })

  test('a locked keychain is no error', async () => {
    const { keyring, notes } = stage('darwin', () => ({
      code: 36,
      stderr: 'security: interaction is not allowed\nmore\n',
    }))
    expect(await keyring.read('cloudtoken', 'a')).toBeUndefined()
    expect(await keyring.remove('cloudtoken', 'a')).toBe(false)
    expect(await keyring.available()).toBe(false)
    expect(notes).toEqual(Array(3).fill('the keyring did not answer: security: interaction is not allowed'))
  })
})

describe('Linux', () => {
  test('reads by the attributes of Python’s keyring', async () => {
    const { keyring, calls } = stage('linux', () => ({ stdout: secret }))
    expect(await keyring.read('cloudtoken', '-account')).toBe(secret)
    expect(calls[0]).toEqual({
      command: 'secret-tool',
      args: ['lookup', '--', 'service', 'cloudtoken', 'username', '-account'],
      input: '',
    })
  })

  test('an older entry that answers first is cleared', async () => {
    const kept = ['old']
    const { keyring, calls } = stage('linux', ({ args, input = '' }) => {
      if (args[0] === 'store') kept.push(input)
      if (args[0] === 'clear') kept.length = 0
      return { stdout: args[0] === 'lookup' ? (kept[0] ?? '') : '' }
    })
    expect(await keyring.write('cloudtoken', 'charlie', secret)).toBe(true)
    expect(calls.map(({ args }) => args[0])).toEqual(['store', 'lookup', 'clear', 'store', 'lookup'])
    expect(kept).toEqual([secret])
  })

  test('no bus, and no tool: said, not thrown', async () => {
    const bus = stage('linux', () => ({
      code: 1,
      stderr: 'secret-tool: Cannot autolaunch D-Bus without X11 $DISPLAY\n',
    }))
    expect(await bus.keyring.available()).toBe(false)
    expect(await bus.keyring.write('cloudtoken', 'a', 'secret')).toBe(false)
    expect(bus.notes[0]).toBe('the keyring did not answer: secret-tool: Cannot autolaunch D-Bus without X11 $DISPLAY')
    const notes: string[] = []
    const keyring = createKeyring({
      platform: 'linux',
      run: reallyRun,
      env: { PATH: '/nowhere' },
      note: text => notes.push(text),
    })
    expect(await keyring.read('cloudtoken', 'a')).toBeUndefined()
    expect(notes).toEqual(['No supported keyring backend found: secret-tool is not installed'])
  })

  test('a tool that hangs is given up', async () => {
    const { keyring, notes } = stage('linux', () => {
      throw new Error('secret-tool did not finish within 60 s')
    })
    expect(await keyring.read('cloudtoken', 'a')).toBeUndefined()
    expect(notes).toEqual(['the keyring did not answer: secret-tool did not finish within 60 s'])
  })
})

describe('Windows', () => {
  test('scripts are constant; everything that varies comes by stdin', async () => {
    const { keyring, calls } = stage(
      'win32',
      ({ input }) => ({ stdout: input?.includes(base64(secret)) ? '' : base64(secret) }),
      {
        SystemRoot: 'D:\\Win',
      },
    )
    expect(await keyring.write('cloudtoken', account, secret)).toBe(true)
    const [write, read] = calls
    expect(write?.command).toBe('D:\\Win\\System32\\WindowsPowerShell\\v1.0\\powershell.exe')
    expect(write?.input).toBe([base64('cloudtoken'), base64(account), base64(secret), ''].join('\r\n'))
    expect(read?.input).toBe([base64('cloudtoken'), base64(account), ''].join('\r\n'))
    expect(calls.flatMap(({ args }) => args).join(' ')).not.toContain('charlie')
    // Node quotes arguments for Windows; double quotes inside would need more.
    expect(calls.flatMap(({ args }) => args).join(' ')).not.toContain('"')
  })

  test('no such entry', async () => {
    const { keyring } = stage('win32', () => ({ code: 44 }))
    expect(await keyring.read('cloudtoken', 'a')).toBeUndefined()
    expect(await keyring.remove('cloudtoken', 'a')).toBe(true)
  })
})

test.each(['darwin', 'linux', 'win32'] as const)('%s: the secret is in no argument and no note', async platform => {
  const { keyring, calls, notes } = stage(platform, ({ input = '' }) => ({ code: 1, stderr: `cannot do ${input}` }))
  await keyring.write('cloudtoken', 'charlie', 'correct horse')
  const spoken = [...calls.flatMap(({ command, args }) => [command, ...args]), ...notes].join('\n')
  for (const form of ['correct horse', Buffer.from('correct horse').toString('hex'), base64('correct horse')]) {
    expect(spoken).not.toContain(form)
  }
  expect(notes.length).toBeGreaterThan(0)
})

test('names and secrets that a command line or a variable cannot carry never reach the tool', async () => {
  const { keyring, calls } = stage('darwin', () => ({}))
  expect(await keyring.read('cloudtoken', 'a\ndelete-keychain')).toBeUndefined()
  expect(await keyring.write('cloudtoken', 'a\n', 'x')).toBe(false)
  expect(await keyring.remove('', 'a')).toBe(false)
  expect(await keyring.write('cloudtoken', 'a', '')).toBe(false)
  expect(calls).toEqual([])
})

test('neither the tool of the keyring nor that of the desktop sees a secret of ours', async () => {
  const env = { PATH: '/bin', DISPLAY: ':0', CLOUDTOKEN_PASSWORD: secret, CLOUDTOKEN_SECRET_PASSPHRASE: secret }
  const seen: string[] = []
  const run: Run = async (_command, _args, options) => {
    const result = await reallyRun('env', [], options)
    seen.push(result.stdout)
    return result
  }
  await createKeyring({ platform: 'linux', run, env }).read('cloudtoken', account)
  await notify(run, 'linux', env, 'title', 'text')
  expect(seen).toEqual([expect.stringContaining('DISPLAY=:0'), expect.stringContaining('CLOUDTOKEN_TEXT=text')])
  expect(seen.join()).not.toMatch(/CLOUDTOKEN_(PASSWORD|SECRET)/)
})
