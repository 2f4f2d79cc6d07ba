import { invalidOption } from './errors.ts'
import { parseEndpoint } from './ip/endpoint.ts'
import { flagOption, objectOption, textOption } from './option-shape.ts'
import { shown } from './shown.ts'

/**
 * What the operator wants of a backend: `enabled` takes traffic when well; `draining` keeps what it has
 * and gets nothing new; `disabled` gets nothing and is not checked.
 */
export type AdminState = 'enabled' | 'draining' | 'disabled'

/** A backend as written: an address, or an address with options. */
export type BackendInit = string | BackendOptions

/** What may be said of a backend. */
export interface BackendOptions {
  /** `host:port`, `[v6]:port`, or `unix:/path`. */
  readonly address: string
  /** Stable name. Default: the address. Verdicts, persistence and counters follow it over a reload. */
  readonly id?: string
  /** Share of the traffic, 0 to 65535; 0 drains. Default 1. */
  readonly weight?: number
  /** Takes traffic only while no ordinary member is usable. Default `false`. */
  readonly backup?: boolean
  /** Connections at one time; more wait in the queue or go elsewhere. Default: no limit. */
  readonly maxConnections?: number
  /** Default `enabled`. */
  readonly state?: AdminState
  /** Free words for the operator; shown in status, never interpreted. */
  readonly labels?: Readonly<Record<string, string>>
}

/** A member of a pool: plain, frozen data. */
export interface Backend {
  readonly id: string
  /** Where it listens, as written and normalised: `host:port`, `[v6]:port` or `unix:/path`. */
  readonly address: string
  /** IP address, host name, or socket path. */
  readonly host: string
  /** 0 for a unix socket. */
  readonly port: number
  readonly weight: number
  readonly backup: boolean
  /** 0 means no limit. */
  readonly maxConnections: number
  readonly state: AdminState
  readonly labels: Readonly<Record<string, string>>
}

/**
 * Checks and completes a backend.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function backend(init: BackendInit, path = 'backend'): Backend {
  const options = typeof init === 'string' ? { address: init } : objectOption(init, path)
  const endpoint = parseEndpoint(
    options.address,
    typeof init === 'string' ? path : `${path}.address`,
  )
  const { weight = 1, backup = false, maxConnections = 0, state = 'enabled', labels = {} } = options
  if (endpoint.path === undefined && endpoint.port === 0) {
    throw invalidOption(`${path}.address`, `${shown(options.address)} needs a port from 1 to 65535`)
  }
  if (!Number.isInteger(weight) || weight < 0 || weight > 65_535) {
    throw invalidOption(
      `${path}.weight`,
      `${shown(weight)} is not a weight: use a whole number from 0 (drain) to 65535`,
    )
  }
  if (!Number.isInteger(maxConnections) || maxConnections < 0 || maxConnections > 0x7fffffff) {
    throw invalidOption(
      `${path}.maxConnections`,
      `${shown(maxConnections)} is not a limit: use a whole number, 0 for none`,
    )
  }
  if (state !== 'enabled' && state !== 'draining' && state !== 'disabled') {
    throw invalidOption(`${path}.state`, `${shown(state)} is none of enabled, draining, disabled`)
  }
  const id = textOption(options.id ?? endpoint.text, `${path}.id`)
  if (id === '') throw invalidOption(`${path}.id`, 'must not be empty')
  return Object.freeze({
    id,
    address: endpoint.text,
    host: endpoint.path ?? endpoint.host,
    port: endpoint.port,
    weight,
    backup: flagOption(backup, `${path}.backup`),
    maxConnections,
    state,
    labels: Object.freeze({ ...objectOption(labels, `${path}.labels`) }),
  })
}
