/** A certificate authority of our own, made by openssl when a test needs one. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Issued {
  /** Files, PEM. */
  readonly cert: string
  readonly key: string
  /** What a server takes. */
  readonly pair: { readonly cert: string; readonly key: string }
}

export interface Pki {
  readonly folder: string
  /** The authority's certificate, a PEM file. */
  readonly ca: string
  /** For these names, `DNS:…` or `IP:…`; with `days: -1` it ended yesterday. */
  issue(name: string, names: readonly string[], days?: number): Issued
  openssl(...args: readonly string[]): void
  file(name: string): string
  remove(): void
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

export function makePki(authority = 'Example Corp Root'): Pki {
  const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-pki-'))
  const file = (name: string): string => join(folder, name)
  const openssl = (...args: readonly string[]): void =>
    void execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  openssl('req', '-x509', ...newKey, '-days', '2', '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', `/CN=${authority}`)
  return {
    folder,
    ca: file('ca.pem'),
    issue(name, names, days = 2) {
      openssl('req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
      writeFileSync(file(`${name}.ext`), `subjectAltName=${names.join(',')}\nbasicConstraints=CA:FALSE\n`)
      const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', String(days)]
      openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-extfile', `${name}.ext`, '-out', `${name}.pem`)
      const [cert, key] = [file(`${name}.pem`), file(`${name}.key`)]
      return { cert, key, pair: { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') } }
    },
    openssl,
    file,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
