/**
 * The name that was probably meant: the same letters but for case and separators, the beginning of
 * one, or a few edits away; `undefined` when nothing comes near.
 */
export function nearestName(text: string, names: readonly string[]): string | undefined {
  const bare = squash(text)
  if (bare === '') return undefined
  let nearest: string | undefined
  let least = Math.max(1, Math.floor(bare.length / 3)) + 1
  for (const name of names) {
    const other = squash(name)
    const prefix = bare.length >= 3 && (other.startsWith(bare) || bare.startsWith(other))
    const distance = other === bare ? 0 : prefix ? 1 : edits(bare, other)
    if (distance < least) {
      nearest = name
      least = distance
    }
  }
  return nearest
}

function squash(text: string): string {
  return text
    .slice(0, 64)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, '')
}

/**
 * Insertions, deletions, replacements and swaps of neighbours that make `a` of `b` (optimal string
 * alignment).
 */
function edits(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      let cost = Math.min(replaced, last[j]! + 1, row[j - 1]! + 1)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, beforeLast[j - 2]! + 1)
      }
      row.push(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}
