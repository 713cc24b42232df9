/**
 * A job proves what it is with an OIDC token of the system that runs it: no secret is stored anywhere.
 */
import process from 'node:process'
import { isRoleArn } from './arn.ts'
import { failure, type Failure } from './errors.ts'
import { unknownName } from './names.ts'
import type { Settings } from './options.ts'
import type { Provider, ProviderContext } from './provider.ts'
import { run, type Run } from './run.ts'
import { printed, readToken, tokenSources, type TokenRequest, type TokenSource } from './token-sources.ts'
import { isWebToken, readClaims } from './web-token.ts'
import { splitWords } from './words.ts'

export interface Surroundings {
  readonly env: TokenRequest['env']
  readonly run: Run
}

export function createWebIdentity({ env, run }: Surroundings): Provider {
  return {
    name: 'web-identity',
    summary: 'the OIDC token of a CI job or of a workload',
    ephemeral: true,
    async authenticate({ settings, http, signal, log }: ProviderContext) {
      const role = settings.role ?? env['AWS_ROLE_ARN']
      if (role === undefined || !isRoleArn(role)) {
        const message =
          role === undefined ? 'a job has to name its role' : `${JSON.stringify(role)} is no ARN of a role`
        throw failure('usage', message, { hint: '--role arn:aws:iam::ACCOUNT:role/NAME' })
      }
      const { audience, serviceConnection } = settings
      const request = { env, http, run, audience, serviceConnection, signal }
      const source = chooseSource(settings, env)
      log.debug(`taking the OIDC token of ${source.label}`)
      const token = (await source.token(request)).trim()
      checkToken(token, source.label, audience)
      return { kind: 'oidc', token, role }
    },
  }
}

export const webIdentity = createWebIdentity({ env: process.env, run })

type Chosen = Pick<TokenSource, 'label' | 'token'>

/** What a person names comes first, then what the job offers. */
function chooseSource(settings: Settings, env: TokenRequest['env']): Chosen {
  const { tokenFile, tokenCommand, tokenVariable, tokenSource } = settings
  if (tokenFile !== undefined) return { label: tokenFile, token: async () => readToken(tokenFile) }
  if (tokenCommand !== undefined) {
    const [command, ...args] = splitWords(tokenCommand)
    if (command === undefined) throw failure('usage', '--token-command is empty')
    return { label: command, token: request => printed(request.run, command, args, request) }
  }
  if (tokenVariable !== undefined) {
    return {
      label: tokenVariable,
      async token() {
        const value = env[tokenVariable]
        if (value) return value
        throw failure('config', `the variable ${tokenVariable} is not set`, { code: 'token-missing' })
      },
    }
  }
  if (tokenSource !== undefined) {
    const named = tokenSources.find(({ name }) => name === tokenSource)
    if (!named)
      throw unknownName(
        `no token source ${tokenSource}`,
        tokenSource,
        tokenSources.map(({ name }) => name),
      )
    if (named.offers(env) || named.name === 'google') return named
    throw notOffered(named)
  }
  const offered = tokenSources.find(source => source.offers(env))
  if (offered) return offered
  const here = tokenSources.find(source => source.runsIn(env))
  if (here) throw notOffered(here)
  throw failure('config', 'nothing here offers an OIDC token: this is no CI job that cloudtoken knows', {
    hint: '--token-file FILE, --token-command COMMAND, --token-variable NAME or --token-source google',
    code: 'token-missing',
  })
}

function notOffered({ label, hint }: TokenSource): Failure {
  return failure('config', `${label} offers no OIDC token to this job`, { hint, code: 'token-missing' })
}

/** What AWS would refuse with fewer words. */
function checkToken(token: string, label: string, wanted: string | undefined): void {
  if (!isWebToken(token)) throw failure('network', `what ${label} gave is no OIDC token`, { code: 'token-invalid' })
  const { audience, expires } = readClaims(token)
  if (expires !== undefined && expires <= Date.now()) {
    const message = `the OIDC token of ${label} ended at ${new Date(expires).toISOString()}`
    throw failure('config', message, { hint: 'tokens of a job last minutes: fetch it later', code: 'token-expired' })
  }
  if (wanted !== undefined && audience !== undefined && !audience.split(' ').includes(wanted)) {
    const message = `the OIDC token of ${label} is for the audience ${audience}, not for ${wanted}`
    throw failure('config', message, {
      hint: `leave out --audience, or have ${label} make another`,
      code: 'token-audience',
    })
  }
}
