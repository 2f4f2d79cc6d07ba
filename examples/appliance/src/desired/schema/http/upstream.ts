import { choice, group, integer, optional } from '../field.ts'
import { duration } from '../forms.ts'
import { notes } from './notes.ts'

const count = (title: string, description: string, example: number, least: number) =>
  optional(integer({ ...notes(title, description, example), minimum: least, maximum: 0x7fffffff }))

/** How HTTP listeners speak to the members of a pool. */
export const upstreamSchema = group(
  {
    protocol: optional(
      choice(
        ['http/1.1', 'h2', 'auto'],
        notes(
          'Protocol',
          '"auto" lets TLS decide; "h2" without TLS is prior knowledge. Default: http/1.1.',
          'h2',
        ),
      ),
    ),
    reuse: optional(
      choice(
        ['never', 'safe', 'aggressive', 'always'],
        notes(
          'Reuse',
          'Which requests may go on connections that have served before. Default: safe.',
          'always',
        ),
      ),
    ),
    maxIdle: count('Most idle', 'Idle connections kept for each member. Default: 256.', 64, 0),
    idleTimeout: optional(
      duration({
        ...notes('Idle timeout', 'How long a connection may be idle. Default: 30s.', '10s'),
        minimum: 1,
      }),
    ),
    maxLifetime: optional(
      duration(notes('Longest life', 'Of a connection; 0 for any. Default: 5m.', '10m')),
    ),
    maxRequests: count('Most requests', 'Of a connection; 0 for any number. Default: 0.', 1000, 0),
    maxStreams: count(
      'Most streams',
      'HTTP/2: open at once on a connection. Default: 100.',
      100,
      1,
    ),
    maxSessions: count('Most sessions', 'HTTP/2: connections to one member. Default: 4.', 4, 1),
  },
  notes(
    'Upstream',
    'How HTTP listeners speak to the members. Default: HTTP/1.1.',
    { protocol: 'h2' },
    {
      reuse: 'always',
      maxIdle: 64,
    },
  ),
)
