import { invalidOption } from '../errors.ts'
import { flagOption, objectOption } from '../option-shape.ts'
import type { PickKey } from '../picker.ts'
import { shown } from '../shown.ts'

/** What a hash picker hashes: options that all of them have. */
export interface HashKeyOptions {
  /**
   * The client's port too, so that one client's connections spread (IPVS `sh-port`). Default
   * `false`.
   */
  readonly port?: boolean
  /**
   * Default `source`, or `source-port` with {@link HashKeyOptions.port}. `request` is what an L7
   * balancer chose.
   */
  readonly key?: 'source' | 'source-port' | 'request'
}

/** The {@link PickKey} that these options ask for. Throws `invalid-option`. */
export function hashKey(options: HashKeyOptions, path: string): PickKey {
  const port = flagOption(objectOption(options, path).port ?? false, `${path}.port`)
  const { key = port ? 'source-port' : 'source' } = options
  if (key !== 'source' && key !== 'source-port' && key !== 'request') {
    throw invalidOption(`${path}.key`, `${shown(key)} is none of source, source-port, request`)
  }
  if (port && key !== 'source-port') {
    throw invalidOption(`${path}.port`, `does not go together with key "${key}": leave one out`)
  }
  return key
}
