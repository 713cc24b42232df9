import { describe, expect, test } from 'bun:test'
import { assignments, detectShell, quote, shellNamed, shells } from '../src/shell.ts'

describe('names of shells', () => {
  test.each([
    ['bash', 'sh'],
    ['/bin/zsh', 'sh'],
    ['/usr/local/bin/fish', 'fish'],
    ['pwsh', 'powershell'],
    ['C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe', 'powershell'],
    ['CMD.EXE', 'cmd'],
    ['dotenv', 'dotenv'],
    ['nu', undefined],
    ['constructor', undefined],
  ] as const)('%s is of the family %s', (name, family) => {
    expect(shellNamed(name)).toBe(family)
  })
})

describe('detecting the shell', () => {
  const windows =
    'C:\\Program Files\\WindowsPowerShell\\Modules;C:\\Windows\\system32\\WindowsPowerShell\\v1.0\\Modules'
  test.each([
    [{ SHELL: '/bin/bash' }, 'linux', 'sh'],
    [{ SHELL: '/usr/bin/fish' }, 'darwin', 'fish'],
    [{ SHELL: '/usr/bin/pwsh' }, 'linux', 'powershell'],
    [{}, 'linux', 'sh'],
    [{ SHELL: '' }, 'linux', 'sh'],
    [{ SHELL: '/bin/unheard-of' }, 'linux', 'sh'],
    [{ PSModulePath: '/opt/microsoft/powershell/7/Modules' }, 'linux', 'powershell'],
    // CI images set it for every shell.
    [{ SHELL: '/bin/bash', PSModulePath: '/opt/microsoft/powershell/7/Modules' }, 'linux', 'sh'],
    [{ PSModulePath: windows }, 'win32', 'cmd'],
    [{ PSModulePath: `C:\\Users\\me\\Documents\\PowerShell\\Modules;${windows}` }, 'win32', 'powershell'],
    [{ SHELL: '/usr/bin/bash', PSModulePath: windows }, 'win32', 'sh'],
    [{}, 'win32', 'cmd'],
  ] as const)('%j on %s: %s', (env, platform, expected) => {
    expect(detectShell(env, platform)).toBe(expected)
  })
})

describe('what each shell is told', () => {
  const entries = { KEY: 'ASIA/a+b==', ODD: `a'b"c`, GONE: undefined }
  test('sh', () => {
    expect(assignments('sh', entries)).toBe(`export KEY=ASIA/a+b==\nexport ODD='a'\\''b"c'\nunset GONE\n`)
  })

  test('fish', () => {
    expect(assignments('fish', entries)).toBe(`set -gx KEY ASIA/a+b==\nset -gx ODD 'a\\'b"c'\nset -e GONE\n`)
  })

  test('powershell: one line of ASCII, typographic quotes and line breaks by number', () => {
    expect(assignments('powershell', { ...entries, WIDE: '\u2019é\n', NONE: '' })).toBe(
      [
        `$env:KEY = 'ASIA/a+b=='`,
        `$env:ODD = 'a''b"c'`,
        '$env:GONE = $null',
        `$env:WIDE = ('' + [char]8217 + [char]233 + [char]10)`,
        "$env:NONE = ''\n",
      ].join('\n'),
    )
    expect(quote('powershell', '$(calc)`$x\n;')).toBe("('$(calc)`$x' + [char]10 + ';')")
  })

  test('cmd: percent doubled, quotes by carets', () => {
    expect(assignments('cmd', { KEY: 'a&b|%PATH%!x\\', ODD: 'a"b&c^%1', GONE: undefined })).toBe(
      'set "KEY=a&b|%%PATH%%!x\\"\nset ODD=a^"b^&c^^%%1\nset "GONE="\n',
    )
    expect(() => quote('cmd', 'a\nb')).toThrow('line breaks')
  })

  test('dotenv', () => {
    expect(assignments('dotenv', { KEY: 'ASIA/a+b==', ODD: `a'b"c #`, BLANK: 'a b', GONE: undefined })).toBe(
      "KEY=ASIA/a+b==\nODD=`a'b\"c #`\nBLANK='a b'\nGONE=\n",
    )
    expect(() => quote('dotenv', '\'"`')).toThrow('cannot carry')
  })

  test('json', () => {
    expect(JSON.parse(assignments('json', entries))).toEqual({ KEY: 'ASIA/a+b==', ODD: `a'b"c`, GONE: null })
  })

  test.each([...shells])('%s: a hostile name and a NUL are refused', shell => {
    for (const name of ['', 'A B', '1A', 'A;id', 'A\nB', 'A=B', 'Ä']) {
      expect(() => assignments(shell, { [name]: 'x' })).toThrow('not the name of a variable')
    }
    expect(() => assignments(shell, { A: 'x\0y' })).toThrow('NUL')
    expect(() => quote(shell, '\0')).toThrow('NUL')
  })
})
