/**
 * The environment of the steps that follow in a CI job. What is secret is made known to the job's log first, so that it
 * shows stars from then on.
 */
import { failure } from './errors.ts'
import type { Exporter, ExporterContext } from './exporter.ts'
import { appendText } from './files.ts'
import { assignments } from './shell.ts'
import { awsTime } from './tokens.ts'

export const exportCi: Exporter = {
  name: 'export_credentials_ci',
  aliases: ['ci'],
  summary: 'variables for the next steps of a CI job; what --ci-env turns on',
  async write(context) {
    // The daemon hands out the keys itself, and an environment that is written once goes stale.
    if (context.daemon) return
    const job = jobs.find(({ runsIn }) => runsIn(context.env))
    if (!job) {
      throw failure('config', 'this is no CI job whose steps share an environment that cloudtoken can write', {
        hint: 'within one step: eval "$(cloudtoken env)", or cloudtoken credential-process',
        code: 'ci-unknown',
      })
    }
    const variables = variablesOf(context)
    for (const value of Object.values(variables)) {
      // One more line would be one more variable, or a command to the runner.
      if (!/^[!-~]+$/.test(value)) throw failure('sts', 'the credentials have characters that no key has')
    }
    job.write(variables, context)
  },
}

interface Job {
  runsIn(env: ExporterContext['env']): boolean
  write(variables: Readonly<Record<string, string>>, context: ExporterContext): void
}

const jobs: readonly Job[] = [
  {
    // GitHub Actions: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
    runsIn: env => env['GITHUB_ACTIONS'] === 'true' && Boolean(env['GITHUB_ENV']),
    write(variables, { credentials, env, log }) {
      for (const secret of secretsOf(credentials)) log.print(`::add-mask::${secret.replaceAll('%', '%25')}`)
      appendText(
        env['GITHUB_ENV'] ?? '',
        lines(variables, (name, value) => `${name}=${value}`),
      )
    },
  },
  {
    // CircleCI: https://circleci.com/docs/env-vars/#parameters-and-bash-environment
    // Anybody may have a BASH_ENV: only there it is the job's.
    runsIn: env => env['CIRCLECI'] === 'true' && Boolean(env['BASH_ENV']),
    write: (variables, { env }) => appendText(env['BASH_ENV'] ?? '', assignments('sh', variables)),
  },
  {
    // Azure Pipelines: https://learn.microsoft.com/en-us/azure/devops/pipelines/scripts/logging-commands
    runsIn: env => Boolean(env['TF_BUILD']),
    write(variables, { credentials, log }) {
      for (const secret of secretsOf(credentials)) log.print(`##vso[task.setsecret]${escaped(secret)}`)
      log.write(lines(variables, (name, value) => `##vso[task.setvariable variable=${name}]${escaped(value)}`))
    },
  },
]

function variablesOf({ credentials, settings }: ExporterContext): Record<string, string> {
  const { region } = settings
  return {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SESSION_TOKEN: credentials.sessionToken,
    AWS_CREDENTIAL_EXPIRATION: awsTime(credentials.expiration),
    ...(region && { AWS_REGION: region, AWS_DEFAULT_REGION: region }),
  }
}

function secretsOf({ accessKeyId, secretAccessKey, sessionToken }: ExporterContext['credentials']): string[] {
  return [accessKeyId, secretAccessKey, sessionToken]
}

function lines(variables: Readonly<Record<string, string>>, line: (name: string, value: string) => string): string {
  return Object.entries(variables)
    .map(([name, value]) => `${line(name, value)}\n`)
    .join('')
}

/** Azure's own way to write a percent sign. */
function escaped(value: string): string {
  return value.replaceAll('%', '%AZP25')
}
