/**
 * Finds out who is well: active checks of backends on a schedule, with rise and fall, and passive outlier
 * detection on live results. A check is handed to a pool of `@steelyard/core`, which runs it while
 * somebody uses the pool; a {@link Monitor} shared by several pools asks each question once.
 *
 * @packageDocumentation
 */
export { type Check, type CheckOptions, type CustomCheckOptions, check } from './check.ts'
export { allOf, anyOf, atLeast } from './checkers/combine.ts'
export { type HttpCheckOptions, httpCheck } from './checkers/http.ts'
export { type ScriptCheckOptions, scriptCheck } from './checkers/script.ts'
export type { SocketOptions } from './checkers/socket-target.ts'
export type { StatusCodes } from './checkers/status-codes.ts'
export { type TcpCheckOptions, tcpCheck } from './checkers/tcp.ts'
export { type TlsCheckOptions, tlsCheck } from './checkers/tls.ts'
export type { TlsSettings } from './checkers/tls-session.ts'
export { type UdpCheckOptions, udpCheck } from './checkers/udp.ts'
export type { DialogueStep } from './dialogue.ts'
export type { LocateOptions } from './locate.ts'
export {
  healthMonitor,
  type Monitor,
  type MonitorEvents,
  type MonitoredTarget,
  type MonitorOptions,
} from './monitor.ts'
export type { MonitorStats } from './monitor-stats.ts'
export { type OutlierOptions, outlierDetection } from './outlier/outlier-detection.ts'
export type { Pattern, Payload } from './pattern.ts'
export {
  type Evidence,
  failed,
  inconclusive,
  type Probe,
  type ProbeContext,
  type ProbeResult,
  type ProbeTarget,
  passed,
  refused,
  type ScheduledProbe,
} from './probe.ts'
export type { Schedule, ScheduleOptions } from './schedule.ts'
