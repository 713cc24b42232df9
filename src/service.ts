/**
 * The daemon as a service of the person's own session: what each system wants to read, and the commands that make it look.
 */
import { Buffer } from 'node:buffer'
import path from 'node:path'
import { failure } from './errors.ts'

type Command = readonly [command: string, ...args: string[]]

export interface ServiceOptions {
  readonly platform: NodeJS.Platform
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
  readonly uid: number
  /** The words that start this program. */
  readonly self: readonly string[]
  /** What it is told: `-d` and its options. */
  readonly args: readonly string[]
  /** Where it writes, on a system that has no place of its own for that. */
  readonly logFile: string
}

export interface Service {
  /** What the system reads. */
  readonly file: string
  readonly text: string
  readonly encoding: 'utf8' | 'utf16le'
  /** Before `install`; there may be nothing to end. */
  readonly end: readonly Command[]
  readonly install: readonly Command[]
  /** They stop it, too; each may find that there is nothing to do. */
  readonly uninstall: readonly Command[]
  /** After the file is gone. */
  readonly forget: readonly Command[]
  /** Its exit code is 0 while the service runs. */
  readonly status: Command
  /** What shows the log. */
  readonly logs: string
}

const name = 'cloudtoken'

/** Fails with `config` where there is no such thing as a service of one person. */
export function serviceFor(options: ServiceOptions): Service {
  const broken = [...options.self, ...options.args].find(word => /[\0\r\n]/.test(word))
  if (broken !== undefined) throw failure('usage', `${JSON.stringify(broken)} cannot stand in a service`)
  switch (options.platform) {
    case 'linux':
      return systemd(options)
    case 'darwin':
      return launchd(options)
    case 'win32':
      return scheduledTask(options)
    default: {
      const hint = 'cloudtoken -d --background --no-input, from whatever starts programs there'
      throw failure('config', `cloudtoken knows no services on ${options.platform}`, { hint })
    }
  }
}

/** https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html */
function systemd({ env, home, self, args }: ServiceOptions): Service {
  const unit = `${name}.service`
  const text = `[Unit]
Description=cloudtoken: fresh AWS credentials for this machine

[Service]
Type=exec
ExecStart=${[...self, ...args].map(word => unitWord(word).replaceAll('$', '$$$$')).join(' ')}
${env['PATH'] === undefined ? '' : `Environment=${unitWord(`PATH=${env['PATH']}`)}\n`}Restart=on-failure
RestartSec=10
# Wrong options, refused, no such role, a broken configuration: trying again changes nothing, or locks an account.
RestartPreventExitStatus=2 10 12 20

[Install]
WantedBy=default.target
`
  const call = (...args: string[]): Command => ['systemctl', '--user', ...args]
  return {
    file: path.join(env['XDG_CONFIG_HOME'] || path.join(home, '.config'), 'systemd', 'user', unit),
    text,
    encoding: 'utf8',
    end: [],
    install: [call('daemon-reload'), call('enable', unit), call('restart', unit)],
    uninstall: [call('disable', '--now', unit)],
    forget: [call('daemon-reload')],
    status: call('is-active', '--quiet', unit),
    logs: `journalctl --user --unit ${unit}`,
  }
}

/** Quotes and specifiers, see systemd.syntax(7); in a command line `$` is a letter to be doubled, too. */
function unitWord(word: string): string {
  return `"${word.replace(/["\\]/g, '\\$&').replaceAll('%', '%%')}"`
}

/** launchd.plist(5) */
function launchd({ env, home, uid, self, args, logFile }: ServiceOptions): Service {
  const file = path.join(home, 'Library', 'LaunchAgents', `${name}.plist`)
  const strings = [...self, ...args].map(word => `\n    <string>${escaped(word)}</string>`).join('')
  const text = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${name}</string>
  <key>ProgramArguments</key>
  <array>${strings}
  </array>
  <key>EnvironmentVariables</key>
  <dict>
    <key>PATH</key>
    <string>${escaped(env['PATH'] ?? '')}</string>
  </dict>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ThrottleInterval</key>
  <integer>30</integer>
  <key>StandardOutPath</key>
  <string>${escaped(logFile)}</string>
  <key>StandardErrorPath</key>
  <string>${escaped(logFile)}</string>
</dict>
</plist>
`
  const bootOut: Command = ['launchctl', 'bootout', `gui/${uid}/${name}`]
  return {
    file,
    text,
    encoding: 'utf8',
    end: [bootOut],
    install: [['launchctl', 'bootstrap', `gui/${uid}`, file]],
    uninstall: [bootOut],
    forget: [],
    status: ['launchctl', 'print', `gui/${uid}/${name}`],
    logs: 'cloudtoken logs',
  }
}

/** https://learn.microsoft.com/en-us/windows/win32/taskschd/task-scheduler-schema */
function scheduledTask({ env, home, self, args }: ServiceOptions): Service {
  const file = path.win32.join(env['LOCALAPPDATA'] || path.win32.join(home, 'AppData', 'Local'), name, 'task.xml')
  const [command = '', ...first] = self
  const user = escaped(`${env['USERDOMAIN'] ? `${env['USERDOMAIN']}\\` : ''}${env['USERNAME'] ?? ''}`)
  // In the background, since a task with a console has a window for as long as it runs.
  const text = `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>cloudtoken: fresh AWS credentials for this machine</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <UserId>${user}</UserId>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>${user}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>${escaped(command)}</Command>
      <Arguments>${escaped([...first, ...args, '--background'].map(windowsWord).join(' '))}</Arguments>
    </Exec>
  </Actions>
</Task>
`
  const stop: Command = [command, ...first, 'stop']
  return {
    file,
    text,
    encoding: 'utf16le',
    end: [stop],
    install: [
      ['schtasks', '/Create', '/TN', name, '/XML', file, '/F'],
      ['schtasks', '/Run', '/TN', name],
    ],
    uninstall: [['schtasks', '/Delete', '/TN', name, '/F'], stop],
    forget: [],
    status: ['schtasks', '/Query', '/TN', name],
    logs: 'cloudtoken logs',
  }
}

/** As it stands in the file; UTF-16 with its mark, as schtasks writes it itself. */
export function serviceBytes({ text, encoding }: Pick<Service, 'text' | 'encoding'>): Uint8Array {
  return encoding === 'utf8' ? Buffer.from(text) : Buffer.from(`\uFEFF${text.replaceAll('\n', '\r\n')}`, 'utf16le')
}

/** As CommandLineToArgvW takes it apart. */
function windowsWord(word: string): string {
  return /^[^\s"]+$/.test(word) ? word : `"${word.replace(/(\\*)"/g, '$1$1\\"').replace(/\\+$/, '$&$&')}"`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
