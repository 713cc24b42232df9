/**
 * What is kept of an identity between runs: small private files in its folder. A damaged one counts as none, and so does
 * one that cannot be read: nothing in them is worth ending for.
 */
import path from 'node:path'
import type { HttpClient } from './http.ts'
import { readFields } from './json.ts'
import type { Log } from './log.ts'
import type { Secrets, Store } from './provider.ts'
import { modified } from './quick.ts'
import { folderStore } from './store.ts'
import type { Role } from './types.ts'

export interface SessionFiles {
  readonly store: Store
  cookies(secrets: Secrets): Promise<string | undefined>
  keepCookies(http: HttpClient, secrets: Secrets): Promise<void>
  /** The role of the last run. */
  role(): Role | undefined
  readonly roleFile: string
  /** ARNs of the roles of the last runs, the last one first. */
  recentRoles(): readonly string[]
  keepRole(role: Role): void
  /** Account id to name. */
  accountNames(): ReadonlyMap<string, string>
  keepAccountNames(names: ReadonlyMap<string, string>): void
  /** Changes when a person signs in; `elsewhere` is the file of another program with which they may. */
  signedIn(elsewhere?: string): string | undefined
  keepSignedIn(at: Date): void
  /** When the session at the identity provider ends, as far as it said. */
  idpSessionEnd(): Date | undefined
  keepIdpSessionEnd(end: Date | undefined): void
}

const cookieFile = 'cookies.json'
const roleFile = 'last-role.json'
const recentFile = 'recent-roles.json'
const recentRoles = 10
const accountFile = 'accounts.json'
const signInFile = 'signed-in'
const idpSessionFile = 'idp-session-end'

export function sessionFiles(folder: string, log?: Pick<Log, 'warn'>): SessionFiles {
  const store = folderStore(folder, log)
  const read = (name: string): string | undefined => {
    try {
      return store.read(name)
    } catch {
      return undefined
    }
  }
  return {
    store,
    cookies: secrets => secrets.read(cookieFile),
    async keepCookies(http, secrets) {
      const cookies = await http.serializeCookies()
      if (cookies !== undefined) await secrets.write(cookieFile, cookies)
    },
    role() {
      const { roleArn, providerArn } = readFields(read(roleFile))
      return typeof roleArn === 'string' && typeof providerArn === 'string' ? { roleArn, providerArn } : undefined
    },
    roleFile: path.join(folder, roleFile),
    recentRoles: () => readRecent(read(recentFile)),
    keepRole(role) {
      store.write(roleFile, JSON.stringify(role))
      const before = readRecent(read(recentFile)).filter(arn => arn !== role.roleArn)
      store.write(recentFile, JSON.stringify({ roles: [role.roleArn, ...before].slice(0, recentRoles) }))
    },
    accountNames: () => new Map(Object.entries(readFields(read(accountFile))).map(([id, name]) => [id, String(name)])),
    keepAccountNames: names => store.write(accountFile, JSON.stringify(Object.fromEntries(names))),
    signedIn(elsewhere) {
      const here = read(signInFile)
      return elsewhere === undefined ? here : `${here}, ${modified(elsewhere)}`
    },
    keepSignedIn: at => store.write(signInFile, at.toISOString()),
    idpSessionEnd() {
      const time = Date.parse(read(idpSessionFile) ?? '')
      return Number.isNaN(time) ? undefined : new Date(time)
    },
    keepIdpSessionEnd(end) {
      if (end) store.write(idpSessionFile, end.toISOString())
      else store.remove(idpSessionFile)
    },
  }
}

function readRecent(text: string | undefined): string[] {
  const { roles } = readFields(text)
  return Array.isArray(roles) ? roles.filter(arn => typeof arn === 'string') : []
}
