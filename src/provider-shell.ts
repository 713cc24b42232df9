/**
 * A command of the person's own that signs in however it likes and prints the SAMLResponse.
 */
import process from 'node:process'
import { failure } from './errors.ts'
import { clean } from './form-text.ts'
import { keepSecret } from './log.ts'
import { splitWords } from './words.ts'
import type { Provider, ProviderContext } from './provider.ts'
import { toBase64 } from './provider-saml-response.ts'
import { run } from './run.ts'

const hint = 'run the command by itself: it has to print the SAMLResponse, base64 or XML, and nothing else'

export const shell: Provider = {
  name: 'shell',
  summary: 'a command of your own that prints the SAMLResponse',
  async authenticate(context) {
    const [program, ...args] = wordsOf(context)
    if (!program)
      throw failure('config', 'the command that prints the SAMLResponse is missing', {
        hint: "cloudtoken --provider shell --assertion-command 'PROGRAM ARGUMENT…'",
        code: 'command-missing',
      })
    const response = toBase64(await outputOf(context, program, args), `the output of ${program}`, hint)
    keepSecret(response)
    return { kind: 'saml', response }
  },
}

/** A list of config.yaml is taken word by word; one text is split as a shell would, as far as quotes go. */
function wordsOf({ settings: { assertionCommand } }: ProviderContext): readonly string[] {
  const [only = '', ...more] = assertionCommand
  return more.length > 0 ? assertionCommand : splitWords(only)
}

/** The person is at the command's stdin and stderr, unless this is a renewal. */
async function outputOf(context: ProviderContext, program: string, args: readonly string[]): Promise<string> {
  const { log, mode, settings, signal, username } = context
  const env = { ...process.env, CLOUDTOKEN_USERNAME: username, CLOUDTOKEN_MODE: mode }
  const terminal = mode === 'login' && !settings.noInput
  log.debug(`running ${program} for the SAMLResponse`)
  const { code, stdout, stderr } = await run(program, args, {
    env,
    signal,
    terminal,
    timeoutMs: terminal ? 300_000 : 60_000,
  })
  if (code === 0 && stdout.trim() !== '') return stdout
  const what = code === 0 ? 'printed no SAMLResponse' : `ended with exit code ${code}`
  const said = clean(stderr, 200)
  throw failure(code === 127 ? 'config' : 'network', `${program} ${what}${said && `: ${said}`}`, {
    code: 'assertion-command',
    hint,
  })
}
