/**
 * Plugins to begin with, as `cloudtoken plugins new` writes them: each does something, and passes the contract checks.
 */
import type { PluginKind } from './plugin.ts'
import { prefix } from './plugin-find.ts'

export const languages = ['ts', 'sh', 'python'] as const
export type Language = (typeof languages)[number]

export interface Skeleton {
  /** In `plugins/`. */
  readonly file: string
  readonly text: string
  readonly mode: number
}

export function skeletonOf(name: string, kind: PluginKind, lang: Language): Skeleton {
  const option = `${name.toLowerCase().replace(/[^a-z0-9]+/g, '-')}-file`
  const filled = (text: string): string => text.replaceAll('NAME', name).replaceAll('OPTION', option)
  if (lang === 'ts') {
    const camel = option.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
    return { file: `${name}.ts`, text: filled(modules[kind]).replaceAll('CAMEL', camel), mode: 0o600 }
  }
  const text = lang === 'sh' ? shell(kind) : python(kind)
  return { file: `${prefix}${name}`, text: filled(text), mode: 0o700 }
}

const summaries: Readonly<Record<PluginKind, string>> = {
  provider: 'takes a SAMLResponse from a file, or asks for one',
  exporter: 'writes the credentials to a file',
  stage: 'checks that a file is there',
}
const uses: Readonly<Record<PluginKind, string>> = {
  provider: 'file with a SAMLResponse in base64',
  exporter: 'file to write',
  stage: 'file that has to be there',
}

const modules: Readonly<Record<PluginKind, string>> = {
  provider: `// A sign-in of your own. Put it under plugins.auth in config.yaml, or run: cloudtoken --provider NAME
import { readFileSync } from 'node:fs'
import type { Api, ProviderPlugin } from './cloudtoken.d.ts'

export default (api: Api): ProviderPlugin => ({
  name: 'NAME',
  summary: '${summaries.provider}',
  options: { 'OPTION': { type: 'string', value: 'FILE', summary: '${uses.provider}' } },
  async authenticate({ settings, ask }) {
    const file = settings.extra['CAMEL']
    const response = file === undefined ? await ask.secret('SAMLResponse') : readFileSync(String(file), 'utf8')
    if (response.trim() === '') throw api.failure('refused', 'there is no SAMLResponse', { hint: '--OPTION FILE' })
    return { kind: 'saml', response }
  },
})
`,
  exporter: `// A place of your own for credentials. Put it under plugins.post_auth in config.yaml.
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import type { ExporterPlugin, ExporterContext } from './cloudtoken.d.ts'

const fileOf = ({ settings, paths }: Pick<ExporterContext, 'settings' | 'paths'>): string =>
  String(settings.extra['CAMEL'] ?? \`\${paths.home}/.NAME-credentials\`)

const plugin: ExporterPlugin = {
  name: 'NAME',
  summary: '${summaries.exporter}',
  options: { 'OPTION': { type: 'string', value: 'FILE', summary: '${uses.exporter}' } },
  async write(context) {
    const { accessKeyId, secretAccessKey, sessionToken } = context.credentials
    const file = fileOf(context)
    // A reader sees the old file or the new one, and nobody else sees either.
    writeFileSync(\`\${file}.new\`, JSON.stringify({ accessKeyId, secretAccessKey, sessionToken }), { mode: 0o600 })
    renameSync(\`\${file}.new\`, file)
  },
  async forget(context) {
    rmSync(fileOf(context), { force: true })
  },
}

export default plugin
`,
  stage: `// A check before the sign-in. Put it under plugins.pre_auth in config.yaml.
import { existsSync } from 'node:fs'
import type { Api, StagePlugin } from './cloudtoken.d.ts'

export default (api: Api): StagePlugin => ({
  name: 'NAME',
  summary: '${summaries.stage}',
  options: { 'OPTION': { type: 'string', value: 'FILE', summary: '${uses.stage}' } },
  async run({ settings }) {
    const file = String(settings.extra['CAMEL'] ?? '/')
    if (!existsSync(file)) throw api.failure('config', \`there is no \${file}\`, { hint: '--OPTION FILE' })
    return { checked: file }
  },
})
`,
}

function description(kind: PluginKind): string {
  const option = { type: 'string', value: 'FILE', summary: uses[kind] }
  return JSON.stringify({ protocol: 1, kind, summary: summaries[kind], options: { OPTION: option } })
}

const places: Readonly<Record<PluginKind, string>> = {
  provider: 'plugins.auth in config.yaml, or run: cloudtoken --provider NAME',
  exporter: 'plugins.post_auth in config.yaml.',
  stage: 'plugins.pre_auth in config.yaml.',
}

