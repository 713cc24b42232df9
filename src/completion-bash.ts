/**
 * For bash, from 3.2 (macOS) on.
 */
import {
  allOptions,
  argumentsOf,
  singleQuoted,
  spellingsOf,
  valueOf,
  type Grammar,
  type Value,
} from './completion-words.ts'
import type { OptionTable } from './option.ts'

export function bashCompletion(grammar: Grammar): string {
  const values = Object.entries(allOptions(grammar)).flatMap(([name, option]) => {
    const value = valueOf(option)
    return value.kind === 'none' ? [] : [`    ${spellingsOf(name, option).join(' | ')}) ${reply(value)} ;;`]
  })
  const commands = grammar.commands.map(
    command =>
      `    ${command.name}) options=${words(command.options)} arguments=${singleQuoted(argumentsOf(command).join(' '))} ;;`,
  )
  return `# bash completion for cloudtoken
_cloudtoken() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} options arguments
  # bash splits --option=value at the sign.
  if [[ $current == '=' ]]; then
    current=''
  elif [[ $previous == '=' ]]; then
    previous=\${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case $previous in
${values.join('\n')}
  esac
  case \${COMP_WORDS[1]} in
${commands.join('\n')}
    *) options=${words(grammar.options)} arguments='' ;;
  esac
  if [[ $COMP_CWORD -eq 1 ]]; then
    arguments=${singleQuoted(grammar.commands.map(command => command.name).join(' '))}
  elif [[ $COMP_CWORD -ne 2 ]]; then
    arguments=''
  fi
  [[ $current == -* ]] && arguments=$options
  COMPREPLY=($(compgen -W "$arguments" -- "$current"))
}
complete -F _cloudtoken cloudtoken
`
}

function words(table: OptionTable): string {
  return singleQuoted(
    Object.keys(table)
      .map(name => `--${name}`)
      .join(' '),
  )
}

function reply(value: Value): string {
  const keep = 'compopt -o filenames 2>/dev/null'
  switch (value.kind) {
    case 'words':
      return `COMPREPLY=($(compgen -W ${singleQuoted(value.words.join(' '))} -- "$current")) && return`
    case 'file':
      return `local IFS=$'\\n'; COMPREPLY=($(compgen -f -- "$current")); ${keep}; return`
    case 'folder':
      return `local IFS=$'\\n'; COMPREPLY=($(compgen -d -- "$current")); ${keep}; return`
    default:
      return 'return'
  }
}
