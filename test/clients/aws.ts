/**
 * AWS as far as the clients go: STS behind it, an S3 with nothing in it, and a record of who signed.
 */
import { Buffer } from 'node:buffer'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { listen, type Loopback } from '../../scripts/demo-http.ts'

/** The half of the credentials that goes over the wire. */
export interface Signer {
  readonly key: string
  readonly token: string
}

export interface Aws extends Loopback {
  /** Who signed since this was asked last. */
  signers(): readonly Signer[]
}

export async function startAws(sts: Loopback): Promise<Aws> {
  let signers: Signer[] = []
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.writeHead(502).end(String(error)))
  })
  return {
    ...(await listen(server)),
    signers: () => {
      const seen = signers
      signers = []
      return seen
    },
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const signature = request.headers.authorization ?? ''
    // Version 4, or what boto 2 still writes: `AWS KEY:SIGNATURE`.
    const key = /Credential=([^/]+)\/|^AWS ([^:]+):/.exec(signature)?.slice(1).find(Boolean)
    if (key === undefined) return void response.writeHead(403).end()
    signers.push({ key, token: String(request.headers['x-amz-security-token']) })
    const chunks: Uint8Array[] = []
    for await (const chunk of request) if (chunk instanceof Uint8Array) chunks.push(chunk)
    if (!/\/sts\/aws4_request/.test(signature)) return emptyStore(request, response)
    const { host: _, connection: __, 'content-length': ___, ...kept } = request.headers
    const headers = new Headers()
    for (const [name, value] of Object.entries(kept)) headers.set(name, String(value))
    const { method = 'GET', url = '/' } = request
    const body = Buffer.concat(chunks)
    const reply = await fetch(sts.origin + url, { method, headers, ...(body.length > 0 && { body }) })
    response.writeHead(reply.status, { 'content-type': 'text/xml' }).end(await reply.text())
  }
}

function emptyStore({ url = '/' }: IncomingMessage, response: ServerResponse): void {
  const [path = '', query = ''] = url.split('?')
  // What a path names beyond the bucket is an object, and there is none.
  const isObject = path.split('/').filter(Boolean).length > 1 && !query.includes('list-type')
  const root = path === '/' ? 'ListAllMyBucketsResult' : 'ListBucketResult'
  const empty = `<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Buckets/></${root}>`
  response
    .writeHead(isObject ? 404 : 200, { 'content-type': 'application/xml' })
    .end(isObject ? '<Error><Code>NoSuchKey</Code></Error>' : empty)
}
