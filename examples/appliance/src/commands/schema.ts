import { jsonSchema } from '../desired/schema.ts'
import type { CommandIo, ExitCode } from './command-io.ts'

/** `steelyard schema`: prints the JSON Schema of the document. */
export function schemaCommand(io: Pick<CommandIo, 'out'>): ExitCode {
  io.out(schemaText())
  return 0
}

/** The JSON Schema as it stands in `schema.json`. */
export function schemaText(): string {
  return `${JSON.stringify(jsonSchema(), null, 2)}\n`
}
