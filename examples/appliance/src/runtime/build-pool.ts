import {
  type BackendOptions,
  type Clock,
  type HealthCheck,
  type OutlierDetection,
  type PersistenceTable,
  type Picker,
  type PoolPolicyOptions,
  persistenceTable,
  pickerNamed,
} from '@steelyard/core'
import { type Monitor, outlierDetection } from '@steelyard/health'
import type { DesiredPool } from '../desired/desired.ts'
import { same } from '../reconcile/same.ts'
import { buildCheck, namesFiles } from './build-check.ts'
import type { FileReader } from './file-reader.ts'

/** The parts that a pool is made of, each kept as long as what it was made of stays the same. */
export interface PoolParts {
  readonly picker: Picker
  readonly check: HealthCheck | undefined
  readonly outlier: OutlierDetection | undefined
  readonly persistence: PersistenceTable | undefined
}

/** What pools are built with. */
export interface PoolSurroundings {
  readonly monitor: Monitor
  readonly files: FileReader
  readonly clock: Clock
}

/** Makes the parts of a pool anew where the document changed them; the others live on with their state. */
export function poolParts(
  desired: DesiredPool,
  surroundings: PoolSurroundings,
  before?: { readonly desired: DesiredPool; readonly parts: PoolParts },
): PoolParts {
  const { monitor, files, clock } = surroundings
  const { algorithm, health, outlier, persistence } = desired
  const members = Object.values(desired.members)
  const unchanged = (...keys: readonly (keyof DesiredPool)[]): boolean =>
    before !== undefined && keys.every((key) => same(before.desired[key], desired[key]))
  const samePlaces = before !== undefined && same(placesOf(before.desired), placesOf(desired))
  return {
    picker: unchanged('algorithm') ? before!.parts.picker : pickerOf(algorithm),
    check:
      unchanged('health') && samePlaces && !namesFiles(health)
        ? before.parts.check
        : health && buildCheck(health, members, monitor, files),
    outlier: unchanged('outlier')
      ? before!.parts.outlier
      : outlier && outlierDetection({ ...outlier, clock }),
    persistence: unchanged('persistence')
      ? before!.parts.persistence
      : persistence && remembering(persistence, clock, before?.parts.persistence),
  }
}

/** A pool's policy of its parts. */
export function policyOf(desired: DesiredPool, parts: PoolParts): PoolPolicyOptions {
  const { quorum, hysteresis, whenEmpty, slowStart, boundedLoad } = desired
  return {
    pick: parts.picker,
    ...(parts.check === undefined ? {} : { check: parts.check }),
    ...(parts.outlier === undefined ? {} : { outlier: parts.outlier }),
    ...(parts.persistence === undefined ? {} : { persistence: parts.persistence }),
    quorum,
    hysteresis,
    whenEmpty,
    slowStart,
    boundedLoad,
  }
}

/** A pool's members as the core wants them. */
export function membersOf(desired: DesiredPool): BackendOptions[] {
  return Object.values(desired.members).map(
    ({ id, address, weight, backup, maxConnections, state, labels }) => ({
      id,
      address,
      weight,
      backup,
      maxConnections,
      state,
      labels,
    }),
  )
}

function pickerOf({ type, ...options }: DesiredPool['algorithm']): Picker {
  return pickerNamed(type, options)
}

function placesOf({ members }: DesiredPool): unknown {
  return Object.values(members).map(({ address, health }) => [address, health])
}

/** A table with other settings takes over what the one before remembered. */
function remembering(
  { type: _, ...options }: NonNullable<DesiredPool['persistence']>,
  clock: Clock,
  before: PersistenceTable | undefined,
): PersistenceTable {
  const table = persistenceTable({ ...options, clock })
  if (before !== undefined) table.import(before.export())
  return table
}
