import { parseEndpoint, tryParseAddress } from '@steelyard/core/ip'

/** Where a listener listens. */
export type Binding =
  | {
      readonly kind: 'address'
      readonly host: string
      readonly port: number
      readonly ipv6Only: boolean
    }
  | { readonly kind: 'unix'; readonly path: string }
  /** A descriptor from the service manager: its number, or its name (systemd `FileDescriptorName=`). */
  | { readonly kind: 'fd'; readonly fd: number | string }

/** The place of a listener: its own `listen`, or its port on the address of its load balancer. */
export function bindingOf(
  listener: {
    readonly port?: number | undefined
    readonly listen?: string | undefined
    readonly ipv6Only?: boolean | undefined
  },
  address: string | undefined,
): Binding | undefined {
  const { port, listen, ipv6Only = false } = listener
  if (listen !== undefined) return elsewhere(listen)
  if (port === undefined || address === undefined) return undefined
  return { kind: 'address', host: address, port, ipv6Only: ipv6Only && address === '::' }
}

/** The place that an endpoint means, such as that of the admin endpoint; host names stand for themselves. */
export function endpointBinding(endpoint: string): Binding {
  if (endpoint.startsWith('unix:')) return elsewhere(endpoint)
  const { host, port } = parseEndpoint(endpoint)
  return { kind: 'address', host, port, ipv6Only: false }
}

function elsewhere(listen: string): Binding {
  if (listen.startsWith('unix:')) return { kind: 'unix', path: listen.slice(5) }
  const name = listen.slice(3)
  return { kind: 'fd', fd: /^\d+$/.test(name) ? Number(name) : name }
}

/** For people: `127.0.0.1:80`, `[::1]:80`, `unix:/path`, `fd:3`. */
export function bindingText(binding: Binding): string {
  switch (binding.kind) {
    case 'address': {
      const { host, port } = binding
      return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
    }
    case 'unix':
      return `unix:${binding.path}`
    case 'fd':
      return `fd:${binding.fd}`
    default:
      return binding satisfies never
  }
}

/** Can the two not be open at the same time, for the same L4 protocol? Wildcards take every address of their families. */
export function collide(a: Binding, b: Binding): boolean {
  if (a.kind === 'unix') return b.kind === 'unix' && a.path === b.path
  if (a.kind === 'fd') return b.kind === 'fd' && a.fd === b.fd
  if (b.kind !== 'address' || a.port !== b.port || a.port === 0) return false
  return a.host === b.host || covers(a, b) || covers(b, a)
}

function covers(
  wide: Binding & { kind: 'address' },
  other: Binding & { kind: 'address' },
): boolean {
  if (wide.host !== '::' && wide.host !== '0.0.0.0') return false
  const family = tryParseAddress(other.host)?.family
  if (wide.host === '0.0.0.0') return family === 4 || (other.host === '::' && !other.ipv6Only)
  return family === 6 || !wide.ipv6Only
}
