/**
 * What a release is made of, as files: names, compression, checksums. Equal input gives equal bytes.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { constants, crc32, deflateRawSync, gzip, zstdCompress } from 'node:zlib'
import { Buffer } from 'node:buffer'
import { spawn } from 'node:child_process'
import { buffer } from 'node:stream/consumers'

export type Format = 'gz' | 'zst' | 'xz'

export const formats: readonly Format[] = ['gz', 'zst', 'xz']

/** `cloudtoken-0.1.0-linux-x64`: without the ending that tells how it is packed. */
export function buildName(version: string, target: string): string {
  return `cloudtoken-${version}-${target}`
}

/** Packs `file` beside it, under its name and the format's ending. `fast` is for tests: the same formats, larger. */
export async function compress(file: string, packed: string, format: Format, fast = false): Promise<void> {
  const bytes = (): Uint8Array => readFileSync(file)
  if (format === 'gz') return writeFileSync(packed, await promisify(gzip)(bytes(), { level: fast ? 1 : 9 }))
  if (format === 'xz') return writeFileSync(packed, await xz(file, fast ? '-0' : '-9e'))
  // 2^27 is the largest window that `zstd -d` takes without being asked.
  const params = {
    [constants.ZSTD_c_compressionLevel]: fast ? 1 : 19,
    [constants.ZSTD_c_windowLog]: 27,
    [constants.ZSTD_c_checksumFlag]: 1,
  }
  writeFileSync(packed, await promisify(zstdCompress)(bytes(), { params }))
}

/** There is no xz in `node:zlib`. One thread: the bytes do not depend on the machine. */
async function xz(file: string, level: string): Promise<Uint8Array> {
  const child = spawn('xz', [level, '--threads=1', '--check=crc64', '--stdout', file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', () => reject(new Error('a release needs xz: apt-get install xz-utils')))
    child.on('close', resolve)
  })
  const [packed, code] = await Promise.all([buffer(child.stdout), ended])
  if (code !== 0) throw new Error(`xz ended with exit code ${code}`)
  return packed
}

/** A zip archive with one deflated file, dated 1980-01-01: what Scoop and winget unpack. (PKWARE APPNOTE 6.3.10) */
export function zip(name: string, bytes: Uint8Array): Buffer {
  const packed = deflateRawSync(bytes, { level: 9 })
  const title = Buffer.from(name)
  // Version needed 2.0, no flags, deflate, 00:00:00, 1980-01-01.
  const common = Buffer.alloc(26)
  common.writeUInt16LE(20, 0)
  common.writeUInt16LE(8, 4)
  common.writeUInt16LE(0x21, 8)
  common.writeUInt32LE(crc32(bytes), 10)
  common.writeUInt32LE(packed.length, 14)
  common.writeUInt32LE(bytes.length, 18)
  common.writeUInt16LE(title.length, 22)
  const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), common, title, packed])
  const central = Buffer.concat([Buffer.from('PK\u0001\u0002\u0014\u0000'), common, Buffer.alloc(14), title])
  const end = Buffer.alloc(22)
  end.write('PK\u0005\u0006', 'latin1')
  end.writeUInt16LE(1, 8)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(local.length, 16)
  return Buffer.concat([local, central, end])
}

/** An archive of these files, each of mode 0755 and dated 1970-01-01. (POSIX pax, ustar) */
export function tar(files: Readonly<Record<string, string | Uint8Array>>): Buffer {
  const blocks = Object.entries(files).flatMap(([name, content]) => {
    const bytes = Buffer.from(content)
    const head = Buffer.alloc(512)
    const octal = (value: number, at: number, length: number): number =>
      head.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1')
    head.write(name, 'latin1')
    octal(0o755, 100, 8)
    octal(0, 108, 8)
    octal(0, 116, 8)
    octal(bytes.length, 124, 12)
    octal(0, 136, 12)
    // The checksum counts its own field as blanks.
    head.write('        0', 148, 'latin1')
    head.write('ustar\u000000', 257, 'latin1')
    octal(
      head.reduce((sum, byte) => sum + byte, 0),
      148,
      7,
    )
    return [head, bytes, Buffer.alloc(-bytes.length & 511)]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** SHA-256 of each file in the folder, by name. */
export function digestsOf(folder: string): Map<string, string> {
  const names = readdirSync(folder).toSorted()
  return new Map(names.map(name => [name, sha256(readFileSync(join(folder, name)))]))
}

/** Writes SHA256SUMS of every file in the folder, as `sha256sum` prints it. */
export function writeSums(folder: string): void {
  const files = [...digestsOf(folder)].filter(([name]) => !name.startsWith('SHA256SUMS'))
  writeFileSync(join(folder, 'SHA256SUMS'), files.map(([name, sum]) => `${sum}  ${name}\n`).join(''))
}
