/**
 * Names of the accounts that an assertion offers.
 */
import { fetchAccountNames } from './account-names.ts'
import { accountOf, partitionOf } from './arn.ts'
import type { SamlResponse } from './assertion.ts'
import { createHttp } from './http.ts'
import type { Network } from './http-network.ts'
import type { Log } from './log.ts'
import type { SessionFiles } from './session-files.ts'

export interface NamesOptions {
  readonly assertion: SamlResponse
  /** From config.yaml; they win. */
  readonly known: Readonly<Record<string, string>>
  readonly files: SessionFiles
  readonly network: Network
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Log
}

/** From config.yaml, from the last time, else from the sign-in page of AWS. Never a failure. */
export async function findAccountNames(options: NamesOptions): Promise<ReadonlyMap<string, string>> {
  const { assertion, known, files, network, env, log } = options
  const kept = files.accountNames()
  const names = new Map([...kept, ...Object.entries(known)])
  const ids = [...new Set(assertion.roles.map(role => accountOf(role.roleArn)))]
  const partition = partitionOf(assertion.roles[0]?.roleArn ?? '')
  if (!partition || ids.length < 2 || ids.every(id => names.has(id))) return names
  const { response, destination: acsUrl } = assertion
  const http = createHttp({ network, timeoutMs: 4000, log })
  const found = await fetchAccountNames({ http, response, acsUrl, partition, env, log })
  if (found.size > 0) files.keepAccountNames(new Map([...kept, ...found]))
  return new Map([...kept, ...found, ...Object.entries(known)])
}
