/** IPv6 addresses as numbers, whatever their notation. */

/** The eight groups. URL writes each address in one way (RFC 5952). */
export function groupsOf(address: string): number[] {
  const [head, tail] = new URL(`http://[${address}]`).hostname
    .slice(1, -1)
    .split('::')
    .map((half) =>
      half
        .split(':')
        .filter((group) => group !== '')
        .map((group) => Number.parseInt(group, 16)),
    )
  if (tail === undefined) return head
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail]
}
