/** Real shells that complete a line: bash of this machine, zsh and fish of Debian's packages. */
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { completionsOf } from '../../src/cli/command-words.ts'
import { createProgram } from '../../src/main/program.ts'
import { unpackDebian } from './debian.ts'

/** Folders with the programs of zsh and fish, fetched once. */
export function fetchShells(): { zsh: string; fish: string } {
  return {
    zsh: unpackDebian('zsh', ['zsh', 'zsh-common'], 'bin/zsh'),
    fish: unpackDebian('fish', ['fish', 'fish-common', 'libpcre2-32-0'], 'usr/bin/fish'),
  }
}

export type Shell = 'bash' | 'zsh' | 'fish'

/** What a shell offers at the end of a line, sorted. `script`: the file that it has loaded. */
export function offered(shell: Shell, script: string, line: string): string[] {
  const words = { bash: inBash, zsh: inZsh, fish: inFish }[shell](script, line)
  return [...new Set(words)].toSorted()
}

/** Options that take one of several words: the line up to the word, without the program's name. */
export function optionsWithChoices(): { line: string; choices: string[] }[] {
  return completionsOf(createProgram('0')).flatMap(({ at, options }) =>
    options.flatMap(({ flags, value }) =>
      Array.isArray(value) ? [{ line: `${at} ${flags[0]} `, choices: value }] : [],
    ),
  )
}

/** As readline calls it: the words of the line, `=` one of its own. */
function inBash(script: string, line: string): string[] {
  const words = line.replaceAll('=', ' = ').split(/ +/)
  const text = `source "$1"; shift; complete -p headrace >/dev/null || exit 1
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _headrace; printf '%s\\n' "\${COMPREPLY[@]}"`
  return linesOf(execFileSync('bash', ['--norc', '-c', text, 'bash', script, ...words], { encoding: 'utf8' }))
}

/** Its own answer to "what would you offer", as tools ask for it. */
function inFish(script: string, line: string): string[] {
  const { fish } = fetchShells()
  const text = 'source $argv[1]; complete -C $argv[2]'
  const answer = execFileSync(join(fish, 'usr/bin/fish'), ['--no-config', '-c', text, script, line], {
    encoding: 'utf8',
    env: { ...process.env, LD_LIBRARY_PATH: dirname(find(fish, 'libpcre2-32.so.0')) },
  })
  return linesOf(answer).map((offer) => offer.split('\t')[0])
}

/**
 * A terminal of its own, in which a line is typed and the key pressed. Another key then says what the line has
 * become: a single match is not listed but written into it.
 */
function inZsh(script: string, line: string): string[] {
  const { zsh } = fetchShells()
  const program = join(zsh, 'bin/zsh')
  const modules = dirname(dirname(find(zsh, 'zpty.so')))
  const functions = foldersIn(join(zsh, 'usr/share/zsh/functions'))
  const setUp = [
    `module_path=(${modules})`,
    `fpath=(${functions.join(' ')})`,
    'PS1= LISTMAX=10000',
    `autoload -Uz compinit; compinit -u -d ${dirname(script)}/zcompdump`,
    `source ${script}`,
    'become() { print -r -- "became:$BUFFER" }; zle -N become; bindkey ^Xb become',
    "echo REA''DY",
  ]
  const text = `module_path=(${modules}); zmodload zsh/zpty
zpty z "env TERM=dumb ${program} -f -i"
zpty -w z ${quoted(setUp.join('; '))}
while zpty -r z answer; do [[ $answer == *READY* ]] && break; done
zpty -w -n z ${quoted(line)}$'\\t\\Cxb'
while zpty -r z answer; do print -r -- "$answer"; [[ $answer == *became:* ]] && break; done`
  const answer = execFileSync(program, ['-f', '-c', text], { encoding: 'utf8', timeout: 60_000 })
  // oxlint-disable-next-line no-control-regex
  const shown = linesOf(answer.replace(/\x1b\[[?\d]*[a-zA-Z]|[\r\b]/g, ''))
  const became = shown.at(-1)?.replace(/.*became:/, '') ?? ''
  if (became !== line.trimEnd()) return [became.trim().split(' ').at(-1) ?? '']
  return shown.slice(1, -1).flatMap((offer) => /^(\S+) +-- /.exec(offer)?.[1] ?? offer.split(/ +/))
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

const linesOf = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')

function find(folder: string, name: string): string {
  const found = readdirSync(folder, { recursive: true, encoding: 'utf8' }).find((path) =>
    path.endsWith(`/${name}`),
  )
  return join(folder, found ?? name)
}

const foldersIn = (folder: string): string[] =>
  [folder].concat(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name)),
  )
