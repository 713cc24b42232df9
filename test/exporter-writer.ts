/**
 * Contexts for exporters; and as a program of its own (`bun exporter-writer.ts JOB`) a writer, so that several
 * processes can write at once, and one on a full disk.
 */
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { emptyConfig, resolveSettings } from '../src/config.ts'
import type { ExporterContext } from '../src/exporter.ts'
import { findExporter } from '../src/exporters.ts'
import { findPaths } from '../src/paths.ts'
import { createLog } from '../src/log.ts'
import type { OptionValue } from '../src/option.ts'
import { coreOptions } from '../src/options.ts'
import type { Credentials } from '../src/types.ts'

export type Flags = Readonly<Record<string, OptionValue>>

/** Every secret of set `n` names it, so that halves of two sets are seen. */
export function credentialsOf(n: number, changes: Partial<Credentials> = {}): Credentials {
  const issued = new Date(Date.UTC(2040, 0, 1, 0, 0, n, 789))
  return {
    accessKeyId: `ASIASET${n}END`,
    secretAccessKey: `secret/SET${n}END+`,
    sessionToken: `${'token/'.repeat(100)}SET${n}END==`,
    issued,
    expiration: new Date(issued.getTime() + 3_600_000),
    roleArn: 'arn:aws:iam::123456789012:role/team/Sysadmin-Role',
    accountId: '123456789012',
    samlProvider: 'arn:aws:iam::123456789012:saml-provider/corp',
    issuer: 'https://idp.example.com/entity',
    ...changes,
  }
}

export interface Stage {
  readonly home: string
  readonly lines: string[]
  context(n: number, changes?: Partial<Omit<ExporterContext, 'settings'>> & { flags?: Flags }): ExporterContext
}

export function stageIn(home: string): Stage {
  const lines: string[] = []
  const sink = (text: string): number => lines.push(text.trimEnd())
  const log = createLog({ debug: true, stdout: sink, stderr: sink })
  const env = { HOME: home, SHELL: '/bin/bash' }
  return {
    home,
    lines,
    context(n, { flags = {}, ...changes } = {}) {
      const settings = resolveSettings(coreOptions, {}, { flags, env: {}, config: emptyConfig })
      const context = { credentials: credentialsOf(n), paths: findPaths(env), env, daemon: false, log }
      return { ...context, ...changes, settings }
    },
  }
}

/** The one argument, as JSON. */
export interface Job {
  readonly home: string
  readonly exporter: string
  /** Numbers of the sets, each with its flags. */
  readonly writes: readonly (readonly [set: number, flags: Flags])[]
  /** When to begin, ms since the epoch, so that several do at once. */
  readonly at?: number
  /** Between two writes, so that a reader meets many of them. */
  readonly pauseMs?: number
}

if (import.meta.main) {
  const job: Job = JSON.parse(process.argv[2] ?? '{}')
  const { context } = stageIn(job.home)
  const exporter = await findExporter(job.exporter)
  const failures: { kind: unknown; message: string }[] = []
  await delay(Math.max(0, (job.at ?? 0) - Date.now()))
  for (const [n, flags] of job.writes) {
    await delay(job.pauseMs ?? 0)
    await exporter
      .write(context(n, { flags }))
      .catch(error => failures.push({ kind: error.kind, message: error.message }))
  }
  process.stdout.write(JSON.stringify(failures))
}
