/** JSON values of about so many bytes, each kind expensive to somebody: who parses, compares, quotes, compiles. */
export const repeat = (text: string, bytes: number): string =>
  text.repeat(Math.max(1, Math.floor(bytes / text.length)))

const keys = (bytes: number): string =>
  `{${Array.from({ length: Math.floor(bytes / 14) }, (_, i) => `"k${String(i).padStart(7, '0')}":1`).join(',')}}`

/** Texts, for those who search, trim and split. */
export const COSTLY_TEXTS: Record<string, (bytes: number) => string> = {
  'a long text': (bytes) => repeat('x', bytes),
  blanks: (bytes) => repeat(' ', bytes),
  'blanks between letters': (bytes) => `a${repeat(' ', bytes)}b`,
  'points between letters': (bytes) => `a${repeat('.', bytes)}b`,
  quotes: (bytes) => repeat('"', bytes / 4),
  'single quotes': (bytes) => `${repeat("'", bytes)}x`,
  'control signs': (bytes) => repeat('\u0001', bytes / 6),
  'digits and a letter': (bytes) => `${repeat('1', bytes)}x`,
  'zeros behind a point': (bytes) => `1.${repeat('0', bytes)}x`,
  'a path of many steps': (bytes) => `/${repeat('a/', bytes)}`,
  'a path of many points': (bytes) => `$${repeat('.a', bytes)}`,
  'a path of many brackets': (bytes) => `$${repeat('[*]', bytes)}`,
  'open brackets': (bytes) => repeat('[', bytes),
  'open brackets and quotes': (bytes) => repeat("['", bytes),
  braces: (bytes) => `{${repeat('}}', bytes)}`,
  'a pattern that backtracks': (bytes) => `${repeat('(a*)*', Math.min(bytes, 4_000))}$`,
  'a pattern of empty choices': (bytes) => `${repeat('(|)', Math.min(bytes, 4_000))}x`,
  'choices in choices': (bytes) => repeat('{a,b}', bytes),
  'a time of many letters': (bytes) => repeat('yyyy-', bytes),
  'a schedule of many hours': (bytes) => `1 ${repeat('1,', bytes)}1 * * *`,
}

export const COSTLY: Record<string, (bytes: number) => string> = {
  ...Object.fromEntries(
    Object.entries(COSTLY_TEXTS).map(([kind, make]) => [
      kind,
      (bytes: number) => JSON.stringify(make(bytes)),
    ]),
  ),
  'a long list': (bytes) => `[${repeat('1,', bytes - 10)}1]`,
  'a list of texts': (bytes) => `[${repeat('"abc",', bytes - 10)}"d"]`,
  'a list of objects': (bytes) => `[${repeat('{"name":"a"},', bytes - 20)}{}]`,
  'many fields': keys,
  'lists in lists': (bytes) => `${'['.repeat(bytes / 2)}${']'.repeat(bytes / 2)}`,
  'lists in lists, few': () => `${'['.repeat(30)}${']'.repeat(30)}`,
  'objects in objects': (bytes) => `${repeat('{"a":', bytes / 2)}1${'}'.repeat(Math.floor(bytes / 2 / 5))}`,
  'a long number': (bytes) => repeat('9', bytes),
  'a number': () => '1e308',
}
