import { describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { exportAwscli } from '../src/exporter-awscli.ts'
import { readSection, sectionNames } from '../src/ini.ts'
import { run } from '../src/run.ts'
import { exporterCase, setsIn, useHome } from './exporter.case.ts'
import { failureOf } from './failure.ts'

const foreign = [
  '# by hand',
  '[default]',
  'aws_access_key_id=AKIAMINE ; keep',
  'AWS_Secret_Access_Key   = mine',
  's3 =',
  '    addressing_style = path',
  '',
  '[work]',
  'credential_process = "/opt/tool" work',
].join('\n')

describe('contract', () => {
  exporterCase({
    exporter: exportAwscli,
    file: '.aws/credentials',
    foreign,
    flags: n => ({ profile: n === 0 ? 'default' : `writer-${n}` }),
    sets: text =>
      sectionNames(text).flatMap(name => {
        const section = readSection(text, name)
        return section?.get('cloudtoken') === 'true' && section.has('expiration')
          ? setsIn([...section.values()].join(' '))
          : []
      }),
  })
})

const held = useHome()
const file = (): string => path.join(held.stage.home, '.aws/credentials')
const read = (): string => readFileSync(file(), 'utf8')
const section = (name: string): Record<string, string> | undefined => {
  const entries = readSection(read(), name)
  return entries && Object.fromEntries(entries)
}
const seed = (text: string | Uint8Array, name = 'credentials'): void => {
  mkdirSync(path.dirname(file()), { recursive: true })
  writeFileSync(path.join(path.dirname(file()), name), text)
}
const forget = async (): Promise<void> => exportAwscli.forget?.(held.stage.context(0))

describe('the profile', () => {
  test('default, with the mark and the end', async () => {
    await exportAwscli.write(held.stage.context(1))
    expect(read()).toBe(
      [
        '[default]',
        'aws_access_key_id = ASIASET1END',
        'aws_secret_access_key = secret/SET1END+',
        `aws_session_token = ${'token/'.repeat(100)}SET1END==`,
        'expiration = 2040-01-01T01:00:01Z',
        'cloudtoken = true\n',
      ].join('\n'),
    )
  })

  test('--profile and --region', async () => {
    await exportAwscli.write(held.stage.context(1, { flags: { profile: 'wörk', region: 'eu-west-1' } }))
    expect(section('wörk')).toMatchObject({ aws_access_key_id: 'ASIASET1END', region: 'eu-west-1', cloudtoken: 'true' })
    await exportAwscli.write(held.stage.context(2, { flags: { profile: 'wörk' } }))
    expect(sectionNames(read())).toEqual(['wörk'])
    await forget()
    expect(read()).toBe('')
  })

  test('a profile name that would break the file is refused', async () => {
    seed(foreign)
    for (const profile of ['a]\n[b', ' ', 'x\ny']) {
      expect(await failureOf(exportAwscli.write(held.stage.context(1, { flags: { profile } })))).toMatchObject({
        kind: 'config',
      })
    }
    expect(read()).toBe(foreign)
  })

  test('AWS_SHARED_CREDENTIALS_FILE is where it goes', async () => {
    const env = { HOME: held.stage.home, AWS_SHARED_CREDENTIALS_FILE: '~/elsewhere/creds' }
    await exportAwscli.write(held.stage.context(1, { env }))
    expect(setsIn(readFileSync(path.join(held.stage.home, 'elsewhere/creds'), 'utf8'))).toEqual(['1'])
    expect(existsSync(file())).toBe(false)
  })

  test('--temp leaves the file alone', async () => {
    seed(foreign)
    await exportAwscli.write(held.stage.context(1, { flags: { temp: true } }))
    expect(read()).toBe(foreign)
  })
})

describe('a section of somebody else', () => {
  test('is kept under another name, its region and output go along, and it comes back', async () => {
    const text = `${foreign}\n[default]\nregion = eu-west-1\n`
    seed(text)
    await exportAwscli.write(held.stage.context(1))
    await exportAwscli.write(held.stage.context(2))
    expect(section('default_backup')).toMatchObject({ aws_access_key_id: 'AKIAMINE', region: 'eu-west-1' })
    expect(section('default')).toMatchObject({
      aws_access_key_id: 'ASIASET2END',
      region: 'eu-west-1',
      cloudtoken: 'true',
    })
    expect(read()).toStartWith(text.replaceAll('[default]', '[default_backup]'))
    await forget()
    expect(read()).toBe(text)
  })

  test('a backup that is there already is not touched', async () => {
    const text = `[default_backup]\nkey = older\n${foreign}\n`
    seed(text)
    await exportAwscli.write(held.stage.context(1))
    const names = sectionNames(read())
    expect(names).toEqual(['default_backup', expect.stringMatching(/^default_backup_\d{8}T\d{6}Z$/), 'work', 'default'])
    expect(section('default_backup')).toEqual({ key: 'older' })
    await forget()
    expect(read()).toBe(text)
  })

  test('long-term keys that aws configure put under our mark are somebody’s', async () => {
    await exportAwscli.write(held.stage.context(1))
    const configured = read().replace('ASIASET1END', 'AKIANEW').replace('secret/SET1END+', 'typed')
    seed(configured)
    await exportAwscli.write(held.stage.context(2))
    expect(section('default_backup')).toMatchObject({ aws_access_key_id: 'AKIANEW', aws_secret_access_key: 'typed' })
    expect(section('default')?.['aws_access_key_id']).toBe('ASIASET2END')
    await forget()
    expect(read()).toBe(configured)
  })

  test('bytes that are no UTF-8 stay as they are; UTF-16 is not guessed at', async () => {
    const latin = Buffer.from('\u00EF\u00BB\u00BF# caf\u00e9 \u0085\r\n[default]\r\nx = \u00fc\u00a0\r\n', 'latin1')
    seed(latin)
    await exportAwscli.write(held.stage.context(1))
    expect(readFileSync(file()).includes(Buffer.from('x = \u00fc\u00a0\r\n\r\n[default]\r\n', 'latin1'))).toBe(true)
    await forget()
    expect(readFileSync(file())).toEqual(latin)
    const wide = Buffer.from('\uFEFF[default]\n', 'utf16le')
    seed(wide)
    expect(await failureOf(exportAwscli.write(held.stage.context(1)))).toMatchObject({ kind: 'config' })
    expect(readFileSync(file())).toEqual(wide)
  })
})

describe('beside the daemon', () => {
  const daemon = { daemon: true }
  test('our section goes, so that programs ask the endpoint', async () => {
    seed(`[work]\nx = 1\n`)
    await exportAwscli.write(held.stage.context(1))
    await exportAwscli.write(held.stage.context(2, daemon))
    expect(read()).toBe(`[work]\nx = 1\n`)
    expect(held.stage.lines).toEqual([])
  })

  test('it keeps nothing but what brings the backup back', async () => {
    seed(foreign)
    await exportAwscli.write(held.stage.context(1))
    await exportAwscli.write(held.stage.context(2, daemon))
    expect(section('default')).toEqual({ cloudtoken: 'true', cloudtoken_backup: 'default_backup' })
    expect(held.stage.lines).toEqual([])
    await exportAwscli.write(held.stage.context(3))
    expect(section('default')).toMatchObject({ aws_access_key_id: 'ASIASET3END' })
    await forget()
    expect(read()).toBe(foreign)
  })

  test('a foreign one is left alone, and said to stand before the endpoint', async () => {
    seed(foreign)
    await exportAwscli.write(held.stage.context(1, daemon))
    expect(read()).toBe(foreign)
    expect(held.stage.lines[0]).toMatch(/^cloudtoken: warning: \[default\] in .*credentials has aws_access_key_id/)
    expect(held.stage.lines[1]).toMatch(/^cloudtoken: hint: /)
  })

  test('a default profile of the config file is seen as well', async () => {
    seed('[profile default]\nrole_arn = x\n', 'config')
    await exportAwscli.write(held.stage.context(1, daemon))
    expect(held.stage.lines.join('\n')).toMatch(/\.aws\/config has role_arn/)
    expect(existsSync(file())).toBe(false)
  })

  test('a profile of its own is refused', async () => {
    const flags = { profile: 'work' }
    expect(await failureOf(exportAwscli.write(held.stage.context(1, { ...daemon, flags })))).toMatchObject({
      kind: 'usage',
      message: 'cannot run daemon mode with a custom profile',
    })
  })
})

const botocore = (await run('python3', ['-c', 'import botocore'])).code === 0

describe.skipIf(!botocore)(`botocore${botocore ? '' : ' (not installed)'}`, () => {
  const program = [
    'import botocore.session, json, sys',
    'def keys(profile):',
    '    session = botocore.session.Session(profile=profile)',
    '    found = session.get_component("credential_provider").get_provider("shared-credentials-file").load()',
    '    return found and [found.access_key, found.secret_key, found.token]',
    'print(json.dumps([keys(profile) for profile in sys.argv[1:]]))',
  ].join('\n')
  const asked = async (...profiles: string[]): Promise<unknown> => {
    const env = { PATH: process.env['PATH'], HOME: held.stage.home, AWS_EC2_METADATA_DISABLED: 'true' }
    const { stdout, stderr } = await run('python3', ['-c', program, ...profiles], { env })
    expect(stderr).toBe('')
    return JSON.parse(stdout)
  }

  test('reads our keys, the backup’s, and none of ours beside the daemon', async () => {
    seed(foreign)
    await exportAwscli.write(held.stage.context(1))
    expect(await asked('default', 'default_backup')).toEqual([
      ['ASIASET1END', 'secret/SET1END+', `${'token/'.repeat(100)}SET1END==`],
      ['AKIAMINE ; keep', 'mine', null],
    ])
    await exportAwscli.write(held.stage.context(2, { daemon: true }))
    expect(await asked('default')).toEqual([null])
  }, 30_000)
})
