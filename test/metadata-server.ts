/**
 * A metadata service for tests, in this process or as a program of its own:
 * `bun test/metadata-server.ts '{"listen":"127.0.0.1:0","allowFrom":[]}'` prints its URL and serves until it is killed.
 */
import process from 'node:process'
import { createMetadata } from '../src/metadata.ts'
import type { MetadataSnapshot, MetadataSource } from '../src/metadata-document.ts'
import { createTokens } from '../src/metadata-token.ts'
import { createTree } from '../src/metadata-tree.ts'
import type { MetadataValues } from '../src/metadata-values.ts'
import { parseListen, serveMetadata } from '../src/serve.ts'
import type { Access, MetadataServer } from '../src/serve.ts'
import type { Credentials } from '../src/types.ts'
import { ask, type RawResponse, type RequestOptions } from './raw.ts'

export const roleArn = 'arn:aws:iam::123456789012:role/ops/Read-Only-Role'

export function createCredentials(change: Partial<Credentials> = {}): Credentials {
  const issued = change.issued ?? new Date()
  return {
    accessKeyId: 'ASIAEXAMPLEKEY',
    secretAccessKey: 'example/secret+access=key',
    sessionToken: 'example-session-token'.repeat(40),
    issued,
    expiration: new Date(issued.getTime() + 3_600_000),
    roleArn,
    accountId: '123456789012',
    ...change,
  }
}

export interface TestOptions {
  readonly listen?: string
  readonly allowFrom?: readonly string[]
  readonly allowHosts?: readonly string[]
  snapshot?(): MetadataSnapshot
  readonly source?: MetadataSource
  readonly key?: Uint8Array
  readonly requireToken?: boolean
  readonly region?: string
  readonly userData?: Uint8Array
  readonly profile?: 'classic' | 'ec2'
  readonly values?: MetadataValues
  now?(): number
  onAccess?(access: Access): void
  onRefuse?(reason: string, hint?: string): void
}

export interface TestService extends MetadataServer {
  get(path: string, options?: RequestOptions): Promise<RawResponse>
  /** A token, as a header line. */
  token(seconds?: number): Promise<string>
}

export const testKey = new Uint8Array(32).fill(7)

export async function startMetadata(options: TestOptions = {}): Promise<TestService> {
  const now = options.now ?? Date.now
  const snapshot = { credentials: createCredentials() }
  const { region, userData, profile, onAccess, onRefuse, allowFrom = [], allowHosts = [] } = options
  const values = options.values ?? (userData && new Map([['user-data', userData]]))
  const server = await serveMetadata({
    listen: parseListen(options.listen ?? '127.0.0.1:0'),
    guard: { allowFrom, allowHosts, ...(onRefuse && { onRefuse }) },
    handler: createMetadata({
      snapshot: options.snapshot ?? (() => snapshot),
      source: options.source ?? createTree({ seed: 'test', region, values, ...(profile && { profile }) }),
      tokens: createTokens(options.key ?? testKey, now),
      requireToken: options.requireToken ?? false,
      now,
    }),
    ...(onAccess && { onAccess }),
  })
  return {
    ...server,
    get: (path, request) => ask(server, path, request),
    token: async (seconds = 21_600) => {
      const headers = [`X-aws-ec2-metadata-token-ttl-seconds: ${seconds}`]
      const { text } = await ask(server, '/latest/api/token', { method: 'PUT', headers })
      return `X-aws-ec2-metadata-token: ${text}`
    },
  }
}

if (import.meta.main) {
  const options: TestOptions = JSON.parse(process.argv[2] ?? '{}')
  const { url } = await startMetadata(options)
  process.stdout.write(`${url}\n`)
}
