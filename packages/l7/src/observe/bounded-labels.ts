/** What stands for values beyond the bound. */
export const otherLabel = 'other'

/** Values of one label, of which there are only so many. */
export type BoundedLabel = (value: string | undefined) => string

/**
 * Makes a {@link BoundedLabel}: the first values stay themselves, those beyond the bound are `other`; nothing is the
 * empty text, which in Prometheus is the same as no label.
 */
export function boundedLabel(most: number): BoundedLabel {
  const known = new Set<string>()
  return (value) => {
    if (value === undefined) return ''
    if (known.has(value)) return value
    if (known.size >= most) return otherLabel
    known.add(value)
    return value
  }
}

/** Things that are kept by four names, found without making a key. */
export interface NameTree<T> {
  find(
    a: string,
    b: string | undefined,
    c: string | undefined,
    d: string | undefined,
  ): T | undefined
  put(a: string, b: string | undefined, c: string | undefined, d: string | undefined, item: T): void
}

type Names = string | undefined

/** Makes a {@link NameTree} of at most `most` things; further ones are not kept. */
export function nameTree<T>(most: number): NameTree<T> {
  const root = new Map<Names, Map<Names, Map<Names, Map<Names, T>>>>()
  let size = 0
  return {
    find: (a, b, c, d) => root.get(a)?.get(b)?.get(c)?.get(d),
    put(a, b, c, d, item) {
      if (size >= most) return
      size += 1
      branch(branch(branch(root, a), b), c).set(d, item)
    },
  }
}

function branch<V>(map: Map<Names, Map<Names, V>>, name: Names): Map<Names, V> {
  let found = map.get(name)
  if (found === undefined) map.set(name, (found = new Map<Names, V>()))
  return found
}
