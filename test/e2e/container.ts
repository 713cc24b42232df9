/** The container endpoint, as a client that has the two variables of it. */
import { existsSync, readFileSync } from 'node:fs'

export interface Endpoint {
  readonly uri: string
  readonly file: string
}

/** Each pair of lines that a daemon or `grant` prints. */
export const endpointsIn = (text: string): Endpoint[] =>
  [...text.matchAll(/AWS_CONTAINER_CREDENTIALS_FULL_URI=(.*)\nAWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=(.*)\n/g)].map(
    ([, uri = '', file = '']) => ({ uri, file }),
  )

export async function readEndpoint({ uri, file }: Endpoint): Promise<{ status: number; set: Record<string, string> }> {
  const headers = existsSync(file) ? { authorization: readFileSync(file, 'utf8') } : {}
  const response = await fetch(uri, { headers })
  return { status: response.status, set: (await response.json()) as Record<string, string> }
}

/** A program for `exec --serve`: asks its endpoint until it shows a second key, and prints both, each with its role. */
export const twoSets = `
  const { readFileSync } = require('node:fs')
  const seen = new Set()
  while (seen.size < 2) {
    const authorization = readFileSync(process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, 'utf8')
    const answer = await fetch(process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI, { headers: { authorization } })
    const { AccessKeyId, RoleArn } = await answer.json()
    seen.add(AccessKeyId + ' ' + RoleArn)
    await Bun.sleep(50)
  }
  console.log([...seen].join('\\n'))
`
