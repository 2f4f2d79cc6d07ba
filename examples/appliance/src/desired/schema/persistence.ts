import { choice, group, integer, kind, preset, variants } from './field.ts'
import { duration } from './forms.ts'

const sourceIp = group(
  {
    type: kind('source-ip', 'Remembers clients by their address.'),
    timeout: preset(
      '5m',
      duration({
        title: 'Timeout',
        description: 'How long a client is remembered after it was last seen.',
        minimum: 1,
        examples: ['5m', '1h'],
      }),
    ),
    ipv4Prefix: preset(
      32,
      integer({
        title: 'IPv4 prefix',
        description: 'Clients whose addresses agree in so many bits are one.',
        minimum: 0,
        maximum: 32,
        examples: [24],
      }),
    ),
    ipv6Prefix: preset(
      128,
      integer({
        title: 'IPv6 prefix',
        description: 'The same for IPv6; a site is usually 48 to 64.',
        minimum: 0,
        maximum: 128,
        examples: [64],
      }),
    ),
    maxEntries: preset(
      100_000,
      integer({
        title: 'Most entries',
        description:
          'Clients that are remembered; beyond it the least recently seen are forgotten.',
        minimum: 1,
        maximum: 10_000_000,
        examples: [100_000],
      }),
    ),
    whenDraining: preset(
      'move',
      choice(['move', 'keep'], {
        title: 'When a member drains',
        description:
          'Its clients: "move" sends them elsewhere, "keep" lets them stay as long as they come back in time.',
        examples: ['keep'],
      }),
    ),
  },
  {
    title: 'Source IP persistence',
    description: 'Remembers clients by their address.',
    examples: [{ type: 'source-ip', timeout: '5m' }],
  },
)

/** Clients keep their member. */
export const persistenceSchema = variants('type', [sourceIp], {
  title: 'Persistence',
  description:
    'Clients keep their member for a while; this wins over the algorithm. Default: they do not.',
  examples: [{ type: 'source-ip', timeout: '5m' }],
})