function shell(kind: PluginKind): string {
  return `#!/bin/sh
# A plugin of cloudtoken; it speaks JSON, one object a line. Put it under ${places[kind]}
set -eu
umask 077

if [ "\${1-}" = --describe ]; then
    cat <<'END'
${description(kind)}
END
    exit 0
fi

# The value of a text field of a message; cloudtoken writes no white space between the parts.
field() {
    printf '%s\\n' "$2" | sed -n 's/.*"'"$1"'":"\\([^"\\\\]*\\)".*/\\1/p'
}
fail() {
    printf '{"type":"error","kind":"%s","message":"%s"}\\n' "$1" "$2"
    exit 0
}

IFS= read -r hello || exit 1
case $hello in
*'"protocol":1,'*) ;;
*) fail plugin 'this plugin speaks protocol 1 only' ;;
esac
file=$(field OPTION "$hello")
${shellParts[kind]}`
}

const shellParts: Readonly<Record<PluginKind, string>> = {
  provider: `case $hello in
*'"action":"forget"'*)
    echo '{"type":"result"}'
    exit 0
    ;;
esac
if [ -n "$file" ]; then
    response=$(tr -d '[:space:]' <"$file") || fail config "the file cannot be read"
else
    echo '{"type":"ask","kind":"secret","message":"SAMLResponse"}'
    IFS= read -r answer || exit 1
    response=$(field value "$answer")
fi
[ -n "$response" ] || fail person 'there is no SAMLResponse'
printf '{"type":"result","assertion":{"kind":"saml","response":"%s"}}\\n' "$response"
`,
  exporter: `[ -n "$file" ] || file=$HOME/.NAME-credentials
case $hello in
*'"action":"forget"'*)
    rm -f "$file"
    ;;
*)
    # A reader sees the old file or the new one.
    new=$(mktemp "$file.XXXXXX")
    {
        echo "AccessKeyId=$(field AccessKeyId "$hello")"
        echo "SecretAccessKey=$(field SecretAccessKey "$hello")"
        echo "Token=$(field Token "$hello")"
    } >"$new"
    mv -f "$new" "$file"
    ;;
esac
echo '{"type":"result"}'
`,
  stage: `[ -n "$file" ] || file=/
case $hello in
*'"action":"forget"'*) ;;
*) [ -e "$file" ] || fail config "the file is not there" ;;
esac
echo '{"type":"result"}'
`,
}

function python(kind: PluginKind): string {
  return `#!/usr/bin/env python3
"""A plugin of cloudtoken; it speaks JSON, one object a line. Put it under ${places[kind]}"""
import json
import os
import sys

ABOUT = json.loads('''${description(kind)}''')


def send(message):
    print(json.dumps(message), flush=True)


def receive():
    line = sys.stdin.readline()
    if not line:
        sys.exit(1)
    return json.loads(line)


def fail(message, kind="plugin"):
    send({"type": "error", "kind": kind, "message": message})
    sys.exit(0)


${pythonParts[kind]}

def main():
    if "--describe" in sys.argv:
        return send(ABOUT)
    hello = receive()
    if hello.get("protocol") != 1:
        return fail("this plugin speaks protocol 1 only")
    os.umask(0o077)
    (forget if hello["action"] == "forget" else work)(hello)


main()
`
}

const nothingToForget = `def forget(hello):
    send({"type": "result"})
`

const pythonParts: Readonly<Record<PluginKind, string>> = {
  provider: `def work(hello):
    path = hello["settings"].get("OPTION")
    if path is None:
        send({"type": "ask", "kind": "secret", "message": "SAMLResponse"})
        answer = receive()
        if answer["type"] != "answer":
            fail("there is no SAMLResponse", "person")
        response = answer["value"]
    else:
        try:
            with open(path) as file:
                response = file.read()
        except OSError as error:
            fail(str(error), "config")
    send({"type": "result", "assertion": {"kind": "saml", "response": "".join(response.split())}})


${nothingToForget}`,
  exporter: `def file_of(hello):
    return hello["settings"].get("OPTION") or os.path.expanduser("~/.NAME-credentials")


def work(hello):
    path = file_of(hello)
    # A reader sees the old file or the new one.
    with open(path + ".new", "w") as file:
        json.dump(hello["credentials"], file)
    os.replace(path + ".new", path)
    send({"type": "result"})


def forget(hello):
    if os.path.exists(file_of(hello)):
        os.remove(file_of(hello))
    send({"type": "result"})
`,
  stage: `def work(hello):
    path = hello["settings"].get("OPTION") or "/"
    if not os.path.exists(path):
        fail("there is no " + path, "config")
    send({"type": "result", "data": {"checked": path}})


${nothingToForget}`,
}
