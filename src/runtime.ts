/**
 * The only file that names Bun or Deno: what of them is used, by the files of this family alone.
 */
import { failure } from './errors.ts'

export const bun = globalOf<BunRuntime>('Bun')
export const deno = globalOf<DenoRuntime>('Deno')

function globalOf<T>(name: string): T | undefined {
  return Reflect.get(globalThis, name)
}

export function required<T>(runtime: T | undefined): T {
  if (runtime === undefined) throw failure('unexpected', 'cloudtoken runs on Bun or on Deno')
  return runtime
}

/** Is this a self-contained binary? */
export function isCompiled(): boolean {
  return bun ? bun.isStandaloneExecutable === true : deno?.build?.standalone === true
}

export type BunHandler = (
  request: Request,
  server: { requestIP(request: Request): { address: string; port: number } | null },
) => unknown

interface BunServer {
  readonly hostname: string
  readonly port: number
  stop(closeConnections: boolean): Promise<void>
}

export interface BunRuntime {
  readonly isStandaloneExecutable?: boolean
  /** Without `force` beside the work, by other threads. */
  gc(force: boolean): number
  serve(options: {
    hostname: string
    port: number
    idleTimeout: number
    maxRequestBodySize: number
    development: boolean
    reusePort: boolean
    routes: Record<string, BunHandler>
    fetch: BunHandler
    error(error: unknown): Response
  }): BunServer
}

export interface DenoRuntime {
  readonly build?: { readonly standalone?: boolean }
  createHttpClient(options: {
    poolMaxIdlePerHost?: number
    proxy?: { url: string; basicAuth?: { username: string; password: string } }
    caCerts?: readonly string[]
    cert?: string
    key?: string
  }): unknown
  serve(
    options: {
      hostname: string
      port: number
      signal: AbortSignal
      onListen(): void
      onError(error: unknown): Response
    },
    handler: (
      request: Request,
      info: { remoteAddr: { hostname: string; port: number } },
    ) => Response | Promise<Response>,
  ): { readonly addr: { hostname: string; port: number }; readonly finished: Promise<void> }
}
