import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { addressName, controlFile, controlFiles } from '../src/control-place.ts'
import { askDaemon, startControl, type ControlServer } from '../src/control.ts'
import { failure, isFailure } from '../src/errors.ts'
import { findPaths } from '../src/paths.ts'
import { openLogFile } from '../src/files.ts'

let top: string
let file: string
let server: ControlServer | undefined
beforeEach(() => {
  top = mkdtempSync(path.join(tmpdir(), 'cloudtoken-control-'))
  file = path.join(top, 'run', 'here.sock')
})
afterEach(() => {
  server?.close()
  server = undefined
  rmSync(top, { recursive: true, force: true })
})

async function failureOf(work: Promise<unknown>): Promise<string | undefined> {
  return await work.then(
    () => undefined,
    error => (isFailure(error) ? error.kind : String(error)),
  )
}

/** What comes back for these bytes: an answer to each line, or nothing before the other side ends it. */
function raw(bytes: string): Promise<string> {
  const lines = (text: string): number => text.split('\n').length
  return new Promise(resolve => {
    const socket = connect(file, () => socket.write(bytes))
    let text = ''
    socket.setEncoding('utf8').on('data', chunk => {
      text += String(chunk)
      if (lines(text) >= lines(bytes)) socket.destroy()
    })
    socket.on('close', () => resolve(text))
    socket.on('error', () => resolve(text))
  })
}

describe('control', () => {
  test('the socket and its folder are private to the person', async () => {
    mkdirSync(path.dirname(file), { mode: 0o755 })
    server = await startControl(file, {})
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(path.dirname(file)).mode & 0o777).toBe(0o700)
    server.close()
    expect(existsSync(file)).toBe(false)
  })

  test('answers, and failures keep their kind, hint and code', async () => {
    server = await startControl(file, {
      echo: argument => Promise.resolve({ argument }),
      nothing: () => {},
      refuse: () => {
        throw failure('role', 'no such role', { hint: 'cloudtoken roles', code: 'role-unknown' })
      },
    })
    expect(await askDaemon(file, 'echo', 'a "b"\nc')).toEqual({ argument: 'a "b"\nc' })
    expect(await askDaemon(file, 'nothing')).toBeNull()
    const refused = await askDaemon(file, 'refuse').catch(error => error)
    expect(refused).toMatchObject({
      kind: 'role',
      message: 'no such role',
      hint: 'cloudtoken roles',
      code: 'role-unknown',
    })
    expect(await failureOf(askDaemon(file, 'toString'))).toBe('usage')
    expect(await failureOf(askDaemon(file, 'constructor'))).toBe('usage')
  })

  test('several questions on one connection are answered in their order', async () => {
    server = await startControl(file, {
      slow: () => new Promise(resolve => setTimeout(resolve, 50, 'slow')),
      fast: () => 'fast',
    })
    expect(await raw('{"command":"slow"}\n{"command":"fast"}\n')).toBe('{"result":"slow"}\n{"result":"fast"}\n')
  })

  test('what is no question gets a refusal, endless lines none, and the next one is served', async () => {
    server = await startControl(file, { fine: () => 1 })
    for (const line of ['', 'x', '[]', 'null', '{"command":1}', '{"command":{"a":1}}']) {
      expect(await raw(`${line}\n`)).toContain('"kind":"usage"')
    }
    expect(await raw('x'.repeat(200_000))).toBe('')
    expect(await askDaemon(file, 'fine')).toBe(1)
  })

  test('who asks and asks and never listens is sent away, and the memory stays', async () => {
    server = await startControl(file, { long: () => 'x'.repeat(10_000) })
    const socket = connect(file).pause()
    const gone = new Promise<void>(resolve => socket.on('error', () => {}).on('close', resolve))
    let sent = 0
    const asking = setInterval(() => (sent += socket.write('{"command":"long"}\n'.repeat(1000)) ? 1000 : 0), 1)
    await gone
    clearInterval(asking)
    expect(sent).toBeLessThan(1_000_000)
    expect(await askDaemon(file, 'long')).toHaveLength(10_000)
  })

  test('nobody there, or gone before the answer: no daemon', async () => {
    expect(await failureOf(askDaemon(file, 'status'))).toBe('no-daemon')
    mkdirSync(path.dirname(file))
    writeFileSync(file, '')
    expect(await failureOf(askDaemon(file, 'status'))).toBe('no-daemon')
  })

  test('a socket that was left behind is replaced, one that answers is respected', async () => {
    mkdirSync(path.dirname(file))
    writeFileSync(file, '')
    server = await startControl(file, { who: () => 'first' })
    expect(await failureOf(startControl(file, { who: () => 'second' }))).toBe('address')
    expect(await askDaemon(file, 'who')).toBe('first')
  })

  test('a name that no socket can have is a failure, not a socket somewhere else', async () => {
    expect(await failureOf(startControl(path.join(top, 'x'.repeat(110), 'here.sock'), {}))).toBe('config')
  })
})

