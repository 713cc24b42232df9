/**
 * A release as it lies on a server, in the layout of GitHub: `download/vX/` and `latest/download/`. The version is read
 * from the file names of the signed SHA256SUMS, so a server cannot pass one release off as another.
 */
import { createHash } from 'node:crypto'
import { zstdDecompressSync } from 'node:zlib'
import { failure } from './errors.ts'
import { isLoopback, type Http } from './http.ts'
import { verifySignature } from './signature.ts'

export interface Release {
  readonly version: string
  readonly file: string
  /** SHA-256 of the file, hex. */
  readonly sum: string
}

export interface Machine {
  readonly platform: string
  readonly arch: string
  readonly musl: boolean
}

/** `linux-x64-musl`: the last part of a build's file name. */
export function targetOf({ platform, arch, musl }: Machine): string {
  return [platform === 'win32' ? 'windows' : platform, arch, ...(musl ? ['musl'] : [])].join('-')
}

/** The build for this machine in the latest release, or in the one with that version. */
export async function findRelease(
  http: Http,
  { base, key, target, version }: { base: string; key: string; target: string; version?: string | undefined },
): Promise<Release> {
  const folder = version === undefined ? `${base}/latest/download` : `${base}/download/v${version}`
  const sums = await get(http, `${folder}/SHA256SUMS`)
  const signature = await get(http, `${folder}/SHA256SUMS.minisig`)
  verifySignature(sums, new TextDecoder().decode(signature), key)
  for (const line of new TextDecoder().decode(sums).split('\n')) {
    const [sum = '', file = ''] = line.split(/ [ *]/)
    const found = /^cloudtoken-(\d+\.\d+\.\d+(?:-[0-9A-Za-z.]+)?)-((?:linux|darwin|windows)-.*)\.zst$/.exec(file)
    if (found?.[2] !== target || !/^[0-9a-f]{64}$/.test(sum)) continue
    if (version !== undefined && found[1] !== version) break
    return { version: found[1] ?? '', file, sum }
  }
  throw failure('network', `the release has no build for ${target}`, { hint: 'see which there are: ' + folder })
}

/** The program of a release, unpacked. */
export async function fetchProgram(http: Http, base: string, { version, file, sum }: Release): Promise<Uint8Array> {
  const packed = await get(http, `${base}/download/v${version}/${file}`)
  const actual = createHash('sha256').update(packed).digest('hex')
  if (actual !== sum) {
    throw failure('refused', `the checksum of ${file} is wrong; nothing was changed`, { code: 'checksum' })
  }
  return zstdDecompressSync(packed)
}

/** Only https, or a server on this machine; without a slash at the end. */
export function baseUrl(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))) {
    return given.replace(/\/+$/, '')
  }
  throw failure('usage', `${given} is not an https address`, { hint: 'cloudtoken upgrade --base-url https://…' })
}

async function get(http: Http, url: string): Promise<Uint8Array> {
  const { status, bytes } = await http.request({ url })
  if (status === 200) return bytes
  throw failure('network', `${url} answered ${status}`, { hint: 'check the address of the releases (--base-url)' })
}

/** Positive when `a` is the later version. What has a suffix (`1.0.0-rc.1`) comes before the same without. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parts(a), parts(b)]
  for (const index of [0, 1, 2]) {
    const difference = (left.numbers[index] ?? 0) - (right.numbers[index] ?? 0)
    if (difference !== 0) return difference
  }
  if (left.suffix === right.suffix) return 0
  if (left.suffix === '' || right.suffix === '') return left.suffix === '' ? 1 : -1
  return left.suffix.localeCompare(right.suffix, 'en', { numeric: true })
}

function parts(version: string): { numbers: number[]; suffix: string } {
  const [core = '', ...rest] = version.split('-')
  return { numbers: core.split('.').map(Number), suffix: rest.join('-') }
}
