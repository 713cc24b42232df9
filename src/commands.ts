/**
 * The one table of commands: help, completions and the man page come from it. What a command needs is loaded when it runs.
 */
import { withContext, type Command, type Invocation } from './command.ts'
import { daemonOptions, grantOptions, simulateOptions } from './options-daemon.ts'
import { generalOptions, pluginOptions, upgradeOptions } from './options-general.ts'
import { networkOptions } from './options-network.ts'
import { consoleOptions, execOptions, exporterOptions, profileOptions, setupOptions } from './options-output.ts'
import { coreOptions } from './options.ts'
import { chainOptions, roleOptions } from './options-role.ts'
import { signInOptions, tokenOptions } from './options-sign-in.ts'

const signIn = {
  ...signInOptions,
  ...tokenOptions,
  ...networkOptions,
  ...roleOptions,
  ...chainOptions,
  ...generalOptions,
}

const { type, value } = daemonOptions.listen
const controlOptions = {
  listen: { type, value, summary: 'the daemon at this address, where several are running' },
  'config-dir': generalOptions['config-dir'],
  json: generalOptions.json,
  help: generalOptions.help,
}

export const commands: readonly Command[] = [
  {
    name: 'roles',
    summary: 'list the roles (-l)',
    options: signIn,
    run: invocation => bare({ ...invocation, flags: { ...invocation.flags, list: true } }),
  },
  {
    name: 'exec',
    usage: '[options] -- CMD...',
    summary: 'run CMD with credentials; its exit code is ours',
    options: { ...execOptions, ...signIn, 'refresh-interval': daemonOptions['refresh-interval'] },
    positionals: Infinity,
    run: withContext(async (context, { argv }) => (await import('./command-exec.ts')).execCommand(context, argv)),
  },
  {
    name: 'env',
    summary: 'print assignments for eval',
    options: {
      ...signIn,
      shell: exporterOptions.shell,
      unset: { ...generalOptions.unset, summary: 'print the lines that take the variables away again' },
    },
    run: withContext(async context => (await import('./command-env.ts')).envCommand(context)),
  },
  {
    name: 'docker-args',
    summary: 'what docker run needs for the daemon to be reached',
    options: {
      listen: daemonOptions.listen,
      'container-endpoint': daemonOptions['container-endpoint'],
      'allow-from': daemonOptions['allow-from'],
      'allow-host': daemonOptions['allow-host'],
      role: { ...roleOptions.role, summary: 'which role of the container endpoint' },
      region: { ...roleOptions.region, summary: 'region of the clients in the container' },
      ...generalOptions,
    },
    run: withContext(async context => (await import('./command-docker-args.ts')).dockerArgsCommand(context)),
  },
  {
    name: 'credential-process',
    summary: 'answer the SDKs; for ~/.aws/config',
    options: signIn,
    run: withContext(async (context, { typed }) =>
      (await import('./command-credential-process.ts')).credentialProcessCommand(context, typed),
    ),
  },
  {
    name: 'console',
    summary: 'open the AWS console in the browser, signed in',
    options: { ...signIn, ...consoleOptions },
    run: withContext(async context => (await import('./command-console.ts')).consoleCommand(context)),
  },
  {
    name: 'whoami',
    summary: 'whom AWS takes the credentials of the last run for',
    options: { ...networkOptions, ...exporterOptions, ...generalOptions, region: roleOptions.region },
    run: withContext(async context => (await import('./command-whoami.ts')).whoamiCommand(context)),
  },
  {
    name: 'setup-profiles',
    summary: 'a profile in ~/.aws/config for each role',
    options: {
      ...signIn,
      ...setupOptions,
      'profile-name': profileOptions['profile-name'],
      'dry-run': profileOptions['dry-run'],
    },
    run: withContext(async context => (await import('./command-setup-profiles.ts')).setupProfilesCommand(context)),
  },
  {
    name: 'status',
    summary: 'how the daemon is; exit code 3 when none runs',
    options: controlOptions,
    run: async ({ flags }) => (await import('./command-control.ts')).statusCommand(flags),
  },
  {
    name: 'use',
    usage: 'ROLE',
    summary: 'let the daemon serve another role, for everybody at once',
    options: controlOptions,
    positionals: 1,
    run: async ({ flags, words }) => (await import('./command-control.ts')).useCommand(flags, words[0]),
  },
  {
    name: 'refresh',
    summary: 'let the daemon renew its credentials now',
    options: controlOptions,
    run: async ({ flags }) => (await import('./command-control.ts')).refreshCommand(flags),
  },
  {
    name: 'grant',
    summary: 'a token of the daemon for one client, which may do less than the role',
    options: { ...grantOptions, ...controlOptions },
    run: async ({ flags }) => (await import('./command-grant.ts')).grantCommand(flags),
  },
  {
    name: 'stop',
    summary: 'end the daemon',
    options: controlOptions,
    run: async ({ flags }) => (await import('./command-control.ts')).stopCommand(flags),
  },
  {
    name: 'logs',
    summary: 'what a daemon in the background has written; -f goes on',
    options: {
      listen: controlOptions.listen,
      'config-dir': controlOptions['config-dir'],
      help: controlOptions.help,
      follow: { type: 'boolean', alias: ['f'], act: true, summary: 'go on with what is added, until Ctrl-C' },
    },
    run: async ({ flags }) => (await import('./command-logs.ts')).logsCommand(flags),
  },
  {
    name: 'simulate',
    usage: 'spot-interruption|rebalance|maintenance|expiry|slow|error|user-data|tags|off',
    summary: 'let the daemon make that up, with real credentials',
    options: { ...simulateOptions, ...controlOptions },
    positionals: Infinity,
    run: async ({ flags, words }) => (await import('./command-simulate.ts')).simulateCommand(flags, words),
  },
  {
    name: 'service',
    usage: 'install|uninstall|status',
    summary: 'the daemon from the moment you log in (systemd, launchd, Windows)',
    options: {
      ...coreOptions,
      'dry-run': { ...profileOptions['dry-run'], summary: 'show the service and the commands, and do nothing' },
    },
    positionals: 1,
    run: withContext(async (context, { words }) =>
      (await import('./command-service.ts')).serviceCommand(context, words[0]),
    ),
  },
  {
    name: 'link',
    usage: 'up|down|status',
    summary: 'the link-local address alone (up and down need root)',
    options: { ipv6: { ...daemonOptions.ipv6, summary: 'the IPv6 address as well' }, ...generalOptions },
    positionals: 1,
    run: async ({ flags, words }) => (await import('./command-link.ts')).linkCommand(words[0], flags),
  },
  {
    name: 'init',
    summary: 'write configuration files to edit, or with --url to begin with (-i)',
    options: {
      url: signInOptions.url,
      provider: signInOptions.provider,
      username: signInOptions.username,
      ...generalOptions,
    },
    run: invocation => bare({ ...invocation, flags: { ...invocation.flags, init: true } }),
  },
  {
    name: 'plugins',
    usage: 'list|new|test|trust|types',
    summary: 'your own sign-ins and your own handling of credentials',
    options: { ...pluginOptions, ...generalOptions, 'no-input': signInOptions['no-input'] },
    positionals: 2,
    run: async ({ flags, words }) => (await import('./command-plugins.ts')).pluginsCommand(flags, words),
  },
  {
    name: 'logout',
    summary: 'remove what cloudtoken stored and wrote (-U)',
    options: { ...signInOptions, ...tokenOptions, ...exporterOptions, ...generalOptions },
    run: invocation => bare({ ...invocation, flags: { ...invocation.flags, unset: true } }),
  },
  {
    name: 'upgrade',
    summary: 'replace this program by the latest release, verified',
    options: {
      ...upgradeOptions,
      'ca-file': networkOptions['ca-file'],
      quiet: generalOptions.quiet,
      debug: generalOptions.debug,
      json: { ...generalOptions.json, summary: 'print what --check finds as JSON' },
      help: generalOptions.help,
    },
    run: async ({ flags }) => (await import('./command-upgrade.ts')).upgradeCommand(flags),
  },
  {
    name: 'doctor',
    summary: 'what keeps clients from their credentials, or you from signing in',
    options: { ...signInOptions, ...networkOptions, ...tokenOptions, ...generalOptions, region: roleOptions.region },
    run: async ({ flags }) => (await import('./command-doctor.ts')).doctorCommand(flags),
  },
  {
    name: 'completion',
    usage: 'bash|zsh|fish|powershell',
    summary: 'print what the shell sources to complete options',
    options: { help: generalOptions.help },
    positionals: 1,
    async run({ words }) {
      const { completionCommand } = await import('./command-completion.ts')
      return completionCommand(words[0], { commands, options: coreOptions })
    },
  },
]

export async function bare(invocation: Invocation): Promise<number> {
  return await (await import('./command-bare.ts')).bareCommand(invocation)
}
