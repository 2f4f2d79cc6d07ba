import { withDefinitions } from './definitions.ts'
import type { Draft } from './draft.ts'
import { jsonOf } from './json-schema.ts'
import { addressPoolSchema } from './schema/address-pool.ts'
import { adminSchema } from './schema/admin.ts'
import { group, integer, list, preset } from './schema/field.ts'
import { loadBalancerSchema } from './schema/load-balancer.ts'
import type { Meant } from './schema/meaning.ts'
import { nodeSchema } from './schema/node.ts'
import { poolSchema } from './schema/pool.ts'

/**
 * The appliance's document: the one definition from which come its TypeScript type, its JSON Schema, its
 * validation, its defaults and the way a plan describes changes.
 */
export const documentSchema = group(
  {
    version: integer({
      title: 'Version',
      description: 'The version of this format: 1.',
      minimum: 1,
      maximum: 1,
      examples: [1],
    }),
    node: nodeSchema,
    admin: preset({}, adminSchema),
    addressPools: preset(
      [],
      list(addressPoolSchema, {
        title: 'Address pools',
        description: 'Addresses that virtual IPs are taken from.',
        maxItems: 1024,
        examples: [[{ name: 'local', addresses: ['127.0.0.10-127.0.0.20'] }]],
      }),
    ),
    loadBalancers: preset(
      [],
      list(loadBalancerSchema, {
        title: 'Load balancers',
        description: 'Virtual IPs with their listeners.',
        maxItems: 4096,
        examples: [
          [
            {
              name: 'cache',
              vip: { pool: 'local' },
              listeners: [{ name: 'redis', protocol: 'tcp', port: 6379, pool: 'redis' }],
            },
          ],
        ],
      }),
    ),
    pools: preset(
      [],
      list(poolSchema, {
        title: 'Pools',
        description: 'Members that stand in for each other.',
        maxItems: 4096,
        examples: [[{ name: 'redis', members: ['127.0.0.1:7001'] }]],
      }),
    ),
  },
  {
    title: 'Steelyard document',
    description: 'What a Steelyard appliance shall do.',
    examples: [
      {
        version: 1,
        node: { name: 'lb-a' },
        loadBalancers: [
          {
            name: 'cache',
            vip: '127.0.0.1',
            listeners: [{ name: 'redis', protocol: 'tcp', port: 6379, pool: 'redis' }],
          },
        ],
        pools: [{ name: 'redis', members: ['127.0.0.1:7001'] }],
      },
    ],
  },
)

/** What a valid document means: durations in milliseconds, sizes in bytes, defaults filled in. */
export type MeantDocument = Meant<typeof documentSchema>

/** A document as far as it is valid. */
export type DocumentDraft = Draft<MeantDocument>

/** The JSON Schema (2020-12) of the document, for editors and other tools. */
export function jsonSchema(): Readonly<Record<string, unknown>> {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'urn:steelyard:appliance:document:1',
    ...withDefinitions(jsonOf(documentSchema)),
  }
}
