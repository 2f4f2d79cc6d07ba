import { invalidOption, listOption } from '@steelyard/core'
import { type Address, parseAddress, tryParseAddress } from '@steelyard/core/ip'

/** Source addresses for connections to backends, used in turn: a pool widens the range of source ports. */
export interface SourceAddresses {
  /** The next one of the backend's family; undefined when there is none of that family. */
  next(backendHost: string): string | undefined
}

/**
 * Makes a {@link SourceAddresses}.
 *
 * @throws `invalid-option` with the path of a text that is no address.
 */
export function sourceAddresses(
  addresses: readonly string[],
  path = 'sourceAddresses',
): SourceAddresses {
  if (listOption(addresses, path).length === 0)
    throw invalidOption(path, 'needs at least one address')
  const parsed = addresses.map((text, index) => parseAddress(text, `${path}[${index}]`))
  const v4 = rotation(parsed, 4)
  const v6 = rotation(parsed, 6)
  return {
    next(backendHost) {
      const family = tryParseAddress(backendHost)?.family
      if (family === undefined) return v4() ?? v6()
      return family === 4 ? v4() : v6()
    },
  }
}

function rotation(addresses: readonly Address[], family: 4 | 6): () => string | undefined {
  const texts = addresses.filter((address) => address.family === family).map(({ text }) => text)
  let turn = 0
  return () => (texts.length === 0 ? undefined : texts[turn++ % texts.length])
}
