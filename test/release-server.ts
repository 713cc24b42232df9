/**
 * A small release on loopback: the program in it is a shell script that says which version it is.
 */
import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { listen } from '../scripts/demo-http.ts'
import { signatureOf, type ReleaseKey } from '../scripts/release-sign.ts'
import { buildName, compress, formats, writeSums, type Format } from '../scripts/release-files.ts'

export interface ReleaseServer {
  /** What `--base-url` takes. */
  readonly url: string
  /** The folder of a version, to be tampered with. */
  folder(version: string): string
  /** Paths in the order they were asked for. */
  readonly asked: string[]
  /** From here on answers that match are cut in the middle. */
  cut: RegExp | undefined
  stop(): Promise<void>
}

/** Answers `--version`, `completion SHELL` and `logout`, as the real one does. */
export function fakeProgram(version: string): string {
  return `#!/bin/sh
case $1 in
  --version) echo 'cloudtoken ${version}' ;;
  completion) echo "# completions for $2" ;;
  logout) rm -f "$HOME/.aws/credentials"; echo 'cloudtoken: signed out' >&2 ;;
  wait) read -r line; echo "$line from ${version}" ;;
esac
`
}

/** Lays out `releases/download/vX` and `releases/latest/download`; the last version is the latest. */
export async function startReleaseServer(
  root: string,
  versions: readonly string[],
  targets: readonly string[],
  { program = fakeProgram, key }: { program?: (version: string) => string; key?: ReleaseKey } = {},
): Promise<ReleaseServer> {
  const folder = (version: string): string => join(root, 'releases', 'download', `v${version}`)
  for (const version of versions) {
    mkdirSync(folder(version), { recursive: true })
    const plain = join(root, 'plain')
    writeFileSync(plain, program(version))
    for (const target of targets) {
      const pack = (format: Format): Promise<void> =>
        compress(plain, join(folder(version), `${buildName(version, target)}.${format}`), format, true)
      await Promise.all(formats.map(pack))
    }
    rmSync(plain)
    writeSums(folder(version))
    const sums = join(folder(version), 'SHA256SUMS')
    if (key) writeFileSync(`${sums}.minisig`, signatureOf(readFileSync(sums), key, `cloudtoken ${version}`))
  }
  mkdirSync(join(root, 'releases', 'latest'))
  symlinkSync(`../download/v${versions.at(-1)}`, join(root, 'releases', 'latest', 'download'))

  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    send(join(root, request.url ?? ''), response, state.cut?.test(request.url ?? '') ?? false)
  })
  const { origin, stop } = await listen(server)
  const state: ReleaseServer = { url: `${origin}/releases`, folder, asked, cut: undefined, stop }
  return state
}

function send(file: string, response: ServerResponse, cut: boolean): void {
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return void response.writeHead(404).end('not here')
  const bytes = readFileSync(file)
  response.writeHead(200, { 'content-length': bytes.length })
  if (!cut) return void response.end(bytes)
  response.write(bytes.subarray(0, bytes.length / 2), () => response.destroy())
}