describe('the place', () => {
  const address = { hostname: '127.0.0.1', port: 9911 }

  test('is the runtime folder where it is ours, else the state folder; both are searched', () => {
    const runtime = path.join(top, 'runtime')
    mkdirSync(path.join(runtime, 'cloudtoken'), { recursive: true })
    const paths = findPaths({ HOME: top })
    const env = { XDG_RUNTIME_DIR: runtime }
    expect(controlFile(env, paths, address)).toBe(path.join(runtime, 'cloudtoken', '127.0.0.1_9911.sock'))
    expect(controlFile({}, paths, address)).toBe(path.join(top, '.local/state/cloudtoken/run/127.0.0.1_9911.sock'))
    // Not ours, not there, not absolute.
    for (const foreign of ['/proc/1/root/nowhere', path.join(top, 'absent'), 'relative']) {
      expect(controlFile({ XDG_RUNTIME_DIR: foreign }, paths, address)).toContain('.local/state')
    }
    const files = [controlFile({}, paths, address), controlFile(env, paths, { ...address, port: 1 })]
    for (const each of files) {
      mkdirSync(path.dirname(each), { recursive: true })
      writeFileSync(each, '')
    }
    expect(controlFiles(env, paths).sort()).toEqual(files.toSorted())
    expect(controlFiles(env, paths, address)).toEqual(files.slice(0, 1))
  })

  test('names are files, whatever the address', () => {
    expect(addressName({ hostname: 'fd00:EC2::254', port: 80 })).toBe('fd00_ec2__254_80')
    expect(addressName({ hostname: '../../x', port: 1 })).toBe('.._.._x_1')
  })
})

test('a log file is private, is added to, and is put aside when it is large', () => {
  const log = path.join(top, 'log', 'x.log')
  openLogFile(log, 10)('one\n')
  const write = openLogFile(log, 10)
  write('two three\n')
  expect(readFileSync(log, 'utf8')).toBe('one\ntwo three\n')
  write('four\n')
  expect([readFileSync(log, 'utf8'), readFileSync(`${log}.1`, 'utf8')]).toEqual(['four\n', 'one\ntwo three\n'])
  for (const each of [log, `${log}.1`]) expect(statSync(each).mode & 0o777).toBe(0o600)
  renameSync(log, `${log}.old`)
  write('five\n')
  expect([readFileSync(log, 'utf8'), readFileSync(`${log}.old`, 'utf8')]).toEqual(['five\n', 'four\n'])
  rmSync(path.dirname(log), { recursive: true })
  write('a very long line\n')
  write('six\n')
  expect(readFileSync(log, 'utf8')).toBe('six\n')
  // Where there can be no file, what follows goes nowhere, and least of all into somebody else's.
  rmSync(path.dirname(log), { recursive: true })
  writeFileSync(path.dirname(log), '')
  const other = path.join(top, 'other')
  const fd = openSync(other, 'w')
  expect(() => write('seven\n')).not.toThrow()
  expect(readFileSync(other, 'utf8')).toBe('')
  closeSync(fd)
})
