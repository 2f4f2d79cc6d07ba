import { createSecretKey, type KeyObject } from 'node:crypto'
import { invalidOption, oneOrMore } from '@steelyard/core'

/** A secret: a text or bytes, 16 bytes at least. */
export type Secret = string | Uint8Array

const leastBytes = 16

/**
 * One secret or several, for rotation: the first is used, the others are still believed.
 *
 * @throws `invalid-option`, which does not show the secret.
 */
export function secretsOption(secrets: Secret | readonly Secret[], path: string): KeyObject[] {
  const list = oneOrMore<Secret>(secrets)
  return Array.from(list, (secret: unknown, index) => {
    const at = list.length === 1 && list[0] === secrets ? path : `${path}[${index}]`
    const isBytes = ArrayBuffer.isView(secret) && secret instanceof Uint8Array
    if (typeof secret !== 'string' && !isBytes) {
      throw invalidOption(at, 'a secret is a text or a Uint8Array')
    }
    const bytes = Buffer.from(secret as Uint8Array)
    if (bytes.length < leastBytes) {
      throw invalidOption(
        at,
        `a secret of ${bytes.length} bytes can be guessed: use ${leastBytes} random bytes or more`,
      )
    }
    return createSecretKey(bytes)
  })
}
