/**
 * YAML of few bytes that would be 9 to the power of `levels` items: each list holds the one before nine
 * times.
 */
export function aliasBomb(levels: number): string {
  const names = 'abcdefghij'.slice(0, levels)
  const lists = [...names].map((name, i) => {
    const item = i === 0 ? 'x' : `*${names[i - 1]}`
    return `${name}: &${name} [${Array(9).fill(item).join(',')}]`
  })
  return lists.join('\n')
}
