import { invalidOption } from '../errors.ts'
import { listOption, objectOption } from '../option-shape.ts'
import { shown } from '../shown.ts'
import type { Address } from './address.ts'
import { type Cidr, masked, parseCidr } from './cidr.ts'

/** Many blocks asked as one: the cost of a question grows with the distinct prefix lengths, not with the blocks. */
export interface CidrSet {
  readonly size: number
  has(address: Address): boolean
}

/**
 * Builds a {@link CidrSet} from blocks or their texts.
 *
 * @throws `invalid-option` with the path of the block.
 */
export function cidrSet(blocks: readonly (Cidr | string)[], path = 'cidrs'): CidrSet {
  const byLength = new Map<string, { family: 4 | 6; prefix: number; networks: Set<string> }>()
  listOption(blocks, path).forEach((block, index) => {
    const cidr = blockOf(block, `${path}[${index}]`)
    const name = `${cidr.family}/${cidr.prefix}`
    let group = byLength.get(name)
    if (group === undefined) {
      group = { family: cidr.family, prefix: cidr.prefix, networks: new Set() }
      byLength.set(name, group)
    }
    group.networks.add(keyOf(cidr.network.bytes))
  })
  const groups = [...byLength.values()].sort((a, b) => b.prefix - a.prefix)
  return Object.freeze({
    size: blocks.length,
    has(address: Address): boolean {
      for (const { family, prefix, networks } of groups) {
        if (family === address.family && networks.has(keyOf(masked(address.bytes, prefix))))
          return true
      }
      return false
    },
  })
}

function blockOf(block: Cidr | string, path: string): Cidr {
  if (typeof block !== 'object' || block === null) return parseCidr(block, path)
  if (ArrayBuffer.isView(objectOption(block, path).network?.bytes)) return block
  throw invalidOption(path, `${shown(block)} is not a block: make one with parseCidr`)
}

function keyOf(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}
