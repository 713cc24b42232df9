/**
 * The OS keyring, through the programs that come with the system: a table of commands, one row for each platform.
 *
 * A secret travels by stdin, never in the arguments, where every user of the machine could read it. A keyring that
 * is missing, locked or refused is no error: the answer is `undefined` or false, and `note` is told why.
 */
import { Buffer } from 'node:buffer'
import { messageOf } from './errors.ts'
import type { Run, RunResult } from './run.ts'

export interface Keyring {
  /** `undefined` when there is none, or no keyring that can be read. */
  read(service: string, account: string): Promise<string | undefined>
  /** True only if reading it back gave the same secret. */
  write(service: string, account: string, secret: string): Promise<boolean>
  /** True when it is gone, whether or not it was there. */
  remove(service: string, account: string): Promise<boolean>
  available(): Promise<boolean>
}

export interface KeyringOptions {
  readonly platform: NodeJS.Platform
  readonly run: Run
  readonly env: Readonly<Record<string, string | undefined>>
  /** Told why an answer was `undefined` or false; never with a secret. */
  readonly note?: (reason: string) => void
}

const noBackend = 'No supported keyring backend found'

interface Call {
  readonly command: string
  readonly args: readonly string[]
  readonly input?: string
}

interface Backend {
  read(service: string, account: string): Call
  write(service: string, account: string, secret: string): Call
  remove(service: string, account: string): Call
  probe(): Call
  /** The secret in the answer of `read`. */
  secret(result: RunResult): string | undefined
  /** Is this the answer for an entry that does not exist? */
  missing(result: RunResult): boolean
}

/** A locked keyring asks its owner to unlock it; that may take a person this long. */
const patience = 60_000

export function createKeyring({ platform, run, env, note = () => {} }: KeyringOptions): Keyring {
  const backend = backendFor(platform, env)

  async function call(purpose: 'read' | 'write' | 'remove' | 'probe', given?: Call): Promise<RunResult | undefined> {
    if (!backend || !given) {
      note(noBackend)
      return undefined
    }
    const { command, args, input = '' } = given
    try {
      const result = await run(command, args, { input, env, timeoutMs: patience })
      if (result.code === 0 || (purpose !== 'write' && backend.missing(result))) return result
      // What a tool says about a write could quote its input.
      const detail =
        purpose === 'write' ? `exit code ${result.code}` : firstLine(result.stderr) || `exit code ${result.code}`
      note(result.code === 127 ? `${noBackend}: ${command} is not installed` : `the keyring did not answer: ${detail}`)
    } catch (error) {
      note(`the keyring did not answer: ${messageOf(error)}`)
    }
    return undefined
  }

  async function read(service: string, account: string): Promise<string | undefined> {
    const result = isName(service, account) ? await call('read', backend?.read(service, account)) : undefined
    return result?.code === 0 ? backend?.secret(result) : undefined
  }

  async function write(service: string, account: string, secret: string): Promise<boolean> {
    return (await call('write', backend?.write(service, account, secret)))?.code === 0
  }

  async function remove(service: string, account: string): Promise<boolean> {
    return isName(service, account) && (await call('remove', backend?.remove(service, account))) !== undefined
  }

  return {
    read,
    remove,
    async write(service, account, secret) {
      // An empty answer cannot be told from none.
      if (!isName(service, account) || secret === '' || secret.includes('\0')) return false
      if (!(await write(service, account, secret))) return false
      if ((await read(service, account)) === secret) return true
      // An older entry under the same name, by another program, answers first.
      await remove(service, account)
      if ((await write(service, account, secret)) && (await read(service, account)) === secret) return true
      note('the keyring did not keep the password')
      return false
    },
    available: async () => (await call('probe', backend?.probe())) !== undefined,
  }
}

/** These stand in command lines and in the lines that `security -i` reads. */
function isName(...names: string[]): boolean {
  return names.every(name => /^\P{Control}+$/u.test(name))
}

function firstLine(text: string): string {
  return text.trim().split('\n')[0] ?? ''
}

function backendFor(platform: NodeJS.Platform, env: KeyringOptions['env']): Backend | undefined {
  if (platform === 'darwin') return keychain
  if (platform === 'win32') return credentialVault(env['SystemRoot'] || 'C:\\Windows')
  // Every other desktop speaks the Secret Service protocol: GNOME, KDE, KeePassXC.
  return secretService
}

