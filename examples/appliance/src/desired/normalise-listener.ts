import { bindingOf } from './binding.ts'
import { type DesiredListener, isHttp } from './desired.ts'
import type { MeantDocument } from './schema.ts'

type WrittenListener = MeantDocument['loadBalancers'][number]['listeners'][number]

/** What a listener is made of besides its own part of the document. */
export interface ListenerSurroundings {
  readonly loadBalancer: string
  /** Of the load balancer. */
  readonly address: string | undefined
}

/** A listener as the runtime wants it. */
export function normaliseListener(
  listener: WrittenListener,
  { loadBalancer, address }: ListenerSurroundings,
): DesiredListener {
  const { name, enabled: _, port, listen, ipv6Only, ...rest } = listener
  const place = {
    id: `${loadBalancer}/${name}`,
    loadBalancer,
    name,
    // A listener without a place has a finding, and is left out before it comes here.
    binding: bindingOf({ port, listen, ipv6Only }, address)!,
  }
  if (rest.protocol === 'udp' || isHttp(rest)) return { ...place, ...rest }
  const { bandwidth, ...stream } = rest
  return {
    ...place,
    ...stream,
    ...(bandwidth === undefined ? {} : { bandwidth: eachWay(bandwidth) }),
  }
}

function eachWay(
  bandwidth: number | { readonly fromClient?: number; readonly toClient?: number },
): { readonly fromClient?: number; readonly toClient?: number } {
  return typeof bandwidth === 'number' ? { fromClient: bandwidth, toClient: bandwidth } : bandwidth
}
