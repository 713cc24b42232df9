import { describe, expect, test } from 'bun:test'
import { browserPlaces, findBrowser } from '../src/browser-find.ts'
import { browserArguments } from '../src/browser-process.ts'

const programs = (...args: Parameters<typeof browserPlaces>): string[] =>
  browserPlaces(...args).map(({ program }) => program)

describe('where browsers are', () => {
  test('on a Mac: for everybody, then the person\u2019s own', () => {
    expect(programs('darwin', { HOME: '/Users/ada' })).toEqual([
      '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      '/Users/ada/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      '/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
      '/Users/ada/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge',
      '/Applications/Chromium.app/Contents/MacOS/Chromium',
      '/Users/ada/Applications/Chromium.app/Contents/MacOS/Chromium',
      '/Applications/Brave Browser.app/Contents/MacOS/Brave Browser',
      '/Users/ada/Applications/Brave Browser.app/Contents/MacOS/Brave Browser',
    ])
  })

  test('on Windows: in the folders that Windows names', () => {
    const env = { ProgramFiles: 'C:\\Program Files', LOCALAPPDATA: 'C:\\Users\\ada\\AppData\\Local' }
    expect(programs('win32', env)).toEqual([
      'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
      'C:\\Users\\ada\\AppData\\Local\\Google\\Chrome\\Application\\chrome.exe',
      'C:\\Program Files\\Microsoft\\Edge\\Application\\msedge.exe',
      'C:\\Users\\ada\\AppData\\Local\\Microsoft\\Edge\\Application\\msedge.exe',
      'C:\\Program Files\\Chromium\\Application\\chrome.exe',
      'C:\\Users\\ada\\AppData\\Local\\Chromium\\Application\\chrome.exe',
      'C:\\Program Files\\BraveSoftware\\Brave-Browser\\Application\\brave.exe',
      'C:\\Users\\ada\\AppData\\Local\\BraveSoftware\\Brave-Browser\\Application\\brave.exe',
    ])
    expect(programs('win32', { 'ProgramFiles(x86)': 'D:\\x86' })).toContain(
      'D:\\x86\\Microsoft\\Edge\\Application\\msedge.exe',
    )
  })

  test('on Linux: on PATH, and where services look; never where we stand', () => {
    expect(programs('linux', { PATH: '/opt/bin::.:bin:/usr/bin' })).toEqual([
      ...folders('google-chrome-stable', 'google-chrome'),
      ...folders('microsoft-edge-stable', 'microsoft-edge'),
      ...folders('chromium', 'chromium-browser'),
      ...folders('brave-browser-stable', 'brave-browser', 'brave'),
    ])
    function folders(...names: readonly string[]): string[] {
      return ['/opt/bin', '/usr/bin', '/usr/local/bin', '/snap/bin'].flatMap(at => names.map(name => `${at}/${name}`))
    }
  })
})

describe('the one to use', () => {
  const linux = (...installed: readonly string[]): Parameters<typeof findBrowser>[1] => ({
    platform: 'linux',
    env: { PATH: '/usr/bin' },
    isProgram: file => installed.includes(file),
  })

  test('is the first there is', () => {
    const machine = linux('/usr/bin/chromium', '/usr/bin/microsoft-edge')
    expect(findBrowser(undefined, machine)).toEqual({ name: 'Microsoft Edge', program: '/usr/bin/microsoft-edge' })
  })

  test('or the one that is wished for, and no other', () => {
    const machine = linux('/usr/bin/chromium', '/opt/vivaldi/vivaldi')
    const wished = findBrowser('/opt/vivaldi/vivaldi', machine)
    expect(wished).toEqual({ name: 'vivaldi', program: '/opt/vivaldi/vivaldi' })
    expect(() => findBrowser('/opt/opera', machine)).toThrow('there is no browser at /opt/opera')
  })

  test('or none, with all the names', () => {
    const message = 'no browser was found: Google Chrome, Microsoft Edge, Chromium, Brave'
    for (const platform of ['linux', 'darwin', 'win32', 'freebsd'] as const) {
      expect(() => findBrowser(undefined, { ...linux(), platform, env: {} })).toThrow(message)
    }
  })
})

describe('how it is started', () => {
  const given = {
    profile: '/home/ada/x',
    window: true,
    platform: 'linux',
  } as const

  test('with pipes and no port, and a profile of its own', () => {
    for (const window of [true, false]) {
      const list = browserArguments({ ...given, window })
      expect(list).toContain('--remote-debugging-pipe')
      expect(list).toContain('--user-data-dir=/home/ada/x')
      expect(list.filter(word => /port|no-sandbox|insecure|ignore-cert|web-security/.test(word))).toEqual([])
      expect(list.includes('--headless=new')).toBe(!window)
    }
  })

  test('it does not hide from the pages that a program speaks to it', () => {
    expect(browserArguments(given).join(' ')).not.toContain('AutomationControlled')
  })

  test('with the keyring of the system where that needs no desktop', () => {
    expect(browserArguments(given)).toContain('--password-store=basic')
    expect(browserArguments({ ...given, platform: 'darwin' })).not.toContain('--password-store=basic')
  })
})
