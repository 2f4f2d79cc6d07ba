import { SteelyardError } from '../errors.ts'

/** Bytes that are not what they should be: the only failure a decoder may have. */
export class DecodeError extends SteelyardError<'decode'> {
  override readonly name = 'DecodeError'
  /** Where in the input, in bytes from its start. */
  readonly offset: number
  /** The field that was being read, by its name in the specification. */
  readonly field: string

  constructor(
    problem: string,
    offset: number,
    field: string,
    source: 'client' | 'backend' | 'peer' = 'peer',
  ) {
    super(`${field} at byte ${offset}: ${problem}`, { code: 'decode', source })
    this.offset = offset
    this.field = field
  }
}
