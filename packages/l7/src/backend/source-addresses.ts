import { invalidOption, listOption } from '@steelyard/core'
import { type Address, parseAddress, tryParseAddress } from '@steelyard/core/ip'

/** Gives the source address of the next connection to a host; undefined leaves it to the system. */
export type NextSource = (memberHost: string) => string | undefined

/**
 * Takes addresses in turn, each for members of its family.
 *
 * @throws `invalid-option` with the path of a text that is no address.
 */
export function sourceRotation(addresses: readonly string[], path: string): NextSource {
  if (listOption(addresses, path).length === 0) {
    throw invalidOption(path, 'needs at least one address')
  }
  const parsed = addresses.map((text, index) => parseAddress(text, `${path}[${index}]`))
  const next4 = rotation(parsed, 4)
  const next6 = rotation(parsed, 6)
  return (memberHost) => {
    const family = tryParseAddress(memberHost)?.family
    if (family === undefined) return next4() ?? next6()
    return family === 4 ? next4() : next6()
  }
}

function rotation(addresses: readonly Address[], family: 4 | 6): () => string | undefined {
  const texts = addresses.filter((address) => address.family === family).map(({ text }) => text)
  let turn = 0
  return () => (texts.length === 0 ? undefined : texts[turn++ % texts.length])
}
