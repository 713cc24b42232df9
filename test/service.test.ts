import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { isFailure } from '../src/errors.ts'
import { serviceBytes, serviceFor, type ServiceOptions } from '../src/service.ts'
import { parseXml, walkXml, type XmlElement } from '../src/xml.ts'

const options: ServiceOptions = {
  platform: 'linux',
  env: {
    PATH: '/usr/bin:/bin',
    USERDOMAIN: 'CORP',
    USERNAME: 'ann <b>',
    LOCALAPPDATA: 'C:\\Users\\ann\\AppData\\Local',
  },
  home: '/home/ann',
  uid: 501,
  self: ['/opt/my programs/cloudtoken'],
  args: ['-d', '--no-input', '--role', 'a & b'],
  logFile: '/home/ann/.local/state/cloudtoken/log/127.0.0.1_9911.log',
}

const elements = (text: string, name: string): string[] =>
  walkXml(parseXml(text.replace(/<!DOCTYPE[^>]*>/, '')))
    .filter(element => element.name === name)
    .map(textOf)

function textOf(element: XmlElement): string {
  return element.text
}

/** How programs on Windows take their line apart: backslashes count before a quote alone. */
function argvOf(line: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quoted = false
  for (let index = 0; index < line.length; index += 1) {
    const [slashes = ''] = /^\\*/.exec(line.slice(index)) ?? []
    const after = line[index + slashes.length]
    if (slashes !== '' && after === '"') {
      word = (word ?? '') + '\\'.repeat(slashes.length / 2)
      index += slashes.length
      if (slashes.length % 2 === 1) word += '"'
      else quoted = !quoted
    } else if (slashes !== '') {
      word = (word ?? '') + slashes
      index += slashes.length - 1
    } else if (after === '"') {
      word ??= ''
      quoted = !quoted
    } else if (after === ' ' && !quoted) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + after
  }
  return word === undefined ? words : [...words, word]
}

describe('a service', () => {
  test('of systemd is a unit of the person', () => {
    const { file, text, install } = serviceFor(options)
    expect(file).toBe('/home/ann/.config/systemd/user/cloudtoken.service')
    expect(text).toContain('\nExecStart="/opt/my programs/cloudtoken" "-d" "--no-input" "--role" "a & b"\n')
    expect(install.every(([command, flag]) => command === 'systemctl' && flag === '--user')).toBe(true)
    expect(serviceFor({ ...options, env: { XDG_CONFIG_HOME: '/x' } }).file).toBe('/x/systemd/user/cloudtoken.service')
  })

  test('of launchd is an agent whose words are as they were', () => {
    const { file, text } = serviceFor({ ...options, platform: 'darwin' })
    expect(file).toBe('/home/ann/Library/LaunchAgents/cloudtoken.plist')
    expect(elements(text, 'string').slice(1, 6)).toEqual([...options.self, ...options.args])
    expect(elements(text, 'string').slice(-2)).toEqual([options.logFile, options.logFile])
  })

  test('of Windows is a task at logon, with the rights of the person, in the bytes that schtasks takes', () => {
    const service = serviceFor({ ...options, platform: 'win32', self: ['C:\\Program Files\\cloudtoken.exe'] })
    const { text } = service
    expect(elements(text, 'Command')).toEqual(['C:\\Program Files\\cloudtoken.exe'])
    expect(argvOf(elements(text, 'Arguments')[0] ?? '')).toEqual([...options.args, '--background'])
    expect(elements(text, 'UserId')).toEqual(['CORP\\ann <b>', 'CORP\\ann <b>'])
    expect(elements(text, 'RunLevel')).toEqual(['LeastPrivilege'])
    const bytes = Buffer.from(serviceBytes(service))
    expect([...bytes.subarray(0, 2)]).toEqual([0xff, 0xfe])
    expect(bytes.toString('utf16le').slice(1).replaceAll('\r\n', '\n')).toBe(text)
  })

  test('on Windows takes any words', () => {
    const letter = fc.constantFrom('a', ' ', '"', '\\', '&', '<', 'ü')
    const words = fc.array(fc.string({ unit: letter }))
    fc.assert(
      fc.property(words, args => {
        const { text } = serviceFor({ ...options, platform: 'win32', args })
        expect(argvOf(elements(text, 'Arguments')[0] ?? '')).toEqual([...args, '--background'])
      }),
    )
  })

  test('of a word with a line end, or of another system, there is none', () => {
    const kindOf = (changes: Partial<ServiceOptions>): unknown => {
      try {
        return serviceFor({ ...options, ...changes })
      } catch (error) {
        return isFailure(error) && error.kind
      }
    }
    expect(kindOf({ args: ['--role', 'a\nExecStart=/bin/sh'] })).toBe('usage')
    expect(kindOf({ platform: 'freebsd' })).toBe('config')
  })
})
