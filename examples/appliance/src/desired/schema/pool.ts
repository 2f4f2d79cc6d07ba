import { algorithmSchema } from './algorithm.ts'
import {
  choice,
  decimal,
  either,
  flag,
  group,
  integer,
  list,
  objectName,
  optional,
  preset,
  text,
} from './field.ts'
import { duration, filePath, hexBytes, quorum } from './forms.ts'
import { healthSchema } from './health.ts'
import { upstreamSchema } from './http/upstream.ts'
import { memberSchema } from './member.ts'
import { outlierSchema } from './outlier.ts'
import { persistenceSchema } from './persistence.ts'
import { alpnList, certificateSchema, tlsVersionFields } from './tls-fields.ts'

const tlsToMembers = group(
  {
    verify: preset(
      true,
      flag({
        title: 'Verify',
        description:
          'Refuses certificates that are not valid for the name or not signed by a trusted authority.',
        examples: [false],
      }),
    ),
    ca: optional(
      filePath({
        title: 'Authorities',
        description: 'PEM file with the authorities that are trusted. Default: those of Node.js.',
        examples: ['tls/internal-ca.pem'],
      }),
    ),
    serverName: optional(
      text({
        title: 'Server name',
        description:
          'The name that is asked for (SNI) and verified. Default: the host of the member, if it is a name.',
        maxLength: 253,
        examples: ['app.internal.example.com'],
      }),
    ),
    certificate: optional(certificateSchema),
    ...tlsVersionFields,
    alpn: preset([], alpnList('Protocols offered to members. Empty: none is offered.')),
    handshakeTimeout: preset(
      '10s',
      duration({
        title: 'Handshake timeout',
        description: 'For one handshake; timeouts.connect of the listener bounds it too.',
        minimum: 1,
        examples: ['3s'],
      }),
    ),
    sessions: preset(
      1024,
      integer({
        title: 'Sessions',
        description: 'Sessions kept for short handshakes, one for each member; 0 for none.',
        minimum: 0,
        maximum: 65_536,
        examples: [1024],
      }),
    ),
  },
  {
    title: 'TLS to members',
    description: 'Speaks TLS to the members. Default: plain bytes.',
    examples: [{ ca: 'tls/internal-ca.pem', serverName: 'app.internal.example.com' }],
  },
)

const tlv = group(
  {
    type: integer({
      title: 'Type',
      description: 'The type of the TLV; 0xE0 to 0xEF (224 to 239) are free for own use.',
      minimum: 0,
      maximum: 255,
      examples: [0xe0],
    }),
    text: optional(
      text({
        title: 'Text',
        description: 'The value as UTF-8. Default: none; give text or hex.',
        maxLength: 4096,
        examples: ['lb-a'],
      }),
    ),
    hex: optional(
      hexBytes({
        title: 'Hexadecimal',
        description: 'The value in hexadecimal. Default: none; give text or hex.',
        examples: ['00 01'],
      }),
    ),
  },
  {
    title: 'TLV',
    description: 'One more value in the header.',
    examples: [{ type: 0xe0, text: 'lb-a' }],
  },
)

const proxyProtocol = either(
  [
    choice(['v1', 'v2'], {
      title: 'Version',
      description: 'The version of the PROXY protocol.',
      examples: ['v2'],
    }),
    group(
      {
        version: choice(['v1', 'v2'], {
          title: 'Version',
          description: 'The version of the PROXY protocol.',
          examples: ['v2'],
        }),
        passTlvs: preset(
          false,
          flag({
            title: 'Pass TLVs',
            description: "Version 2: hands on the TLVs of the header that the client's side sent.",
            examples: [true],
          }),
        ),
        tlsFacts: preset(
          false,
          flag({
            title: 'TLS facts',
            description:
              "Version 2: server name and application protocol of the client's TLS as TLVs.",
            examples: [true],
          }),
        ),
        crc32c: preset(
          false,
          flag({
            title: 'Checksum',
            description: 'Version 2: a CRC-32C over the header.',
            examples: [true],
          }),
        ),
        tlvs: preset(
          [],
          list(tlv, {
            title: 'TLVs',
            description: 'Version 2: more TLVs for every connection.',
            maxItems: 64,
            examples: [[{ type: 0xe0, text: 'lb-a' }]],
          }),
        ),
      },
      {
        title: 'Header',
        description: 'A PROXY header with options.',
        examples: [{ version: 'v2', passTlvs: true }],
      },
    ),
  ],
  {
    title: 'PROXY protocol',
    description:
      "Tells members the client's address by a PROXY header. Default: no header is sent.",
    examples: ['v2', { version: 'v2', tlsFacts: true }],
  },
)

/** Members that stand in for each other, and how one of them is chosen. */
export const poolSchema = group(
  {
    name: objectName({
      title: 'Name',
      description: 'The name that listeners refer to.',
      examples: ['redis'],
    }),
    algorithm: preset('round-robin', algorithmSchema),
    members: preset(
      [],
      list(memberSchema, {
        title: 'Members',
        description: 'The servers of the pool.',
        maxItems: 4096,
        examples: [['10.0.0.11:8080', { address: '10.0.0.12:8080', weight: 2 }]],
      }),
    ),
    health: optional(healthSchema),
    outlier: optional(outlierSchema),
    persistence: optional(persistenceSchema),
    quorum: preset(
      1,
      quorum({
        title: 'Quorum',
        description:
          'Members that must be up for the pool to count as available: a number, or a share of the enabled ones.',
        examples: [1, '50%'],
      }),
    ),
    hysteresis: preset(
      0,
      integer({
        title: 'Hysteresis',
        description: 'Distance from the quorum at which availability flips.',
        minimum: 0,
        maximum: 4096,
        examples: [1],
      }),
    ),
    whenEmpty: preset(
      'reject',
      choice(['reject', 'all'], {
        title: 'When empty',
        description:
          'With no usable member: "reject" ends connections, "all" tries all members that are not disabled.',
        examples: ['all'],
      }),
    ),
    slowStart: preset(
      '0s',
      duration({
        title: 'Slow start',
        description:
          'A member that recovers gets its weight and limit back over this time. 0 means at once.',
        examples: ['30s'],
      }),
    ),
    boundedLoad: preset(
      0,
      decimal({
        title: 'Bounded load',
        description:
          'A member gets at most this factor times its share of the connections: 0 for off, or above 1, usually 1.25 to 2.',
        minimum: 0,
        maximum: 1000,
        examples: [0, 1.25],
      }),
    ),
    queueLimit: preset(
      1024,
      integer({
        title: 'Queue limit',
        description:
          'Connections that may wait when all members are at their limit; for how long is an option of the listener, timeouts.queue.',
        minimum: 0,
        maximum: 1_000_000,
        examples: [1024, 0],
      }),
    ),
    proxyProtocol: optional(proxyProtocol),
    tls: optional(tlsToMembers),
    upstream: optional(upstreamSchema),
  },
  {
    title: 'Pool',
    description: 'Members that stand in for each other, and how one of them is chosen.',
    examples: [
      {
        name: 'redis',
        algorithm: 'source-hash',
        members: [{ address: '127.0.0.1:7001', weight: 2 }, '127.0.0.1:7002'],
        health: { type: 'tcp', interval: '2s', timeout: '500ms' },
      },
    ],
  },
)