const security = '/usr/bin/security'

/** The signed tool of the system: an entry it made, it reads without asking again after each of our releases. */
const keychain: Backend = {
  read: (service, account) => ({
    command: security,
    args: ['find-generic-password', '-s', service, '-a', account, '-g'],
  }),
  write: (service, account, secret) => {
    const hex = Buffer.from(secret).toString('hex')
    const words = ['add-generic-password', '-U', '-s', service, '-a', account, '-X', hex].map(securityWord)
    return { command: security, args: ['-i'], input: `${words.join(' ')}\n` }
  },
  remove: (service, account) => ({
    command: security,
    args: ['delete-generic-password', '-s', service, '-a', account],
  }),
  probe: () => ({ command: security, args: ['default-keychain'] }),
  // `-w` would print hexadecimal digits without saying so; `-g` says so: `password: 0x70C3A4  "p\303\244"`.
  secret: ({ stderr }) => {
    const hex = /^password: 0x([0-9A-F]+)/im.exec(stderr)?.[1]
    return hex ? Buffer.from(hex, 'hex').toString('utf8') : /^password: "(.*)"$/ms.exec(stderr)?.[1]
  },
  // errSecItemNotFound
  missing: ({ code }) => code === 44,
}

function securityWord(word: string): string {
  return /^[\w.@-]+$/.test(word) ? word : `"${word.replace(/["\\]/g, '\\$&')}"`
}

/** libsecret's tool. The attribute names are those of Python's keyring, so that entries of the original are found. */
const secretService: Backend = {
  read: (service, account) => ({ command: 'secret-tool', args: ['lookup', '--', ...attributes(service, account)] }),
  write: (service, account, secret) => ({
    command: 'secret-tool',
    args: ['store', `--label=Password for '${account}' on '${service}'`, '--', ...attributes(service, account)],
    // Taken as it is, a final line break included.
    input: secret,
  }),
  remove: (service, account) => ({ command: 'secret-tool', args: ['clear', '--', ...attributes(service, account)] }),
  probe: () => ({ command: 'secret-tool', args: ['lookup', '--', ...attributes('cloudtoken', 'is there a keyring')] }),
  secret: ({ stdout }) => stdout || undefined,
  missing: ({ code, stderr }) => code === 1 && !/^secret-tool: /m.test(stderr),
}

function attributes(service: string, account: string): string[] {
  return ['service', service, 'username', account]
}

/**
 * The Credential Locker of Windows, which only the PowerShell that comes with Windows reaches. Scripts are constant;
 * what varies comes by stdin, a line each, as base64 of UTF-8, because the console's code page is anyone's guess.
 */
function credentialVault(windows: string): Backend {
  const script = (body: string): string[] => {
    const lines = [
      "$ErrorActionPreference = 'Stop'",
      '[void][Windows.Security.Credentials.PasswordVault, Windows.Security.Credentials, ContentType = WindowsRuntime]',
      '$vault = New-Object Windows.Security.Credentials.PasswordVault',
      'function word { [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String([Console]::In.ReadLine())) }',
      '$service = word; $account = word',
      body,
    ]
    return ['-NoProfile', '-NonInteractive', '-Command', lines.join('; ')]
  }
  const find = (then: string): string =>
    `try { $entry = $vault.Retrieve($service, $account) } catch { exit 44 }; ${then}`
  const command = `${windows}\\System32\\WindowsPowerShell\\v1.0\\powershell.exe`
  const call = (body: string, ...words: string[]): Call => ({
    command,
    args: script(body),
    input: words.map(word => `${Buffer.from(word).toString('base64')}\r\n`).join(''),
  })
  return {
    read: (service, account) => {
      const print = '[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($entry.Password))'
      return call(find(`$entry.RetrievePassword(); ${print}`), service, account)
    },
    write: (service, account, secret) =>
      call(
        '$vault.Add((New-Object Windows.Security.Credentials.PasswordCredential($service, $account, (word))))',
        service,
        account,
        secret,
      ),
    remove: (service, account) => call(find('$vault.Remove($entry)'), service, account),
    probe: () => call('exit 0', 'cloudtoken', 'probe'),
    secret: ({ stdout }) => Buffer.from(stdout.trim(), 'base64').toString('utf8') || undefined,
    missing: ({ code }) => code === 44,
  }
}
