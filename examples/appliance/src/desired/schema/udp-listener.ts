import { choice, either, flag, group, integer, kind, optional, preset } from './field.ts'
import { duration, size } from './forms.ts'
import { listenerFields, poolField } from './listener-fields.ts'

const udp = group(
  {
    sessionKey: preset(
      'client',
      choice(['client', 'source'], {
        title: 'Session key',
        description:
          'What keeps clients on their member: "client" is an address with its port, "source" an address with all its ports.',
        examples: ['source'],
      }),
    ),
    idleTimeout: preset(
      '60s',
      duration({
        title: 'Idle timeout',
        description: 'A session ends when nothing came either way for so long.',
        minimum: 1,
        examples: ['30s'],
      }),
    ),
    expectedReplies: preset(
      'unlimited',
      either(
        [
          integer({
            title: 'Number',
            description: 'Replies to each datagram; 0 is fire and forget.',
            minimum: 0,
            maximum: 1_000_000,
            examples: [1],
          }),
          choice(['unlimited'], {
            title: 'Unlimited',
            description: 'The session goes on until it is idle.',
            examples: ['unlimited'],
          }),
        ],
        {
          title: 'Expected replies',
          description:
            'Replies to one datagram of the client; when all have come, the session ends. 0: replies are dropped.',
          examples: [1, 'unlimited'],
        },
      ),
    ),
    perPacket: preset(
      false,
      flag({
        title: 'Per packet',
        description: 'Picks a member for each datagram anew; replies still find their client.',
        examples: [true],
      }),
    ),
    maxSessions: preset(
      65_536,
      integer({
        title: 'Most sessions',
        description:
          'Sessions at one time, each with a descriptor; datagrams of new clients are dropped beyond.',
        minimum: 1,
        maximum: 10_000_000,
        examples: [10_000],
      }),
    ),
    buffers: preset(
      {},
      group(
        {
          datagrams: preset(
            16,
            integer({
              title: 'Datagrams',
              description: 'Datagrams of one session that wait while its socket opens.',
              minimum: 1,
              maximum: 65_536,
              examples: [16],
            }),
          ),
          bytes: preset(
            '64KiB',
            size({
              title: 'Bytes',
              description: 'Bytes of one session that wait.',
              examples: ['64KiB'],
            }),
          ),
          total: preset(
            '16MiB',
            size({
              title: 'Total',
              description: 'Bytes of all sessions together that wait.',
              examples: ['16MiB'],
            }),
          ),
          receive: preset(
            '4MiB',
            size({
              title: 'Receive buffer',
              description:
                'Asked of the kernel for bursts; it caps this at net.core.rmem_max. Takes effect when the listener starts.',
              examples: ['4MiB'],
            }),
          ),
          send: optional(
            size({
              title: 'Send buffer',
              description:
                "Asked of the kernel, which caps it at net.core.wmem_max. Default: the system's.",
              examples: ['1MiB'],
            }),
          ),
        },
        {
          title: 'Buffers',
          description: 'What may wait; what is beyond is dropped.',
          examples: [{ datagrams: 16, total: '16MiB' }],
        },
      ),
    ),
    whenDown: preset(
      'move',
      choice(['move', 'keep'], {
        title: 'When a member goes down',
        description:
          'Its live sessions: "move" sends the next datagram to another member, "keep" leaves them until they are idle.',
        examples: ['move'],
      }),
    ),
    whenDraining: preset(
      'keep',
      choice(['keep', 'move'], {
        title: 'When a member drains',
        description:
          'Its live sessions: "keep" leaves them until they are idle, "move" ends them if another member takes traffic.',
        examples: ['keep'],
      }),
    ),
  },
  {
    title: 'UDP',
    description: 'What a session is and what becomes of it.',
    examples: [{ sessionKey: 'source', idleTimeout: '30s', expectedReplies: 1 }],
  },
)

/** A listener that forwards UDP datagrams. */
export const udpListenerSchema = group(
  {
    ...listenerFields,
    protocol: kind('udp', 'Forwards UDP datagrams.'),
    pool: poolField(),
    udp: preset({}, udp),
  },
  {
    title: 'UDP listener',
    description: 'Forwards UDP datagrams.',
    examples: [{ name: 'dns', protocol: 'udp', port: 53, pool: 'dns' }],
  },
)
