import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A desktop that keeps what it is shown, a line each. */
export function desktop(home: string, path = ''): { env: Record<string, string>; shown: () => string[] } {
  const file = join(home, 'shown')
  writeFileSync(join(home, 'notify-send'), `#!/bin/sh\necho "$@" >>'${file}'\n`)
  chmodSync(join(home, 'notify-send'), 0o755)
  return {
    env: { PATH: `${home}:${path}`, DISPLAY: ':99' },
    shown: () => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []),
  }
}
