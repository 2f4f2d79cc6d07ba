import { invalidOption, objectOption, parseSize, type Size } from '@steelyard/core'
import type { BodyTransformer } from '../exchange/body-transform.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import { pacedBody } from './bandwidth/paced-body.ts'
import { wordOption } from './number-option.ts'

/** How fast {@link bandwidth} lets bodies pass. */
export interface BandwidthOptions {
  /** In the long run, for each exchange and direction. */
  readonly bytesPerSecond: Size
  /** What may pass at once, at the beginning and after a pause. Default: what passes in a second. */
  readonly burst?: Size
  /** Which bodies. Default `both`. */
  readonly direction?: 'request' | 'response' | 'both'
}

/**
 * Bounds how fast the bodies of one exchange pass. What waits here is no more than one piece of what came; then the
 * sender is held up.
 *
 * @example
 * ```ts
 * import { bandwidth } from '@steelyard/l7'
 *
 * const downloads = bandwidth({ bytesPerSecond: '2MiB', burst: '8MiB', direction: 'response' })
 * ```
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function bandwidth(options: BandwidthOptions, path = 'bandwidth'): HttpFilter {
  objectOption(options, path)
  const bytesPerSecond = parseSize(options.bytesPerSecond, `${path}.bytesPerSecond`)
  const burst = parseSize(options.burst ?? bytesPerSecond, `${path}.burst`)
  if (bytesPerSecond === 0) throw invalidOption(`${path}.bytesPerSecond`, 'must be more than 0')
  if (burst === 0) throw invalidOption(`${path}.burst`, 'must be more than 0')
  const direction = wordOption(
    options.direction ?? 'both',
    ['request', 'response', 'both'],
    `${path}.direction`,
  )
  const paced = (x: Exchange): BodyTransformer => pacedBody(x.clock, bytesPerSecond, burst)
  return {
    name: 'bandwidth',
    ...(direction === 'response' ? {} : { requestBody: paced }),
    ...(direction === 'request'
      ? {}
      : { responseBody: (_head: unknown, x: Exchange): BodyTransformer => paced(x) }),
  }
}
