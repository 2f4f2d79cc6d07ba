import { invalidOption } from '../errors.ts'
import { type Address, parseAddress } from '../ip/address.ts'
import { listOption, objectOption } from '../option-shape.ts'
import { shown } from '../shown.ts'
import { numberOf } from './address-number.ts'
import type { Claim } from './sharing.ts'

/** One port that an owner serves on its address; a port of TCP and the same of UDP are two. */
export interface PortClaim {
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  /** 1 to 65535. */
  readonly port: number
}

/** Who wants an address, and which. */
export interface AddressRequest {
  /** The one who gets it, by a name that is unique among all pools; it has one address at a time. */
  readonly owner: string
  /** Only from this pool. Default: the pool of {@link AddressRequest.address}, or else any, by its order. */
  readonly pool?: string
  /** Exactly this address. Default: one is chosen. */
  readonly address?: string
  /** Only an address of this family. Default: either. */
  readonly family?: 4 | 6
  /** What it serves there; `[]` for nothing yet. Default: every port of the address, so that nobody can share it. */
  readonly ports?: readonly PortClaim[]
  /**
   * May others have the same address, on other ports? They must agree: `true` shares with all who say `true`, a key
   * with all who say the same key. Who has a key joins an address of its key before it takes a new one; who says
   * `true` takes a new one as long as there are any. Default `false`.
   */
  readonly shared?: boolean | string
}

/** An address that an owner holds. */
export interface Assignment {
  readonly owner: string
  /** In its shortest form. */
  readonly address: string
  readonly family: 4 | 6
  /** The pool that the address belongs to. */
  readonly pool: string
  /** Absent for every port. */
  readonly ports?: readonly PortClaim[]
  readonly shared: boolean | string
  /**
   * The address that this very call released because the wish had changed: announce the new one, then withdraw this.
   * Absent when the owner kept its address or had none.
   */
  readonly previous?: string
}

/** An assignment to be remembered over a restart: plain data, fit for JSON. */
export interface AssignmentRecord {
  readonly address: string
  /** What had been asked for. */
  readonly request: AddressRequest
}

/** A request, checked and read once. */
export interface Wish {
  /** With the ports in order and once each, and without what is default. */
  readonly request: AddressRequest
  readonly address: Address | undefined
  readonly number: bigint | undefined
  readonly claim: Claim
}

/**
 * Checks a request.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function wishOf(request: AddressRequest, path = 'request'): Wish {
  const { owner, pool, family, ports, shared = false } = objectOption(request, path)
  if (typeof owner !== 'string' || owner === '') {
    throw invalidOption(`${path}.owner`, 'must be a text that is not empty')
  }
  if (pool !== undefined && (typeof pool !== 'string' || pool === '')) {
    throw invalidOption(`${path}.pool`, 'must be the name of a pool')
  }
  if (family !== undefined && family !== 4 && family !== 6) {
    throw invalidOption(`${path}.family`, `${shown(family)} is no address family: use 4 or 6`)
  }
  if ((typeof shared !== 'boolean' && typeof shared !== 'string') || shared === '') {
    throw invalidOption(`${path}.shared`, 'must be true, false, or a key that is not empty')
  }
  const address =
    request.address === undefined ? undefined : parseAddress(request.address, `${path}.address`)
  if (address !== undefined && family !== undefined && address.family !== family) {
    throw invalidOption(
      `${path}.family`,
      `IPv${family} was asked for, but ${address.text} is IPv${address.family}`,
    )
  }
  if (ports !== undefined) listOption(ports, `${path}.ports`)
  const claims = ports?.map((port, index) => portClaim(port, `${path}.ports[${index}]`))
  claims?.sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1))
  const unique = new Map(claims?.map((port) => [portText(port), port]))
  return Object.freeze({
    request: Object.freeze({
      owner,
      ...(pool !== undefined && { pool }),
      ...(address !== undefined && { address: address.text }),
      ...(family !== undefined && { family }),
      ...(ports !== undefined && { ports: Object.freeze([...unique.values()]) }),
      ...(shared !== false && { shared }),
    }),
    address,
    number: address === undefined ? undefined : numberOf(address),
    claim: Object.freeze({ ports: ports && new Set(unique.keys()), shared }),
  })
}

/** `tcp/80`. */
export function portText({ protocol, port }: PortClaim): string {
  return `${protocol}/${port}`
}

function portClaim(claim: PortClaim, path: string): PortClaim {
  const { protocol, port } = objectOption(claim, path)
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp') {
    throw invalidOption(`${path}.protocol`, `${shown(protocol)} is none of tcp, udp, sctp`)
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw invalidOption(`${path}.port`, `${shown(port)} is no port: use 1 to 65535`)
  }
  return Object.freeze({ protocol, port })
}
