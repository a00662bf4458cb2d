/** Documents that are broken, foreign, too deep, too wide or odd, in each format. */
import type { Class, Format } from './poison-classes.ts'

export type Add = (name: string, becomes: Class, bytes: Buffer | string) => void

const bad = (...bytes: number[]): Buffer => Buffer.from(bytes)
const join = (...parts: (Buffer | string)[]): Buffer =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)))

function jsonDocuments(add: Add, id: () => string): void {
  add('cut off', 'broken', '{"id":1,"word":"a')
  add('trailing comma', 'broken', '{"id":1,}')
  add('single quotes', 'broken', "{'id':1}")
  add('comment', 'broken', '{"id":1/*a*/}')
  add('NaN as it stands', 'broken', '{"id":1,"score":NaN}')
  add('leading zero', 'broken', '{"id":01}')
  add('a number alone', 'broken', '7')
  add('null alone', 'broken', 'null')
  add('text alone', 'broken', '"x"')
  add('an array', 'broken', '[1,2]')
  add('two objects', 'broken', '{"id":1} {"id":2}')
  add('control character', 'broken', '{"id":1,"word":"a\u0001b"}')
  add('broken UTF-8', 'broken', join('{"id":1,"word":"', bad(0xc3, 0x28), '"}'))
  add('overlong UTF-8', 'broken', join('{"id":1,"word":"', bad(0xc0, 0x80), '"}'))
  add('surrogates as UTF-8', 'broken', join('{"id":1,"word":"', bad(0xed, 0xa0, 0x80), '"}'))
  add('lone surrogate', 'broken', '{"id":1,"word":"\\ud800"}')
  add('key twice', 'type', '{"id":1,"id":2}')
  add('required is null', 'broken', '{"id":null}')
  add('empty object', 'broken', '{}')
  add('depth 50,000', 'broken', `{"id":1,"word":${'['.repeat(50_000)}${']'.repeat(50_000)}`)
  add('binary', 'broken', bad(0, 1, 2, 3, 255, 254))
  add('XML', 'broken', '<r><b/></r>')
  add('nums with text', 'type', `{"id":${id()},"nums":[1,"x"]}`)
  add('nums beyond long', 'type', `{"id":${id()},"nums":[9223372036854775808]}`)
  add('nums with a fraction', 'type', `{"id":${id()},"nums":[1.5]}`)
  add('nums in nums', 'type', `{"id":${id()},"nums":[[1]]}`)
  add('nums with an object', 'type', `{"id":${id()},"nums":[{"a":1}]}`)
  add('dates in another format', 'type', `{"id":${id()},"dates":["2024-04-03"]}`)
  add('dates that do not exist', 'type', `{"id":${id()},"dates":["31/02/2024"]}`)
  add('dates', 'fine', `{"id":${id()},"dates":["03/04/2024",null]}`)
  add('nums with leading zeros', 'fine', `{"id":${id()},"nums":["08","+5",7]}`)
  add('an unknown field', 'unknown', `{"id":${id()},"color":"red"}`)
  add('an unknown object', 'unknown', `{"id":${id()},"size":{"w":1,"h":2}}`)
  add('BOM', 'fine', join(bad(0xef, 0xbb, 0xbf), `{"id":${id()}}`))
  add('blanks around', 'fine', ` \t{"id":${id()}} `)
  add('NUL escaped', 'fine', `{"id":${id()},"word":"a\\u0000b"}`)
  add('900,000 bytes', 'fine', `{"id":${id()},"word":"${'m'.repeat(900_000)}"}`)
}

