/**
 * What the metadata service serves: pages under paths, and the forms EC2 gives to listings, JSON and dates.
 */
import type { Simulated } from './metadata-simulated.ts'
import type { Credentials } from './types.ts'

/** What the service knows at one moment; replaced as a whole, never changed. */
export interface MetadataSnapshot {
  /** Absent before the first sign-in; without `role` no role is attached then. */
  readonly credentials?: Credentials | undefined
  /** ARN of the role that is attached, though there are no credentials of it yet. */
  readonly role?: string | undefined
  /** What is said once the credentials have ended, such as `{code: 'SignInRequired', message: '…; run: cloudtoken'}`. */
  readonly trouble?: { readonly code: string; readonly message: string } | undefined
  readonly simulated?: Simulated
}

/** The role that is attached. */
export function roleOf({ credentials, role }: MetadataSnapshot): string | undefined {
  return credentials?.roleArn ?? role
}

/** All pages by path: `/`, `/latest/meta-data/ami-id`; without a slash at the end. */
export type Pages = ReadonlyMap<string, Page>

/** Turns a snapshot into pages; asked once for each snapshot. */
export type MetadataSource = (snapshot: MetadataSnapshot) => Pages

export interface Page {
  readonly body: string | Uint8Array<ArrayBuffer>
  /** Ready for the response. */
  readonly init: { readonly headers: Headers }
  /** Of the body, in bytes. */
  readonly length: number
  /** Credentials: not for everybody who may ask. */
  readonly secret?: true
  /** From `at` on, in milliseconds since the epoch, the other page stands here. */
  readonly end?: { readonly at: number; readonly then: Page }
}

/** A folder of the tree; its order is the order of the listing. */
export type Directory = ReadonlyMap<string, Page | Directory>

interface PageOptions {
  readonly modified: Date
  readonly type?: string
  readonly secret?: true
  readonly end?: Page['end']
}

/** Headers as EC2 sends them, save `Connection: close`: clients may keep the connection. */
export function createPage(body: string | Uint8Array, options: PageOptions): Page {
  const bytes = typeof body === 'string' ? body : Uint8Array.from(body)
  const length = typeof bytes === 'string' ? new TextEncoder().encode(bytes).length : bytes.length
  const headers = new Headers({
    'Content-Type': options.type ?? 'text/plain',
    'Accept-Ranges': 'none',
    'Last-Modified': options.modified.toUTCString(),
    Server: 'EC2ws',
  })
  return {
    body: bytes,
    init: { headers },
    length,
    ...(options.secret && { secret: true }),
    ...(options.end && { end: options.end }),
  }
}

export function createDirectory(entries: Readonly<Record<string, Page | Directory>>): Directory {
  return new Map(Object.entries(entries))
}

/** Puts a page, or a folder with its listing and all below it, under `path`. */
export function place(pages: Map<string, Page>, path: string, node: Page | Directory, modified: Date): void {
  if (!isDirectory(node)) {
    pages.set(path, node)
    return
  }
  const names = [...node].map(([name, child]) => (isDirectory(child) && !isNumbered(name) ? `${name}/` : name))
  pages.set(path, createPage(names.join('\n'), { modified }))
  for (const [name, child] of node) {
    place(pages, `${path}/${isNumbered(name) ? name.slice(0, name.indexOf('=')) : name}`, child, modified)
  }
}

/** Public keys are listed as `0=NAME` and found under `0`. */
export function isNumbered(name: string): boolean {
  return /^\d+=/.test(name)
}

function isDirectory(node: Page | Directory): node is Directory {
  return node instanceof Map
}

/** Two spaces, `"Key" : "value"`. */
export function toJson(value: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(value).map(([key, item]) => `  ${JSON.stringify(key)} : ${JSON.stringify(item)}`)
  return `{\n${lines.join(',\n')}\n}`
}
