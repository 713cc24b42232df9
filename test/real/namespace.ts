/**
 * A network namespace of a test's own: a process that holds it, for others to be started in.
 */
import { spawn, type ChildProcess } from 'node:child_process'

/** `script` prepares it; one minute is the longest that it lives. */
export async function openNamespace(kinds: readonly string[], script: string): Promise<ChildProcess> {
  const args = [...kinds, 'sh', '-c', `${script} && echo up && exec sleep 60`]
  const holder = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  if ((await firstLine(holder)) !== 'up') throw new Error('no namespace')
  return holder
}

export async function firstLine(source: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of source.stdout ?? []) {
    text += String(chunk)
    if (text.includes('\n')) break
  }
  return text.trim()
}
