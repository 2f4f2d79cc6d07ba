/**
 * Contracts and the pure domain of Steelyard: pools, pickers, persistence, address pools, lifecycle.
 *
 * @packageDocumentation
 */
export {
  type AdminState,
  type Backend,
  type BackendInit,
  type BackendOptions,
  backend,
} from './backend.ts'
export { pool } from './backend-pool.ts'
export { type ClientNetwork, type ClientNetworks, clientNetworks } from './client-network.ts'
export { type Clock, systemClock } from './clock.ts'
export type { Discovery, DiscoveryListener } from './discovery.ts'
export { type Duration, formatDuration, parseDuration } from './duration.ts'
export { type Emitter, type EventSource, emitter } from './emitter.ts'
export {
  type ErrorSource,
  invalidOption,
  isSteelyardError,
  SteelyardError,
  type SteelyardErrorInit,
} from './errors.ts'
export { addressHash, hash32, hashText } from './hash.ts'
export type { HealthCheck, HealthSubject } from './health-check.ts'
export type { AddressPoolOptions } from './ipam/address-pool.ts'
export {
  type AddressPoolChangeOptions,
  type AddressPools,
  type AddressPoolsOptions,
  type AssignmentRestoreFailure,
  addressPools,
} from './ipam/address-pools.ts'
export type {
  AddressRequest,
  Assignment,
  AssignmentRecord,
  PortClaim,
} from './ipam/assignment.ts'
export type { AddressOwner, AddressPoolStatus } from './ipam/pool-status.ts'
export { type AddressRange, parseRange } from './ipam/range.ts'
export {
  AddressPoolInUseError,
  AddressPoolOverlapError,
  type AddressPoolRejection,
  type AddressPoolRejectionReason,
  AddressUnavailableError,
} from './ipam/refusal.ts'
export { type LoadTable, loadTable, type MutableLoadTable } from './load.ts'
export { type LogFields, type Logger, silentLog } from './log.ts'
export {
  type Counter,
  type Gauge,
  type Histogram,
  type Labels,
  type Metrics,
  noMetrics,
  type Report,
} from './metrics.ts'
export { nearestName } from './nearest-name.ts'
export {
  bytesOption,
  clockOption,
  flagOption,
  functionOption,
  listOption,
  objectOption,
  oneOrMore,
  partOption,
  textOption,
} from './option-shape.ts'
export type { OutlierDetection, OutlierObserver, OutlierSubject } from './outlier.ts'
export {
  type PersistenceEntry,
  type PersistenceTable,
  type PersistenceTableOptions,
  persistenceTable,
} from './persistence.ts'
export { type Picker, type PickKey, picker, type Selector, type SelectorOptions } from './picker.ts'
export { first } from './pickers/first.ts'
export type { HashKeyOptions } from './pickers/hash-key.ts'
export { leastConnections } from './pickers/least-connections.ts'
export { type LeastTimeOptions, leastTime } from './pickers/least-time.ts'
export { type MaglevOptions, maglev } from './pickers/maglev.ts'
export { type RandomTwoChoicesOptions, randomTwoChoices } from './pickers/random-two-choices.ts'
export { type PickerEntry, type PickerName, pickerNamed, pickers } from './pickers/registry.ts'
export { rendezvous } from './pickers/rendezvous.ts'
export { type RingHashOptions, ringHash } from './pickers/ring-hash.ts'
export { type RoundRobinOptions, roundRobin } from './pickers/round-robin.ts'
export {
  type SmoothWeightedRoundRobinOptions,
  smoothWeightedRoundRobin,
} from './pickers/smooth-weighted-round-robin.ts'
export { type SourceHashOptions, sourceHash } from './pickers/source-hash.ts'
export { weightedLeastConnections } from './pickers/weighted-least-connections.ts'
export type {
  BackendEdit,
  MemberStatus,
  MembershipChange,
  Pool,
  PoolEvents,
  PoolOptions,
} from './pool.ts'
export type { MemberCondition } from './pool-member.ts'
export type { PoolPolicyOptions } from './pool-policy.ts'
export { type Quorum, type QuorumRule, quorumRule } from './quorum.ts'
export { type Roster, type RosterInit, roster } from './roster.ts'
export {
  type Lifecycle,
  type LifecycleSteps,
  lifecycle,
  type Service,
  type StartOptions,
  type StopOptions,
  startAll,
  stopAll,
} from './service.ts'
export { shown } from './shown.ts'
export { parseSize, type Size } from './size.ts'
export { type TimerWheel, type TimerWheelOptions, timerWheel, WheelTimer } from './timer-wheel.ts'
export type {
  AcceptHandler,
  BindTarget,
  ByteBudget,
  ConnectTarget,
  DatagramHandler,
  DatagramSocket,
  ListenTarget,
  Relay,
  RelayEnd,
  RelayOptions,
  SocketAddress,
  Stream,
  StreamHandler,
  StreamListener,
  Transport,
  TransportError,
  TransportErrorCode,
} from './transport.ts'
export { Tried, untried } from './tried.ts'
export type { HealthState, Verdict } from './verdict.ts'
export { type Waiter, type WaitQueue, waitQueue } from './wait-queue.ts'
export {
  all,
  any,
  type Cell,
  type CellHooks,
  cell,
  constant,
  derive,
  map,
  not,
  type Watchable,
} from './watchable.ts'
