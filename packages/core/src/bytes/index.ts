/**
 * Bounds-checked readers and writers for wire codecs.
 *
 * @packageDocumentation
 */
export { DecodeError } from './decode-error.ts'
export { ByteReader } from './reader.ts'
export { ByteWriter } from './writer.ts'
