/**
 * Where the password comes from, asked for only when a page wants it: option or environment, file, OS keyring, the person.
 */
import { failure, isFailure } from './errors.ts'
import { checkPrivate, readText } from './files.ts'
import type { Keyring } from './keyring.ts'
import { keepSecret, type Log } from './log.ts'
import type { Settings } from './options.ts'
import type { Refusals } from './password-refused.ts'
import type { Ask } from './provider.ts'
import { inFiles } from './vault.ts'

export interface PasswordSource {
  /** `refused`: the last one was wrong; a stored one is forgotten and a person is asked. */
  get(options?: { refused?: boolean }): Promise<string>
  /** True when the last one came from the keyring, which may hold an old one. */
  wasStored(): boolean
  /** The sign-in worked: keep what the person typed. */
  accepted(): Promise<void>
  /** The last one was wrong, or locked the account: one that nobody typed is not sent again for a while. */
  refused(): void
}

export interface PasswordOptions {
  readonly settings: Settings
  readonly username: string
  readonly keyring: Keyring
  readonly ask: Pick<Ask, 'secret' | 'interactive'>
  readonly refusals: Refusals
  readonly log: Log
}

export function createPasswordSource({
  settings,
  username,
  keyring,
  ask,
  refusals,
  log,
}: PasswordOptions): PasswordSource {
  const service = settings.keyringName
  const sealed = inFiles(settings.secretStore)
  const keeps = settings.secretStore !== 'none' && (sealed || !settings.skipKeyring)
  let source: 'given' | 'stored' | 'typed' | undefined
  let typed: string | undefined
  let handedOut: string | undefined
  return {
    async get({ refused = false } = {}) {
      if (refused && source === 'stored') {
        const gone = await keyring.remove(service, username)
        log.warn(`the stored password for ${username} was refused and ${gone ? 'has been' : 'could not be'} removed`)
      }
      const found = refused ? undefined : await findPassword()
      const password = found ?? (await askPerson())
      keepSecret(password)
      const until = found === undefined ? undefined : refusals.until(found)
      if (until !== undefined) throw notAgain(username, until)
      handedOut = found
      return password
    },
    wasStored: () => source === 'stored',
    refused() {
      if (handedOut !== undefined) refusals.keep(handedOut)
    },
    async accepted() {
      refusals.clear()
      if (typed === undefined || !keeps) return
      const saved = await keyring.write(service, username, typed)
      typed = undefined
      if (saved) log.info(`saved the password ${sealed ? 'encrypted, in a file' : 'in the OS keyring'}`)
      else log.debug('No supported keyring backend found - unable to store password.')
    },
  }

  async function findPassword(): Promise<string | undefined> {
    if (settings.passwordPrompt) return undefined
    source = 'given'
    if (settings.password !== undefined) return settings.password
    if (settings.passwordFile !== undefined) return readPasswordFile(settings.passwordFile)
    if (!keeps) return undefined
    const stored = await keyring.read(service, username)
    if (stored === undefined) return undefined
    source = 'stored'
    return stored
  }

  async function askPerson(): Promise<string> {
    // Whose password, and where: the user name may be the one of this machine.
    if (ask.interactive) log.info(`signing in as ${username}${settings.url ? ` at ${hostOf(settings.url)}` : ''}`)
    let answer = ''
    while (answer === '') answer = await ask.secret('Password: ').catch(withHint)
    source = 'typed'
    typed = answer
    return answer
  }
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url
}

function withHint(error: unknown): never {
  if (!isFailure(error) || error.kind !== 'person') throw error
  const hint = 'give the password with --password-file FILE or CLOUDTOKEN_PASSWORD, or run cloudtoken in a terminal'
  throw failure('person', error.message, { hint, code: error.code, cause: error })
}

function notAgain(username: string, until: number): Error {
  const time = new Date(until).toTimeString().slice(0, 5)
  const message = `the password for ${username} was refused before; lest the account be locked it is not sent again until ${time}`
  return failure('refused', message, { code: 'password-not-again', hint: 'cloudtoken --password-prompt' })
}

/** The whole content without the final line ends, as the original read it. */
function readPasswordFile(file: string): string {
  const text = readText(file)
  if (text === undefined) throw failure('config', `no password file ${file}`)
  checkPrivate(file, 0o077)
  const password = text.trimEnd()
  if (password === '') throw failure('config', `the password file ${file} is empty`)
  return password
}
