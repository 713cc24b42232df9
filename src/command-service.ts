/**
 * `service install|uninstall|status`: the daemon from the moment the person logs in, started again when it fails.
 */
import { realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { logFile } from './command-background.ts'
import type { Context } from './command-context.ts'
import { saidWords } from './command-said.ts'
import { exitCodes, failure } from './errors.ts'
import { respectOther } from './daemon-control.ts'
import { ensureFolder, readBytes, remove, writeFile } from './files.ts'
import { couldOpen } from './gate.ts'
import { isMetadataAddress } from './linklocal.ts'
import { coreOptions } from './options.ts'
import { isRoot } from './privilege.ts'
import { sudoVariables } from './privilege-sudo.ts'
import { run } from './run.ts'
import { selfCommand } from './runtime-self.ts'
import { parseListen } from './serve.ts'
import { serviceBytes, serviceFor, type Service } from './service.ts'

export async function serviceCommand(context: Context, verb: string | undefined): Promise<number> {
  const { env } = context
  if (isRoot() && Object.keys(env).some(name => sudoVariables.test(name))) {
    throw failure('usage', 'a service belongs to the person it works for', { hint: 'the same without sudo' })
  }
  const service = serviceOf(context)
  if (verb === 'install') return await install(context, service)
  if (verb === 'uninstall') return await uninstall(context, service)
  if (verb === 'status') return await status(context, service)
  throw failure('usage', 'service wants install, uninstall or status', { hint: 'cloudtoken service status' })
}

function serviceOf(context: Context): Service {
  const { env, settings, paths } = context
  return serviceFor({
    platform: process.platform,
    env,
    home: homedir(),
    uid: process.getuid?.() ?? 0,
    self: ownWords(env['PATH']),
    args: ['-d', '--no-input', ...saidWords(context, coreOptions)],
    logFile: logFile(paths, parseListen(settings.listen)),
  })
}

async function install(context: Context, service: Service): Promise<number> {
  const { settings, log, env, paths } = context
  const listen = parseListen(settings.listen)
  if (settings.password !== undefined) {
    log.warn('the password is not handed to the service', '--password-file FILE, or let cloudtoken store it')
  }
  if (settings.dryRun) {
    log.print(`${service.file}:`)
    log.write(service.text)
    for (const command of service.install) log.print(shown(command))
    return 0
  }
  if (!(await isRunning(service))) {
    await respectOther(env, paths, listen)
    if (!(await couldOpen({ listen, ipv6: settings.ipv6, log }))) {
      const message = `a service of yours cannot listen on ${settings.listen}: it has no root, and nobody to ask for it`
      throw failure('address', message, {
        hint: 'cloudtoken service install --listen 127.0.0.1:9911',
      })
    }
  }
  const content = serviceBytes(service)
  if (readBytes(service.file)?.equals(content)) log.print(`${service.file} is as it should be`)
  else {
    ensureFolder(path.dirname(service.file), 0o755)
    writeFile(service.file, content, 0o644)
    log.print(`wrote ${service.file}`)
  }
  ensureFolder(path.dirname(logFile(paths, listen)))
  for (const [command, ...args] of service.end) await run(command, args)
  for (const command of service.install) {
    log.print(shown(command))
    const [program, ...args] = command
    const { code, stdout, stderr } = await run(program, args)
    if (code !== 0) {
      const reason = (stderr || stdout).trim() || `exit code ${code}`
      throw failure('config', `${program} said: ${reason}`, {
        hint: `cloudtoken service uninstall, or ${service.logs}`,
      })
    }
  }
  log.info(
    `until you sign in it has no credentials: cloudtoken; how it is: cloudtoken status; its log: ${service.logs}`,
  )
  if (!isMetadataAddress(listen.hostname)) {
    log.info(`for clients: AWS_EC2_METADATA_SERVICE_ENDPOINT=http://${settings.listen}/`)
  }
  return 0
}

async function uninstall({ log, settings }: Context, service: Service): Promise<number> {
  if (readBytes(service.file) === undefined) {
    log.print('no service is installed')
    return 0
  }
  const steps = [...service.uninstall, ...service.forget]
  for (const command of steps) log.print(shown(command))
  log.print(`removing ${service.file}`)
  if (settings.dryRun) return 0
  for (const [command, ...args] of service.uninstall) await run(command, args)
  remove(service.file)
  for (const [command, ...args] of service.forget) await run(command, args)
  return 0
}

async function status({ log, settings }: Context, service: Service): Promise<number> {
  const { file } = service
  const installed = readBytes(file) !== undefined
  const running = installed && (await isRunning(service))
  if (settings.json) log.print(JSON.stringify({ installed, running, file }, undefined, 2))
  else log.print(installed ? `${running ? 'running' : 'not running'}: ${file}` : 'no service is installed')
  if (running) return 0
  if (!settings.json)
    log.info(installed ? `its log: ${service.logs}` : 'to have one: cloudtoken service install --listen 127.0.0.1:9911')
  return exitCodes['no-daemon']
}

async function isRunning({ status: [command, ...args] }: Service): Promise<boolean> {
  return (await run(command, args)).code === 0
}

function shown(command: readonly string[]): string {
  return `$ ${command.join(' ')}`
}

/** By the name on PATH where it leads to this program: package managers put each version elsewhere. */
function ownWords(search = ''): string[] {
  const { command, args } = selfCommand()
  const names = search.split(path.delimiter).map(folder => path.join(folder, path.basename(command)))
  const known = args.length === 0 && names.find(name => path.isAbsolute(name) && leadsTo(name) === leadsTo(command))
  return [known || command, ...args]
}

function leadsTo(file: string): string | undefined {
  try {
    return realpathSync(file)
  } catch {
    return undefined
  }
}
