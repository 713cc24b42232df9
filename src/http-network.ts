/**
 * The network of a company: its proxies, its certificate authorities, its client certificates, its patience.
 */
import tls from 'node:tls'
import { failure, isFailure } from './errors.ts'
import { readAuthorities, readClientCertificate, type ClientCertificate } from './http-certificate.ts'
import { proxyFor, type Proxy } from './http-proxy.ts'
import type { Connection } from './runtime-fetch.ts'

/** What a connection is made with, and what messages need to know of it. */
export interface Way extends Connection {
  readonly proxy?: Proxy
}

export interface Network {
  /** The same object for the same way. Fails with `config` where a variable or a file cannot be read. */
  way(url: string): Way
  /** `--http-timeout`; it takes the place of every other limit. */
  readonly timeoutMs?: number
  /**
   * For the pages of a sign-in: with the client certificate, where there is one. `ask` is asked for the passphrase of its
   * key, once; where nobody can answer it fails with `person`, code `key-locked`.
   */
  withCertificate(ask: (question: string) => Promise<string>): Promise<Network>
}

export interface NetworkSettings {
  readonly caFile?: string | undefined
  readonly clientCert?: string | undefined
  readonly clientKey?: string | undefined
  /** Seconds. */
  readonly httpTimeout?: number | undefined
}

type Env = Readonly<Record<string, string | undefined>>

/** Nothing is read before it is needed. */
export function openNetwork(settings: NetworkSettings, env: Env, now: () => number = Date.now): Network {
  const { caFile, clientCert, clientKey, httpTimeout } = settings
  let authorities: readonly string[] | undefined | null = null
  let opened: Promise<Network> | undefined

  function trusted(): readonly string[] | undefined {
    if (authorities !== null) return authorities
    const more = [
      ...(caFile === undefined ? [] : readAuthorities(caFile, '--ca-file FILE')),
      // What every other tool for AWS takes for this.
      ...(env['AWS_CA_BUNDLE'] ? readAuthorities(env['AWS_CA_BUNDLE'], 'AWS_CA_BUNDLE=FILE') : []),
    ]
    authorities = more.length === 0 ? undefined : [...new Set([...tls.getCACertificates('default'), ...more])]
    return authorities
  }

  function networkOf(certificate?: ClientCertificate): Network {
    const ways = new Map<string, Way>()
    const network: Network = {
      ...(httpTimeout !== undefined && { timeoutMs: httpTimeout * 1000 }),
      way(address) {
        const url = new URL(address)
        const proxy = proxyFor(url, env)
        const secure = url.protocol === 'https:'
        const key = `${secure} ${proxy?.variable ?? ''}`
        const found = ways.get(key)
        if (found) return found
        const known = secure || proxy?.url.startsWith('https:') ? trusted() : undefined
        const way = {
          ...(proxy && { proxy }),
          ...(known && { authorities: known }),
          ...(secure && certificate && { certificate }),
        }
        ways.set(key, way)
        return way
      },
      withCertificate(ask) {
        if (clientCert === undefined && clientKey === undefined) return Promise.resolve(network)
        // A question that was not answered is put again next time.
        opened ??= open(ask).catch(error => {
          opened = undefined
          throw error
        })
        return opened
      },
    }
    return network
  }

  async function open(ask: (question: string) => Promise<string>): Promise<Network> {
    if (clientCert === undefined) {
      throw failure('config', '--client-key is given without its certificate', { hint: '--client-cert FILE' })
    }
    const question = async (text: string): Promise<string> =>
      await ask(text).catch((error: unknown) => {
        if (!isFailure(error) || error.kind !== 'person') throw error
        const message = `the key of the client certificate is locked, and nobody is asked for its passphrase now`
        throw failure('person', message, { code: 'key-locked', hint: 'cloudtoken', cause: error })
      })
    return networkOf(await readClientCertificate({ certificate: clientCert, key: clientKey }, now(), question))
  }

  return networkOf()
}
