/**
 * Conformance suites, fakes and the manual clock that the packages' tests share.
 *
 * @packageDocumentation
 */
export {
  type CheckedAddress,
  type CheckedPeer,
  type CheckerSuiteOptions,
  type CheckResult,
  type CheckUnderTest,
  checkerSuite,
} from './checker-suite.ts'
export { type HostileOptionsCase, hostileOptionsSuite } from './hostile-options.ts'
export { type ManualClock, manualClock } from './manual-clock.ts'
export { type MemoryDatagrams, type MemoryPeer, memoryDatagrams } from './memory-datagrams.ts'
export {
  type MemoryCall,
  type MemoryEnd,
  type MemoryStreams,
  memoryStreams,
} from './memory-streams.ts'
export {
  type LabHost,
  type LabRules,
  type NetnsLab,
  netnsLab,
  netnsLacking,
} from './netns-lab.ts'
export { type PickerRig, pickerRig, type RigMember } from './picker-rig.ts'
export type { PickerSuiteOptions } from './picker-suite/promises.ts'
export { pickerSuite } from './picker-suite.ts'
export { seededRandom } from './seeded-random.ts'
export type { MakeTransport, TransportHooks } from './transport-suite/lab.ts'
export { type TransportSuiteOptions, transportSuite } from './transport-suite/suite.ts'
