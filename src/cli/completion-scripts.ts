/**
 * The completion scripts for bash, zsh and fish. All follow the words before the cursor to the command that
 * they form (`at`), and then offer what may follow it. Pressing the key runs none of our programs.
 */
import type { CompletedOption, Completion, Word } from './command-words.ts'

const NAME = 'headrace'

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
const fishQuoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** `' jobs'`, `'jobs create'`: every step from a command to one below it. */
const steps = (all: Completion[]): string =>
  all.flatMap(({ at, commands }) => commands.map(({ name }) => quoted(`${at} ${name}`))).join(' | ')

interface Arm {
  words: string
  body: string
}

/** Options with a value, by their command. */
function values(
  all: Completion[],
  body: (value: Exclude<CompletedOption['value'], 'none'>) => string,
): Arm[] {
  return all.flatMap(({ at, options }) =>
    options.flatMap(({ flags, value }) =>
      value === 'none'
        ? []
        : [{ words: flags.map((flag) => quoted(`${at} ${flag}`)).join(' | '), body: body(value) }],
    ),
  )
}

const armsOf = (arms: Arm[]): string => arms.map(({ words, body }) => `    ${words}) ${body} ;;`).join('\n')

/** Works in bash 3.2 (macOS) too: no associative arrays, no compopt. */
export function bashCompletion(all: Completion[]): string {
  const after = values(all, (value) => {
    if (Array.isArray(value)) return `words=${quoted(value.join(' '))}`
    return value === 'file' ? 'words=' : 'return 0'
  })
  const own = all.map(({ at, commands, choices }) => ({
    words: quoted(at),
    body: `words=${quoted([...commands.map(({ name }) => name), ...choices].join(' '))}`,
  }))
  const options = all.map((completion) => ({
    words: quoted(completion.at),
    body: `words=${quoted(completion.options.flatMap(({ flags }) => flags).join(' '))}`,
  }))
  return `# Loaded by: source <(${NAME} completion bash)
_headrace() {
  local cur=\${COMP_WORDS[COMP_CWORD]} at= words= word i last=$((COMP_CWORD - 1))
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$at $word" in
      ${steps(all)}) at=\${at:+$at }$word ;;
    esac
  done
  # An option with = and its value comes as three words.
  [[ $cur == = ]] && cur=
  [[ \${COMP_WORDS[last]} == = ]] && ((last--))
  case "$at \${COMP_WORDS[last]}" in
${armsOf(after)}
    *)
      if [[ $cur == -* ]]; then case "$at" in
${armsOf(options)}
      esac; else case "$at" in
${armsOf(own)}
      esac; fi
      ;;
  esac
  # Without a match, "default" completes names of files.
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _headrace ${NAME}
`
}

const described = (words: Word[]): string =>
  words.map(({ name, description }) => quoted(description === '' ? name : `${name}:${description}`)).join(' ')

export function zshCompletion(all: Completion[]): string {
  const after = values(all, (value) => {
    if (Array.isArray(value)) return `compadd -- ${value.join(' ')}; return`
    return value === 'file' ? '_files; return' : 'return'
  })
  const own = all.map(({ at, commands, options, choices, takesFiles }) => {
    const flags = options.flatMap((option) =>
      option.flags.map((name) => ({ name, description: option.description })),
    )
    const words = [...commands, ...choices.map((name) => ({ name, description: '' }))]
    return {
      words: quoted(at),
      body: `commands=(${described(words)}); options=(${described(flags)}); files=${takesFiles ? 1 : ''}`,
    }
  })
  return `#compdef ${NAME}
# Loaded by: source <(${NAME} completion zsh)
_headrace() {
  local at= word files=
  local -a commands options
  for word in \${words[2,CURRENT-1]}; do
    case "$at $word" in
      ${steps(all)}) at=\${at:+$at }$word ;;
    esac
  done
  case "$at \${words[CURRENT-1]}" in
${armsOf(after)}
  esac
  case "$at" in
${armsOf(own)}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then
    _describe option options
  elif (( \${#commands} )); then
    _describe command commands
  elif [[ -n $files ]]; then
    _files
  fi
}
if [[ $funcstack[1] == _headrace ]]; then _headrace; else compdef _headrace ${NAME}; fi
`
}

export function fishCompletion(all: Completion[]): string {
  const lines = all.flatMap(({ at, commands, options, choices, takesFiles }) => {
    const line = `complete -c ${NAME} -n ${fishQuoted(`__headrace_at '${at}'`)}`
    return [
      ...commands.map((command) => `${line} -a ${command.name} -d ${fishQuoted(command.description)}`),
      ...(choices.length > 0 ? [`${line} -a ${fishQuoted(choices.join(' '))}`] : []),
      ...(takesFiles ? [`${line} -F`] : []),
      ...options.map((option) => `${line} ${fishOption(option)}`),
    ]
  })
  return `# Loaded by: ${NAME} completion fish | source
function __headrace_at
    set -l at ''
    for word in (commandline -opc)[2..-1]
        switch "$at $word"
            case ${steps(all).replaceAll(' | ', ' ')}
                set at (string trim "$at $word")
        end
    end
    test "$at" = "$argv[1]"
end
complete -c ${NAME} -f
${lines.join('\n')}
`
}

function fishOption({ flags, description, value }: CompletedOption): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`))
  const taken = { none: '', text: ' -x', file: ' -r -F' }
  const what = typeof value === 'string' ? taken[value] : ` -x -a ${fishQuoted(value.join(' '))}`
  return `${names.join(' ')}${what} -d ${fishQuoted(description)}`
}
