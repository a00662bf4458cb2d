/**
 * Texts of whole numbers, decimals, doubles and epochs: right ones, edges, and what looks like a number and
 * is none.
 */
import type { Draw } from './draw.ts'
import type { TypeSettings } from './type-settings.ts'

export const EDGES_32 = [
  '2147483647',
  '-2147483648',
  '2147483648',
  '-2147483649',
  '4294967296',
  '-0',
  '+0',
  '00',
  '0',
]
export const EDGES_64 = [
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '-9223372036854775809',
  '9007199254740993',
  '-9007199254740993',
  '18446744073709551616',
  '4294967295',
  '-4294967296',
  '-1',
  '999999999999999',
  '1000000000000000',
]
const NO_NUMBERS = [
  '',
  '-',
  '+',
  'NaN',
  'nan',
  'Infinity',
  '-inf',
  '0x1F',
  '1_000',
  '1,5',
  '١٢',
  '１２',
  '--1',
  '+-1',
  '1 2',
  '−5',
  '1e5',
  '1.0',
  '.',
  '5.',
  '.5',
  'e5',
  '1e',
  '1e+',
  '1.e1',
  '1f',
  '1d',
  '1L',
  'null',
  '½',
  '1\u00a0',
  '\u20091',
  '#1',
]

function sign(draw: Draw): string {
  return draw.oneOf(['', '', '', '-', '-', '+'])
}

function zeros(draw: Draw): string {
  return draw.often(0.1) ? '0'.repeat(draw.below(40)) : ''
}

export function wholeLike(draw: Draw, edges: readonly string[]): string {
  if (draw.often(0.1)) return draw.oneOf(NO_NUMBERS)
  if (draw.often(0.2)) return draw.oneOf(edges)
  return `${sign(draw)}${zeros(draw)}${draw.digits(1 + draw.below(draw.often(0.7) ? 11 : 45))}`
}

export function decimalLike(draw: Draw, { precision = 18, scale = 2 }: TypeSettings): string {
  if (draw.often(0.1)) return draw.oneOf(NO_NUMBERS)
  // Around the column's own width, where the verdict turns.
  const near = (count: number): number => Math.max(0, count + draw.oneOf([-2, -1, 0, 0, 0, 1]))
  const whole = draw.often(0.7) ? draw.digits(near(precision - scale)) : draw.digits(draw.below(45))
  const fraction = draw.often(0.7) ? draw.digits(near(scale)) : draw.digits(draw.below(45))
  const tail = draw.often(0.2) ? '0'.repeat(draw.below(20)) : ''
  const nines = draw.often(0.1) ? '9'.repeat(precision - scale) : `${zeros(draw)}${whole}`
  return `${sign(draw)}${nines}${draw.often(0.75) ? `.${fraction}${tail}` : ''}${draw.often(0.03) ? 'e2' : ''}`
}

const EDGE_DOUBLES = [
  '1e400',
  '-1e999',
  '1.7976931348623157e308',
  '1.7976931348623158e308',
  '1.7976931348623159e308',
  '-1.797693134862315807e308',
  '179769313486231570814527423731704356798070567525844996598917476803157260780028538760589558632766878171540458953514382464234321326889464182768467546703537516986049910576551282076245490090389328944075868508455133942304583236903222948165808559332123347747976',
  '5e-324',
  '2.4703282292062327e-324',
  '2.4703282292062328e-324',
  '1e-400',
  '-1e-400',
  '-0.0',
  '0.1',
  '0.30000000000000004',
  '9007199254740993',
  '9007199254740992.5',
  '2.2250738585072011e-308',
  '1e22',
  '1e23',
  '8.5e22',
  '123456789012345678',
  '0e999999999',
  '1e-999999999',
  '1E5',
  '.5e1',
  '5.e1',
  '1e05',
  '1e-22',
  '1e-23',
  '5e-23',
  '123456e-23',
  '7e-24',
  '899999999999999e22',
  '9007199254740991e22',
  '9007199254740993e1',
]

export function doubleLike(draw: Draw): string {
  if (draw.often(0.1)) return draw.oneOf(NO_NUMBERS)
  if (draw.often(0.15)) return draw.oneOf(EDGE_DOUBLES)
  const digits = draw.often(0.7) ? 17 : 45
  const whole = draw.digits(draw.below(digits))
  const fraction = draw.often(0.6) ? `.${draw.digits(draw.below(digits))}` : ''
  const exponent = draw.often(0.3)
    ? `${draw.oneOf(['e', 'E'])}${sign(draw)}${draw.digits(1 + draw.below(3))}`
    : ''
  return `${sign(draw)}${zeros(draw)}${whole}${fraction}${exponent}`
}

export function epochLike(draw: Draw): string {
  if (draw.often(0.1)) return draw.oneOf(NO_NUMBERS)
  if (draw.often(0.15))
    return draw.oneOf([
      '253402300799',
      '253402300800',
      '-62135596800',
      '-62135596801',
      '253402300799999',
      '253402300800000',
      '-62135596800000001',
      '253402300799999999',
      '253402300799999999999',
      '-0',
      '0.9999999',
      '-0.0000009',
      '-0.000001',
      '-62135596800.0000001',
      '-62135596800.000001',
      '253402300799.9999999',
    ])
  return `${sign(draw)}${zeros(draw)}${draw.digits(1 + draw.below(20))}${draw.often(0.3) ? `.${draw.digits(draw.below(11))}` : ''}`
}
