/** Posts twice on what may be one connection, and says what became of the second. */
import process from 'node:process'
import { isFailure } from '../src/errors.ts'
import { createHttp } from '../src/http.ts'

const origin = process.argv[2] ?? ''
const http = createHttp()
const post = { url: `${origin}/login`, method: 'POST', body: 'a=b', sensitive: true } as const
await http.request({ url: `${origin}/` })
await http.request(post)
try {
  await http.request(post)
  console.log('answered')
} catch (error) {
  console.log(isFailure(error) ? error.code : error)
}
