import { type Picker, picker } from '../picker.ts'

export function roundRobin(): Picker {
  return picker('round-robin', () => -1)
}
