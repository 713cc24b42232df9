/**
 * `docker-args`: the words with which `docker run` starts a container that reaches the daemon. It takes the daemon's own
 * options, best from where both find them: config.yaml or the environment.
 */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { accountOf, isRoleArn, roleName } from './arn.ts'
import type { Context } from './command-context.ts'
import { tokenFolder, tokenName } from './daemon-container.ts'
import { findDaemons, hostOf } from './daemon-control.ts'
import { failure } from './errors.ts'
import type { Paths } from './paths.ts'
import type { Listen } from './guard.ts'
import { metadataAddress } from './linklocal.ts'
import { daemonOptions } from './options-daemon.ts'
import type { Settings } from './options.ts'
import { formatListen, parseListen } from './serve.ts'

export interface DockerArgs {
  readonly words: readonly string[]
  /** An option that the daemon needs for it, and was not given here. */
  readonly daemon?: string
}

export async function dockerArgsCommand({ settings: said, paths, env, log }: Context): Promise<number> {
  const settings = { ...said, ...(await running(said, env, paths)) }
  const desktop = process.platform !== 'linux'
  const { containerEndpoint, region } = settings
  // From a virtual machine there is no way to a loopback address, and clients take no other for this protocol.
  const { words, daemon } =
    containerEndpoint === undefined || desktop
      ? metadataArgs(settings, desktop)
      : containerArgs(settings, parseListen(containerEndpoint, '--container-endpoint'), port =>
          tokenFolder(paths, port),
        )
  const regional = region === undefined ? [] : variables({ AWS_REGION: region, AWS_DEFAULT_REGION: region })
  const all = [...words, ...regional]
  if (settings.json) {
    log.print(JSON.stringify({ args: all, daemon: daemon ?? null }, undefined, 2))
    return 0
  }
  const spoiled = all.find(word => /\s/.test(word))
  if (spoiled) throw failure('config', `${JSON.stringify(spoiled)} has a blank in it, and $(...) would split it there`)
  log.print(all.join(' '))
  if (daemon) log.info(`the daemon has to be started with ${daemon}`)
  return 0
}

/** Where nothing is said: the addresses of the daemon, if one runs. */
async function running(
  { listen, containerEndpoint }: Pick<Settings, 'listen' | 'containerEndpoint'>,
  env: Context['env'],
  paths: Paths,
): Promise<Partial<Pick<Settings, 'listen' | 'containerEndpoint'>>> {
  if (containerEndpoint !== undefined || listen !== daemonOptions.listen.default) return {}
  const [daemon, other] = await findDaemons(env, paths)
  if (!daemon || other) return {}
  const [place] = daemon.status.container ?? []
  return { listen: hostOf(daemon.status), ...(place && { containerEndpoint: new URL(place.uri).host }) }
}

/** `desktop`: containers live in a virtual machine that knows this one as host.docker.internal. */
export function metadataArgs(
  { listen, allowFrom, allowHost }: Pick<Settings, 'listen' | 'allowFrom' | 'allowHost'>,
  desktop: boolean,
): DockerArgs {
  const at = parseListen(listen)
  checkPort(at, '--listen')
  const endpoint = (host: string): string[] => variables({ AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://${host}/` })
  if (!desktop) return reached(at, allowFrom, endpoint(formatListen(at)))
  if (at.hostname === metadataAddress) {
    const hint =
      'export CLOUDTOKEN_LISTEN=127.0.0.1:9911 CLOUDTOKEN_ALLOW_HOST=host.docker.internal, for the daemon too'
    throw failure('config', `containers of Docker Desktop cannot reach ${metadataAddress} of this machine`, { hint })
  }
  const words = endpoint(`host.docker.internal:${at.port}`)
  return allowHost.includes('host.docker.internal') ? { words } : { words, daemon: '--allow-host host.docker.internal' }
}

/** The folder of one role is mounted, and no other. */
function containerArgs(
  { role, allowFrom }: Pick<Settings, 'role' | 'allowFrom'>,
  at: Listen,
  folderOf: (port: number) => string,
): DockerArgs {
  checkPort(at, '--container-endpoint')
  const folder = folderOf(at.port)
  const served = existsSync(folder)
    ? readdirSync(folder).filter(name => existsSync(path.join(folder, name, tokenName)))
    : []
  const wanted = role && isRoleArn(role) ? `${accountOf(role)}-${roleName(role)}` : role
  const fits = served.filter(name => wanted === undefined || name === wanted || name.replace(/^\d+-/, '') === wanted)
  const [found, second] = fits
  if (!found) {
    const what = role === undefined ? '' : ` with the role ${role}`
    const hint = `cloudtoken -d --container-endpoint ${formatListen(at)}`
    throw failure('no-daemon', `there is no container endpoint on port ${at.port}${what}`, { hint })
  }
  if (second !== undefined) {
    throw failure('role', `the container endpoint has ${fits.length} roles: ${fits.join(', ')}`, {
      hint: `say which: --role ${found.replace(/^\d+-/, '')}`,
    })
  }
  return reached(at, allowFrom, [
    '-v',
    `${path.join(folder, found)}:${mount}:ro`,
    ...variables({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://${formatListen(at)}/role/${found.replace(/^\d+-/, '')}`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: `${mount}/${tokenName}`,
    }),
  ])
}

const mount = '/run/cloudtoken'

/** Our loopback is reached in our network only; any other address from the container's own, if the daemon lets it. */
function reached({ hostname }: Listen, allowFrom: readonly string[], words: readonly string[]): DockerArgs {
  if (/^(127\.|localhost$|::1$)/.test(hostname)) return { words: ['--network', 'host', ...words] }
  return allowFrom.length > 0
    ? { words }
    : { words, daemon: '--allow-from 172.17.0.0/16, or the network of the container' }
}

function checkPort({ port }: Listen, option: string): void {
  if (port !== 0) return
  throw failure('usage', `${option} with port 0 is another port each time`, { hint: `${option} 127.0.0.1:9911` })
}

function variables(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => ['-e', `${name}=${value}`])
}
