/**
 * Conformance suites, fakes and the manual clock that the packages' tests share.
 *
 * @packageDocumentation
 */
export { type ManualClock, manualClock } from './manual-clock.ts'
