import type { BackendInit } from './backend.ts'
import type { SteelyardError } from './errors.ts'

/** A source of members: static lists, files, DNS, ZooKeeper, Kubernetes. */
export interface Discovery {
  readonly name: string
  /**
   * Follows the source until disposed. `found` gets the whole set each time it changes; `failed` tells
   * of a failure, and the last set stays in force.
   */
  follow(listener: DiscoveryListener): Disposable
}

/** What a {@link Discovery} tells. */
export interface DiscoveryListener {
  found(backends: readonly BackendInit[]): void
  failed(error: SteelyardError): void
}
