import { addressOf } from './ip/address.ts'
import { scanAddress } from './ip/scan.ts'

/** The network that a client belongs to, as a key for maps: a number for IPv4, a text for the rest. */
export type ClientNetwork = number | string

/** Clients of one network are one client: reads their address and cuts it to the prefix. */
export interface ClientNetworks {
  /** A text that is no address stands for itself. */
  of(client: string): ClientNetwork
  /** The network's first address, or the text that was no address; {@link ClientNetworks.of} leads back to the key. */
  text(network: ClientNetwork): string
}

/** Makes {@link ClientNetworks} of prefixes, 0 to 32 and 0 to 128. */
export function clientNetworks(ipv4Prefix: number, ipv6Prefix: number): ClientNetworks {
  const bytes = new Uint8Array(16)
  const mask4 = ipv4Prefix === 0 ? 0 : (-1 << (32 - ipv4Prefix)) >>> 0
  const whole = ipv6Prefix >>> 3
  const partly = (0xff00 >>> (ipv6Prefix & 7)) & 0xff
  return {
    of(client) {
      const length = scanAddress(client, bytes)
      if (length === 4) {
        return ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) & mask4
      }
      // The first character tells the two kinds of text apart, whatever a client is called.
      if (length === 0) return `?${client}`
      if (whole < 16) bytes[whole]! &= partly
      for (let i = whole + 1; i < 16; i++) bytes[i] = 0
      return String.fromCharCode(
        six,
        word(bytes, 0),
        word(bytes, 2),
        word(bytes, 4),
        word(bytes, 6),
        word(bytes, 8),
        word(bytes, 10),
        word(bytes, 12),
        word(bytes, 14),
      )
    },
    text(network) {
      if (typeof network === 'number') {
        return `${network >>> 24}.${(network >>> 16) & 0xff}.${(network >>> 8) & 0xff}.${network & 0xff}`
      }
      if (network.charCodeAt(0) !== six) return network.slice(1)
      const address = new Uint8Array(16)
      const view = new DataView(address.buffer)
      for (let i = 0; i < 8; i++) view.setUint16(2 * i, network.charCodeAt(i + 1))
      return addressOf(address).text
    },
  }
}

const six = 6

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}
