// Writes schema.json from the one definition of the document; a test says when it is stale.
import { writeFileSync } from 'node:fs'
import { schemaText } from '../src/commands/schema.ts'

writeFileSync(new URL('../schema.json', import.meta.url), schemaText())
