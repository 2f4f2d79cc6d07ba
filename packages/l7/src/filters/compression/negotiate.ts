import { qualityList } from '../quality-list.ts'

/** Names that mean the same (RFC 9110 section 8.4.1). */
const aliases: Readonly<Record<string, string>> = { 'x-gzip': 'gzip', 'x-compress': 'compress' }

/**
 * The content coding that a client likes best of those that are offered (RFC 9110 section 12.5.3); undefined for none,
 * that is for the body as it is.
 *
 * Without Accept-Encoding every coding would do, but what a client did not ask for it may not know: none. An empty
 * field wants none. `*` stands for codings that are not named; `identity` that is named and weighs more wins.
 *
 * @param accept - the Accept-Encoding field, its lines joined by commas.
 * @param offered - the best for us first: it decides between equal weights.
 */
export function negotiateCoding<Coding extends string>(
  accept: string | undefined,
  offered: readonly Coding[],
): Coding | undefined {
  if (accept === undefined) return undefined
  const weights = new Map<string, number>()
  for (const { value, q } of qualityList(accept)) {
    const name = aliases[value] ?? value
    weights.set(name, Math.max(q, weights.get(name) ?? 0))
  }
  const others = weights.get('*') ?? 0
  let best: Coding | undefined
  let most = 0
  for (const coding of offered) {
    const q = weights.get(coding) ?? others
    if (q <= most) continue
    most = q
    best = coding
  }
  return (weights.get('identity') ?? 0) > most ? undefined : best
}
