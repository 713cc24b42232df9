/**
 * One word on the desktop, for a daemon that nobody looks at. Best effort: a machine without a desktop stays silent.
 */
import type { Run } from './run.ts'

type Env = Readonly<Record<string, string | undefined>>

/** The command that shows a notification; `undefined` where there is no desktop to show it on. */
export function notifyCommand(
  platform: NodeJS.Platform,
  env: Env,
  title: string,
  text: string,
): readonly [command: string, ...args: string[]] | undefined {
  if (platform === 'darwin') {
    const script = 'on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run'
    return ['/usr/bin/osascript', '-e', script, title, text]
  }
  if (platform === 'win32') {
    const script =
      'Add-Type -AssemblyName System.Windows.Forms; $n = New-Object System.Windows.Forms.NotifyIcon; ' +
      '$n.Icon = [System.Drawing.SystemIcons]::Information; $n.Visible = $true; ' +
      '$n.ShowBalloonTip(10000, $env:CLOUDTOKEN_TITLE, $env:CLOUDTOKEN_TEXT, "Info"); Start-Sleep 10; $n.Dispose()'
    return ['powershell.exe', '-NoProfile', '-NonInteractive', '-Command', script]
  }
  if (!env['DISPLAY'] && !env['WAYLAND_DISPLAY']) return undefined
  return ['notify-send', '--app-name=cloudtoken', title, text]
}

/** Once for all the attempts that fail for the same person; `undefined` where nobody has to do anything any more. */
export function createCall(run: Run, platform: NodeJS.Platform, env: Env): (text: string | undefined) => void {
  let called = false
  return text => {
    if (text !== undefined && !called) void notify(run, platform, env, 'cloudtoken', text)
    called = text !== undefined
  }
}

export async function notify(
  run: Run,
  platform: NodeJS.Platform,
  env: Env,
  title: string,
  text: string,
): Promise<void> {
  const line = notifyCommand(platform, env, title, text)
  if (!line) return
  const [command, ...args] = line
  await run(command, args, {
    env: { ...env, CLOUDTOKEN_TITLE: title, CLOUDTOKEN_TEXT: text },
    timeoutMs: 15_000,
  }).catch(() => {})
}
