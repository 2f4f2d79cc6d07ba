import { tryParseAddress } from '@steelyard/core/ip'
import { bindingText } from '../desired/binding.ts'
import { type Desired, type DesiredHttpListener, isHttp } from '../desired/desired.ts'
import type { ListenerTrial } from './explanation.ts'
import type { Question } from './question.ts'

/** Which HTTP listener would get a request, by name, or by scheme, port and address of its URL. */
export function chooseListener(
  { listeners }: Desired,
  { url, listener: named }: Question,
): { readonly chosen: DesiredHttpListener | undefined; readonly trials: readonly ListenerTrial[] } {
  const { protocol: scheme, port, hostname } = new URL(url)
  const wanted = port === '' ? (scheme === 'https:' ? 443 : 80) : Number(port)
  let chosen: DesiredHttpListener | undefined
  const trials = Object.values(listeners)
    .filter((one) => isHttp(one))
    .map((one): ListenerTrial => {
      const because =
        named === undefined
          ? whyNot(one, scheme, wanted, hostname)
          : named === one.id
            ? undefined
            : 'another one is asked about'
      const isFirst = because === undefined && chosen === undefined
      if (isFirst) chosen = one
      return {
        name: one.id,
        protocol: one.protocol,
        address: bindingText(one.binding),
        matched: isFirst,
        because:
          because ??
          (isFirst
            ? reasonFor(one, named, hostname)
            : `${chosen!.id} comes before it; ask about it with --listener`),
      }
    })
  return { chosen, trials }
}

function whyNot(
  { protocol, binding }: DesiredHttpListener,
  scheme: string,
  port: number,
  host: string,
): string | undefined {
  if (binding.kind !== 'address') {
    return 'it has no port that a URL could name; ask about it with --listener'
  }
  if (binding.port !== port) return `its port is ${binding.port}, wanted: ${port}`
  const own = protocol === 'https' ? 'https:' : 'http:'
  if (own !== scheme)
    return `it speaks ${own.slice(0, -1)}, and the URL says ${scheme.slice(0, -1)}`
  const address = tryParseAddress(host.replace(/^\[|\]$/g, ''))?.text
  const isWild = binding.host === '0.0.0.0' || binding.host === '::'
  if (address !== undefined && !isWild && address !== binding.host) {
    return `its address is ${binding.host}, wanted: ${address}`
  }
  return undefined
}

function reasonFor(
  { binding }: DesiredHttpListener,
  named: string | undefined,
  host: string,
): string {
  if (named !== undefined) return 'it is asked about'
  const isAddress = tryParseAddress(host.replace(/^\[|\]$/g, '')) !== undefined
  const port = binding.kind === 'address' ? binding.port : 0
  return isAddress
    ? 'scheme, address and port are its own'
    : `scheme and port ${port} are its own, if ${host} leads here`
}
