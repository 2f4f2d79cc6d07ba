import { choice, either, group, integer, list, optional, preset } from './field.ts'
import { duration, ipBlock, size } from './forms.ts'

const timeouts = group(
  {
    connect: preset(
      '5s',
      duration({
        title: 'Connect',
        description: 'To connect to one member, its TLS handshake included. 0 means no limit.',
        examples: ['5s', '500ms'],
      }),
    ),
    client: preset(
      '10m',
      duration({
        title: 'Client idle',
        description: 'Without a byte from or to the client. 0 means no limit.',
        examples: ['50s', '1h'],
      }),
    ),
    server: preset(
      '10m',
      duration({
        title: 'Server idle',
        description: 'Without a byte from or to the member. 0 means no limit.',
        examples: ['50s', '1h'],
      }),
    ),
    halfClosed: preset(
      '1m',
      duration({
        title: 'Half-closed',
        description: 'Without a byte after one side has sent FIN. 0 means no limit.',
        examples: ['30s'],
      }),
    ),
    total: preset(
      '0s',
      duration({
        title: 'Total',
        description: 'For the whole connection, whatever it does. 0 means no limit.',
        examples: ['1h'],
      }),
    ),
    preread: preset(
      '5s',
      duration({
        title: 'Pre-read',
        description:
          'For everything the client must send first: PROXY header, ClientHello, TLS handshake. 0 means no limit.',
        examples: ['3s'],
      }),
    ),
    queue: preset(
      '5s',
      duration({
        title: 'Queue',
        description: 'Waiting for a member with room. 0 means no limit.',
        examples: ['10s'],
      }),
    ),
  },
  {
    title: 'Timeouts',
    description: "How long each part of a connection's life may take.",
    examples: [{ connect: '5s', client: '50s', server: '50s' }],
  },
)

const retries = group(
  {
    max: preset(
      3,
      integer({
        title: 'Most retries',
        description: 'Connects tried again on the next member after one failed.',
        minimum: 0,
        maximum: 100,
        examples: [0, 3],
      }),
    ),
    budget: optional(
      group(
        {
          percent: preset(
            20,
            integer({
              title: 'Percent',
              description: 'Retries in the window, in percent of the connections in it.',
              minimum: 0,
              maximum: 1000,
              examples: [20],
            }),
          ),
          window: preset(
            '10s',
            duration({
              title: 'Window',
              description: 'How far back connections and retries count.',
              minimum: 10,
              examples: ['10s'],
            }),
          ),
          minimum: preset(
            3,
            integer({
              title: 'Minimum',
              description:
                'Retries that are allowed in the window however few connections there are.',
              minimum: 0,
              maximum: 100_000,
              examples: [3],
            }),
          ),
        },
        {
          title: 'Budget',
          description:
            'A bound on the retries of the whole listener, so that a dying pool is not flooded. Default: none.',
          examples: [{ percent: 20, minimum: 3 }],
        },
      ),
    ),
  },
  {
    title: 'Retries',
    description: 'What happens when connecting to a member fails.',
    examples: [{ max: 2 }, { max: 3, budget: { percent: 20, minimum: 3 } }],
  },
)

const acceptProxyProtocol = group(
  {
    from: list(
      ipBlock({
        title: 'Trusted sources',
        description: 'A block of addresses, or one address.',
        examples: ['10.0.0.0/24'],
      }),
      {
        title: 'From',
        description: 'Whose connections must begin with a PROXY header.',
        minItems: 1,
        maxItems: 4096,
        examples: [['10.0.0.0/24', '2001:db8::/64']],
      },
    ),
    untrusted: preset(
      'reject',
      choice(['reject', 'direct'], {
        title: 'Untrusted',
        description:
          'Everybody else: "reject" ends the connection, "direct" takes it as it is, header bytes included.',
        examples: ['reject'],
      }),
    ),
    versions: preset(
      ['v1', 'v2'],
      list(
        choice(['v1', 'v2'], {
          title: 'Version',
          description: 'A version of the PROXY protocol.',
          examples: ['v2'],
        }),
        {
          title: 'Versions',
          description: 'The versions that are understood.',
          minItems: 1,
          maxItems: 2,
          examples: [['v2']],
        },
      ),
    ),
  },
  {
    title: 'Accept',
    description:
      "Takes the client's address from a PROXY header; the wait is bounded by timeouts.preread. Default: no header is expected.",
    examples: [{ from: ['10.0.0.0/24'] }],
  },
)

/** What listeners for connections, TCP and TLS, have beyond the others. */
export const streamFields = {
  backlog: preset(
    4096,
    integer({
      title: 'Backlog',
      description:
        'Connections that wait in the kernel to be accepted; it caps this at net.core.somaxconn. Takes effect when the listener starts.',
      minimum: 1,
      maximum: 1_000_000,
      examples: [4096],
    }),
  ),
  connectionLimit: preset(
    0,
    integer({
      title: 'Connection limit',
      description: 'Open connections of this listener; more wait in the kernel. 0 means no limit.',
      minimum: 0,
      maximum: 10_000_000,
      examples: [20_000],
    }),
  ),
  timeouts: preset({}, timeouts),
  retries: preset({}, retries),
  bandwidth: optional(
    either(
      [
        size({
          title: 'Both ways',
          description: 'Bytes a second of the whole listener, in each direction.',
          minimum: 1024,
          examples: ['10MiB'],
        }),
        group(
          {
            fromClient: optional(
              size({
                title: 'From clients',
                description: 'Bytes a second from clients to members. Default: no limit.',
                minimum: 1024,
                examples: ['1MiB'],
              }),
            ),
            toClient: optional(
              size({
                title: 'To clients',
                description: 'Bytes a second from members to clients. Default: no limit.',
                minimum: 1024,
                examples: ['10MiB'],
              }),
            ),
          },
          {
            title: 'Each way',
            description: 'Bytes a second of the whole listener, by direction.',
            examples: [{ toClient: '10MiB' }],
          },
        ),
      ],
      {
        title: 'Bandwidth',
        description:
          'Bytes a second that all connections of the listener share. Default: no limit.',
        examples: ['10MiB', { toClient: '10MiB' }],
      },
    ),
  ),
  keepAlive: preset(
    '0s',
    duration({
      title: 'Keep-alive',
      description: 'Sends TCP keep-alive probes to members after this much silence. 0 means none.',
      examples: ['1m'],
    }),
  ),
  whenDown: preset(
    'keep',
    choice(['keep', 'reset'], {
      title: 'When a member goes down',
      description: 'Open connections to it: "keep" leaves them alone, "reset" ends them.',
      examples: ['reset'],
    }),
  ),
  proxyProtocol: optional(
    group(
      { accept: acceptProxyProtocol },
      {
        title: 'PROXY protocol',
        description:
          'PROXY headers from clients. Default: none are expected. Headers to members are an option of the pool.',
        examples: [{ accept: { from: ['10.0.0.0/24'] } }],
      },
    ),
  ),
}
