/**
 * `console`: the AWS console in the browser, signed in with the role. `-g` and `--open-url` of the bare command come here too.
 */
import path from 'node:path'
import process from 'node:process'
import { openPage } from './open-page.ts'
import type { Context } from './command-context.ts'
import { obtainCredentials } from './command-obtain.ts'
import { consoleUrl, destinationOf } from './federation.ts'
import { createHttp } from './http.ts'
import { openNetwork } from './http-network.ts'
import { run } from './run.ts'
import type { Credentials } from './types.ts'

export async function consoleCommand(context: Context): Promise<number> {
  const { settings, log } = context
  const { credentials } = await obtainCredentials(context)
  const url = await makeUrl(context, credentials)
  if (settings.json) log.print(JSON.stringify({ url }, undefined, 2))
  else if (settings.generateUrl) log.print(url)
  if (settings.openUrl || !(settings.json || settings.generateUrl)) await openInBrowser(context, url)
  return 0
}

export async function makeUrl({ settings, env, log }: Context, credentials: Credentials): Promise<string> {
  const { region, service, url } = settings
  return await consoleUrl({
    credentials,
    destination: destinationOf(credentials, service, region),
    durationSeconds: settings.duration,
    issuer: url !== undefined && URL.canParse(url) ? new URL(url).origin : 'cloudtoken',
    region,
    env,
    http: createHttp({ network: openNetwork(settings, env), timeoutMs: 15_000, log }),
    log,
  })
}

export async function openInBrowser({ paths, env, clock, log }: Context, url: string): Promise<void> {
  const folder = path.join(paths.state, 'console')
  log.info('opening the console in the browser')
  const ending = new AbortController()
  // Whoever is done waiting leaves no file behind.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => ending.abort())
  await openPage({
    url,
    title: 'the AWS console',
    folder,
    platform: process.platform,
    env,
    run,
    clock,
    signal: ending.signal,
  })
}