function xmlDocuments(add: Add, id: () => string): void {
  const b = (inner: string, root = 'r'): string => `<${root}><b><id>${id()}</id>${inner}</b></${root}>`
  add('cut off', 'broken', '<r><b><id>1</id>')
  add('crossed tags', 'broken', '<r><b><id>1</b></id></r>')
  add('two roots', 'broken', '<r><b><id>1</id></b></r><r/>')
  add('another root', 'broken', b('', 'x'))
  add('an undefined entity', 'broken', b('<word>&nope;</word>'))
  add('a bare ampersand', 'broken', b('<word>a & b</word>'))
  add('an attribute twice', 'broken', '<r><b a="1" a="2"><id>1</id></b></r>')
  add('an attribute without quotes', 'broken', '<r a=1><b><id>1</id></b></r>')
  add(
    'entities that grow',
    'broken',
    `<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>${b('<word>&b;</word>')}`,
  )
  add(
    'an external entity',
    'broken',
    `<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>${b('<word>&x;</word>')}`,
  )
  add('depth 5,000', 'broken', `<r><b><id>1</id>${'<d>'.repeat(5_000)}${'</d>'.repeat(5_000)}</b></r>`)
  add(
    '5,000 attributes',
    'broken',
    `<r><b ${Array.from({ length: 5_000 }, (_, i) => `a${i}="x"`).join(' ')}><id>1</id></b></r>`,
  )
  add('a name of 5,000 bytes', 'broken', b(`<${'n'.repeat(5_000)}/>`))
  add('an unbound prefix', 'broken', b('<q:word>a</q:word>'))
  add('a character that XML has not', 'broken', b('<word>&#x1;</word>'))
  add('a surrogate by number', 'broken', b('<word>&#xD800;</word>'))
  add('broken UTF-8', 'broken', join('<r><b><id>1</id><word>', bad(0xff), '</word></b></r>'))
  add('an encoding that nobody knows', 'broken', `<?xml version="1.0" encoding="klingon"?>${b('')}`)
  add('text between records', 'broken', '<r>text<b><id>1</id></b')
  add('JSON', 'broken', '{"id":1}')
  add('a field twice', 'type', b('<word>a</word><word>b</word>'))
  add('an unknown element', 'unknown', b('<color>red</color>'))
  add('CDATA', 'fine', b('<word><![CDATA[<&>]]></word>'))
  add('UTF-16', 'fine', join(bad(0xff, 0xfe), Buffer.from(b('<word>ä</word>'), 'utf16le')))
  add(
    'Latin-1',
    'fine',
    join('<?xml version="1.0" encoding="ISO-8859-1"?>', Buffer.from(b('<word>ä</word>'), 'latin1')),
  )
  add('comments and instructions', 'fine', `<?a b?><!-- - -->${b('<!-- x -->')}`)
  add('no record', 'nothing', '<r></r>')
}

function csvDocuments(add: Add, id: () => string, scalars: readonly string[]): void {
  const header = `id,${scalars.join(',')}`
  const rest = ','.repeat(scalars.length)
  add('too few fields', 'broken', `${header}\n${id()},1\n`)
  add('too many fields', 'broken', `${header}\n${id()}${rest},7,8\n`)
  add('broken UTF-8', 'broken', join(`${header}\n${id()}${rest}`, bad(0xff), '\n'))
  add('no header', 'broken', `1,2,3\n`)
  add('another delimiter', 'broken', `${header.replaceAll(',', ';')}\n1;2\n`)
  add('an open quote', 'broken', `${header}\n${id()},"1${rest}\n`)
  add('text behind a quote', 'broken', `${header}\n${id()},"1"x${rest.slice(1)}\n`)
  add('binary', 'broken', bad(0, 1, 2, 3, 255, 254, 10, 0))
  add('JSON', 'broken', '{"id":1}\n')
  add('BOM', 'fine', join(bad(0xef, 0xbb, 0xbf), `${header}\n${id()}${rest}\n`))
  add('CRLF', 'fine', `${header}\r\n${id()}${rest}\r\n`)
  add('no newline at the end', 'fine', `${header}\n${id()}${rest}`)
  add('a header alone', 'nothing', `${header}\n`)
}

/** Adds the documents of a format; records in them have these columns besides their id. */
export function addDocuments(format: Format, add: Add, id: () => string, scalars: readonly string[]): void {
  const oneLine: Add = (name, becomes, bytes) => {
    if (name !== 'two objects' && !bytes.includes('\n')) add(name, becomes, bytes)
  }
  if (format === 'xml') xmlDocuments(add, id)
  else if (format === 'csv') csvDocuments(add, id, scalars)
  else jsonDocuments(format === 'json' ? add : oneLine, id)
}
