import { describe, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { exportShell, readExport, shellOf, shellVariables } from '../src/exporter-shell.ts'
import { run } from '../src/run.ts'
import { credentialsOf } from './exporter-writer.ts'
import { exporterCase, setsIn, useHome } from './exporter.case.ts'

describe('contract', () => {
  exporterCase({
    exporter: exportShell,
    file: '.config/cloudtoken/tokens.shell',
    foreign: undefined,
    flags: () => ({}),
    // The last variable is there in a whole file only.
    sets: text => (/^export AWS_ROLE_NAME=.*\n$/m.test(text) ? setsIn(text) : []),
  })
})

const held = useHome()
const file = (name = 'tokens.shell'): string => path.join(held.stage.home, '.config/cloudtoken', name)
const read = (name?: string): string => readFileSync(file(name), 'utf8')
const names = (text: string): string[] => [...text.matchAll(/\b(AWS_[A-Z_]+)\b/g)].map(match => match[1] ?? '')

describe('tokens.shell', () => {
  test('names the shell, then the ten variables', async () => {
    await exportShell.write(held.stage.context(1))
    const [first, ...lines] = read().trimEnd().split('\n')
    expect(first).toBe('#!/bin/bash')
    const token = `${'token/'.repeat(100)}SET1END==`
    expect(lines.toSorted()).toEqual([
      'export AWS_ACCESS_KEY_ID=ASIASET1END',
      'export AWS_ACCOUNT_ID=123456789012',
      `export AWS_DELEGATION_TOKEN=${token}`,
      'export AWS_EXPIRATION=2040-01-01T01:00:01Z',
      'export AWS_EXPIRATION_TIMESTAMP=2208992401',
      'export AWS_LASTUPDATED=2040-01-01T00:00:01Z',
      'export AWS_ROLE_NAME=Sysadmin-Role',
      'export AWS_SECRET_ACCESS_KEY=secret/SET1END+',
      `export AWS_SECURITY_TOKEN=${token}`,
      `export AWS_SESSION_TOKEN=${token}`,
    ])
  })

  test('beside the daemon only the four without a secret', async () => {
    await exportShell.write(held.stage.context(1, { daemon: true }))
    expect(names(read()).toSorted()).toEqual([
      'AWS_ACCOUNT_ID',
      'AWS_EXPIRATION_TIMESTAMP',
      'AWS_LASTUPDATED',
      'AWS_ROLE_NAME',
    ])
    expect(setsIn(read())).toEqual([])
  })

  test('--temp writes tokens.tmp instead; forget removes both', async () => {
    await exportShell.write(held.stage.context(1, { flags: { temp: true } }))
    expect(existsSync(file())).toBe(false)
    expect(setsIn(read('tokens.tmp'))).toEqual(['1'])
    await exportShell.write(held.stage.context(2))
    await exportShell.forget?.(held.stage.context(0))
    expect([existsSync(file()), existsSync(file('tokens.tmp'))]).toEqual([false, false])
  })

  test('fish: its own words, and executable by the owner as ever', async () => {
    await exportShell.write(held.stage.context(1, { env: { SHELL: '/usr/bin/fish' } }))
    expect(read()).toStartWith('#!/usr/bin/fish\nset -gx AWS_ACCESS_KEY_ID ASIASET1END\n')
    expect(statSync(file()).mode & 0o7777).toBe(0o700)
  })

  test.each([
    [{}, {}, '#!/bin/sh\nexport '],
    [{ SHELL: '' }, {}, '#!/bin/sh\nexport '],
    [{ SHELL: 'relative/bash' }, {}, '#!/bin/sh\nexport '],
    [{ SHELL: '/bin/bash\nrm -rf /' }, {}, '#!/bin/sh\nexport '],
    [{ SHELL: '/opt/my shells/zsh' }, {}, '#!/bin/sh\nexport '],
    [{ SHELL: '/bin/tcsh' }, {}, '#!/bin/tcsh\nexport '],
    [{ SHELL: '/bin/bash' }, { shell: 'fish' }, '#!/usr/bin/env fish\nset -gx '],
    [{ SHELL: '/usr/bin/fish' }, { shell: 'zsh' }, '#!/bin/sh\nexport '],
    [{ SHELL: '/bin/bash' }, { shell: 'powershell' }, '#!/usr/bin/env pwsh\n$env:'],
    [{ SHELL: '/bin/bash' }, { shell: 'cmd' }, 'set "AWS_'],
    [{ SHELL: '/bin/bash' }, { shell: 'json' }, '{\n'],
    [{ SHELL: '/bin/bash' }, { shell: 'dotenv' }, '#!/bin/sh\nAWS_'],
  ])('with %j and %j it begins with %j', async (env, flags, beginning) => {
    await exportShell.write(held.stage.context(1, { env, flags }))
    expect(read()).toStartWith(beginning)
  })

  test.each([
    ['arn:aws:iam::123456789012:role/a/b', 'b'],
    ['arn:aws-cn:iam::123456789012:role/Read_Only.x', 'Read_Only.x'],
    ['arn:aws-us-gov:iam::123456789012:role/path/to/me@corp+x,y=z', 'me@corp+x,y=z'],
  ])('the role of %s is %s, and so the shell sees it', async (roleArn, name) => {
    await exportShell.write(held.stage.context(1, { credentials: credentialsOf(1, { roleArn }) }))
    const { stdout } = await run('sh', ['-c', '. "$0"; printf %s "$AWS_ROLE_NAME"', file()])
    expect(stdout).toBe(name)
  })

  test('a shell that is not known is refused', () => {
    expect(() => shellOf({ shell: 'nu' }, {})).toThrow('no such shell')
    expect(shellOf({ shell: undefined }, { SHELL: '/usr/bin/fish' })).toBe('fish')
  })
})

describe('the export of the last run', () => {
  const end = Math.floor(credentialsOf(1).expiration.getTime() / 1000) * 1000
  const exported = (now: number, temp = false): string =>
    readExport({ settings: { temp }, paths: held.stage.context(0).paths, now })

  test('is the file without its comment lines, and a shell takes it', async () => {
    await exportShell.write(held.stage.context(1))
    const text = exported(end - 1)
    expect(text).not.toContain('#')
    const { stdout } = await run('sh', ['-c', 'eval "$TEXT"; printf %s "$AWS_SESSION_TOKEN"'], {
      env: { PATH: process.env['PATH'], TEXT: text },
    })
    expect(stdout).toBe(shellVariables(credentialsOf(1))['AWS_SESSION_TOKEN'] ?? '')
  })

  test.each(['sh', 'fish', 'powershell', 'cmd', 'dotenv', 'json'])(
    '%s: over is over, and the file is gone then',
    async shell => {
      await exportShell.write(held.stage.context(1, { flags: { shell } }))
      expect(exported(end - 1)).toContain('ASIASET1END')
      expect(() => exported(end)).toThrow(
        expect.objectContaining({
          kind: 'person',
          code: 'credentials-expired',
          hint: 'cloudtoken',
          message: expect.stringContaining('expired'),
        }),
      )
      expect(existsSync(file())).toBe(false)
    },
  )

  test('a file that does not say when it ends is good for an hour', () => {
    mkdirSync(path.dirname(file()), { recursive: true })
    writeFileSync(file(), '#!/bin/bash\nexport A=b\n', { mode: 0o600 })
    utimesSync(file(), 1_000_000, 1_000_000)
    expect(exported(1_000_000_000 + 3_599_999)).toBe('export A=b\n')
    expect(() => exported(1_000_000_000 + 3_600_000)).toThrow('expired')
    expect(existsSync(file())).toBe(false)
  })

  test('--temp asks for the temporary file', async () => {
    await exportShell.write(held.stage.context(1, { flags: { temp: true } }))
    expect(exported(end - 1, true)).toContain('SET1END')
    expect(() => exported(end - 1)).toThrow(expect.objectContaining({ code: 'no-credentials' }))
  })

  test('what others can write is not handed to eval', async () => {
    await exportShell.write(held.stage.context(1))
    chmodSync(file(), 0o622)
    expect(() => exported(end - 1)).toThrow('other users')
  })
})
