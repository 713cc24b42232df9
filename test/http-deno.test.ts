/** Deno sends a POST again when a kept connection breaks; a password must not go out twice. */
import { expect, test } from 'bun:test'
import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { listen } from '../scripts/demo-http.ts'

const root = join(import.meta.dir, '..')

test('a POST on a connection that breaks is sent once, under Deno too', async () => {
  const posts: string[] = []
  const server = createServer((request, response) => {
    if (request.method === 'GET') return void response.end('page')
    posts.push(request.url ?? '')
    // Answers the first, so that the connection is kept; the next one on it breaks.
    if (posts.length === 1) response.end('fine')
    else request.socket.destroy()
  })
  const { origin, stop } = await listen(server)
  try {
    const child = join(root, 'test/http-deno-child.ts')
    const { stdout } = await promisify(execFile)(join(root, 'node_modules/deno/deno'), ['run', '-A', child, origin])
    expect([stdout.trim(), posts.length]).toEqual(['reset', 2])
  } finally {
    await stop()
  }
})
