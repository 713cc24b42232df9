/**
 * Signatures of macOS programs, read and made anywhere. macOS ends a program whose pages do not have the hashes of its
 * signature, before its first instruction. Layout: Apple's cs_blobs.h and mach-o/loader.h.
 */
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'

export interface Signature {
  readonly pages: number
  /** Numbers of the pages whose hash is another one. */
  readonly bad: readonly number[]
  /** Signed by nobody, which is all that cross-compiling can do. */
  readonly adHoc: boolean
}

const pageSize = 4096
const hashSize = 32
const codeDirectoryMagic = 0xfade0c02
const adHocFlag = 0x2

interface Place {
  /** Of the load command. */
  readonly command: number
  readonly offset: number
  readonly size: number
}

interface Layout {
  readonly signature: Place
  readonly linkEdit: Place & { readonly fileOffset: number }
  readonly text: { readonly offset: bigint; readonly size: bigint }
}

/** The load commands of a 64-bit little-endian Mach-O file. */
function layoutOf(bytes: Buffer): Layout {
  if (bytes.readUInt32LE(0) !== 0xfeedfacf) throw new Error('not a 64-bit Mach-O file')
  let [signature, linkEdit, text]: [Place?, Layout['linkEdit']?, Layout['text']?] = []
  for (let at = 32, left = bytes.readUInt32LE(16); left > 0; left -= 1) {
    const kind = bytes.readUInt32LE(at)
    const size = bytes.readUInt32LE(at + 4)
    // LC_CODE_SIGNATURE
    if (kind === 0x1d)
      signature = { command: at, offset: bytes.readUInt32LE(at + 8), size: bytes.readUInt32LE(at + 12) }
    // LC_SEGMENT_64
    if (kind === 0x19) {
      const name = bytes.toString('latin1', at + 8, at + 24).replace(/\0+$/, '')
      const [fileOffset, fileSize] = [bytes.readBigUInt64LE(at + 40), bytes.readBigUInt64LE(at + 48)]
      if (name === '__TEXT') text = { offset: fileOffset, size: fileSize }
      if (name === '__LINKEDIT') {
        linkEdit = { command: at, offset: Number(fileOffset), size: Number(fileSize), fileOffset: Number(fileOffset) }
      }
    }
    at += size
  }
  if (!signature || !linkEdit || !text) throw new Error('the Mach-O file has no place for a signature')
  return { signature, linkEdit, text }
}

/** Hashes every page anew. The last one is as long as it is, not padded. */
export function checkSignature(bytes: Buffer): Signature {
  const { signature } = layoutOf(bytes)
  const start = directoryIn(bytes, signature.offset)
  const flags = bytes.readUInt32BE(start + 12)
  const hashes = start + bytes.readUInt32BE(start + 16)
  const pages = bytes.readUInt32BE(start + 28)
  const limit = bytes.readUInt32BE(start + 32)
  const size = 2 ** bytes.readUInt8(start + 39)
  if (bytes.readUInt8(start + 36) !== hashSize) throw new Error('the signature does not use SHA-256')
  const bad: number[] = []
  for (let page = 0; page < pages; page += 1) {
    const stored = bytes.subarray(hashes + page * hashSize, hashes + (page + 1) * hashSize)
    if (!hash(bytes.subarray(page * size, Math.min((page + 1) * size, limit))).equals(stored)) bad.push(page)
  }
  // What lies before the signature and is not covered by it is as bad as a wrong hash.
  if (limit !== signature.offset) bad.push(pages)
  return { pages, bad, adHoc: (flags & adHocFlag) !== 0 }
}

function directoryIn(bytes: Buffer, at: number): number {
  for (let index = 0; index < bytes.readUInt32BE(at + 8); index += 1) {
    const start = at + bytes.readUInt32BE(at + 16 + index * 8)
    if (bytes.readUInt32BE(start) === codeDirectoryMagic) return start
  }
  throw new Error('the signature has no code directory')
}

/** The same program with a signature of its own and by nobody, as a linker makes it; whatever was there is dropped. */
export function signAdHoc(program: Buffer, identifier: string): Buffer {
  const { signature, linkEdit, text } = layoutOf(program)
  const limit = signature.offset
  const pages = Math.ceil(limit / pageSize)
  const name = Buffer.from(`${identifier}\0`)
  const directory = Buffer.alloc(88)
  const hashes = directory.length + name.length
  const length = 20 + hashes + pages * hashSize

  const body = Buffer.from(program.subarray(0, limit))
  body.writeUInt32LE(length, signature.command + 12)
  const fileSize = limit + length - linkEdit.fileOffset
  body.writeBigUInt64LE(BigInt(Math.ceil(fileSize / 0x4000) * 0x4000), linkEdit.command + 32)
  body.writeBigUInt64LE(BigInt(fileSize), linkEdit.command + 48)

  const head = Buffer.alloc(20)
  // Embedded signature, its length, one blob: the code directory at 20.
  for (const [index, word] of [0xfade0cc0, length, 1, 0, 20].entries()) head.writeUInt32BE(word, index * 4)
  // Magic, length, version 2.4, flags, hashes, name, no special slots, pages, limit.
  const words = [codeDirectoryMagic, length - 20, 0x20400, adHocFlag, hashes, directory.length, 0, pages, limit]
  for (const [index, word] of words.entries()) directory.writeUInt32BE(word, index * 4)
  // SHA-256 of 32 bytes, pages of 2^12.
  directory.set([hashSize, 2, 0, 12], 36)
  directory.writeBigUInt64BE(text.offset, 64)
  directory.writeBigUInt64BE(text.size, 72)
  // This is the main program, not a library.
  directory.writeBigUInt64BE(1n, 80)
  const slots = Array.from({ length: pages }, (_, page) => hash(body.subarray(page * pageSize, (page + 1) * pageSize)))
  return Buffer.concat([body, head, directory, name, ...slots])
}

function hash(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest()
}
