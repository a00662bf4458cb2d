/** Translates formats of other dialects: moment's YYYY-MM-DD, strftime's %Y-%m-%d, MM for minutes. */
import { EPOCH_PLACES, parseTemporalFormat } from './temporal-format.ts'
import { nearest } from '../core/suggest.ts'

const STRFTIME: Readonly<Record<string, string>> = {
  Y: 'yyyy',
  m: 'MM',
  d: 'dd',
  H: 'HH',
  M: 'mm',
  S: 'ss',
  f: 'SSSSSS',
  z: 'Z',
  Z: 'Z',
  b: 'MMM',
  B: 'MMMM',
  a: 'EEE',
  A: 'EEEE',
  I: 'hh',
  p: 'a',
  T: 'HH:mm:ss',
  F: 'yyyy-MM-dd',
  e: 'd',
  s: 'epoch_s',
  '%': '%',
}

const WORDS: Readonly<Record<string, string>> = {
  iso8601: 'iso',
  rfc3339: 'iso',
  datetime: 'iso',
  unix: 'epoch_s',
  epoch: 'epoch_s',
  timestamp: 'epoch_s',
  epochseconds: 'epoch_s',
  epochmillis: 'epoch_ms',
  epochmilliseconds: 'epoch_ms',
  unixms: 'epoch_ms',
  millis: 'epoch_ms',
  epochmicros: 'epoch_us',
  epochnanos: 'epoch_ns',
  rfc2822: 'EEE, d MMM yyyy HH:mm:ss Z',
  rfc822: 'EEE, d MMM yyyy HH:mm:ss Z',
  rfc1123: 'EEE, d MMM yyyy HH:mm:ss Z',
  rfc5322: 'EEE, d MMM yyyy HH:mm:ss Z',
}

/** The format that was probably meant, or undefined. */
export function meantFormat(format: string, type: 'date' | 'timestamp'): string | undefined {
  const bare = format.toLowerCase().replace(/[^a-z0-9]/g, '')
  const word = Object.hasOwn(WORDS, bare)
    ? WORDS[bare]
    : nearest(format, ['iso', ...Object.keys(EPOCH_PLACES)])
  if (word !== undefined) return isReadable(word, type) ? word : undefined
  const candidate = format.includes('%') ? fromStrftime(format) : fromLetters(format, type)
  return candidate !== undefined && candidate !== format && isReadable(candidate, type)
    ? candidate
    : undefined
}

function isReadable(format: string, type: 'date' | 'timestamp'): boolean {
  if (format === 'iso') return true
  if (Object.hasOwn(EPOCH_PLACES, format)) return type === 'timestamp'
  return Array.isArray(parseTemporalFormat(format, type))
}

function fromStrftime(format: string): string | undefined {
  let known = true
  const meant = format.replace(
    /%-?(.)|([A-Za-z]+)/g,
    (_, letter: string | undefined, text: string | undefined) => {
      if (letter === undefined) return `'${text}'`
      known &&= Object.hasOwn(STRFTIME, letter)
      return STRFTIME[letter]
    },
  )
  return known ? meant : undefined
}

/** Runs of letters that mean the same everywhere. */
const LETTERS: readonly [run: RegExp, meant: (run: string) => string][] = [
  [/^(YYYY|uuuu|y|Y|u)$/, () => 'yyyy'],
  [/^D{1,2}$/, (run) => run.toLowerCase()],
  [/^L+$/, (run) => run.replaceAll('L', 'M')],
  [/^(d{3,4}|E|EE)$/, (run) => (run.length === 4 ? 'EEEE' : 'EEE')],
  [/^(z+|x+|O+|V+|ZZ+)$/, () => 'Z'],
  [/^[Ap]$/, () => 'a'],
  [/^T$/, () => "'T'"],
]

/** Reads runs of letters in order and remembers earlier ones: MM after an hour means minutes. */
function fromLetters(format: string, type: 'date' | 'timestamp'): string {
  const tokens = format.match(/'(?:[^']|'')*'|([A-Za-z])\1*|[^A-Za-z']+|'/g) ?? []
  const has = (pattern: RegExp): boolean => tokens.some((token) => pattern.test(token))
  const hasHalf = has(/^(a|A|p)$/)
  const hasMonth = has(/^M+$/)
  let [hour, minutes, seconds] = [false, false, false]
  return tokens
    .map((token) => {
      const same = LETTERS.find(([run]) => run.test(token))
      if (same !== undefined) return same[1](token)
      if (/^[HhkK]{1,2}$/.test(token)) {
        hour = true
        return hasHalf ? token.toLowerCase().replaceAll('k', 'h') : token.toUpperCase().replaceAll('K', 'H')
      }
      if (/^(mm?|MM?)$/.test(token)) {
        if (type === 'timestamp' && hour && !minutes) {
          minutes = true
          return token.toLowerCase()
        }
        return hasMonth && token.startsWith('m') ? token : token.toUpperCase()
      }
      if (/^(ss?|SS?)$/.test(token) && minutes && !seconds) {
        seconds = true
        return token.toLowerCase()
      }
      return token
    })
    .join('')
}
