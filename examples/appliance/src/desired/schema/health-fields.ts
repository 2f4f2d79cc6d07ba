import {
  choice,
  either,
  flag,
  group,
  integer,
  list,
  optional,
  payload,
  preset,
  text,
} from './field.ts'
import { duration, filePath, hexBytes, ipAddress, regularExpression, size } from './forms.ts'
import { certificateSchema } from './tls-fields.ts'

const hexGroup = group(
  {
    hex: hexBytes({
      title: 'Hexadecimal',
      description: 'The bytes, two digits each.',
      examples: ['0d 0a 2b'],
    }),
  },
  { title: 'Bytes', description: 'Bytes in hexadecimal.', examples: [{ hex: '00 01' }] },
)

/** What a check sends. */
export const sendSchema = either(
  [payload({ title: 'Text', description: 'Sent as UTF-8.', examples: ['PING\r\n'] }), hexGroup],
  {
    title: 'Send',
    description: 'What is sent: text, or bytes in hexadecimal. Default: nothing.',
    examples: ['PING\r\n', { hex: '00 01' }],
  },
)

/** What a check wants to get. */
export const expectSchema = either(
  [
    payload({ title: 'Text', description: 'This very text must come.', examples: ['+PONG'] }),
    hexGroup,
    group(
      {
        regex: regularExpression({
          title: 'Regular expression',
          description: "In JavaScript's syntax; it may match anywhere in what has come.",
          examples: ['^220 '],
        }),
        flags: optional(
          text({
            title: 'Flags',
            description: 'Flags of the regular expression, such as i. Default: none.',
            maxLength: 8,
            examples: ['i'],
          }),
        ),
      },
      {
        title: 'Pattern',
        description: 'A regular expression.',
        examples: [{ regex: '^220 ' }],
      },
    ),
  ],
  {
    title: 'Expect',
    description:
      'What must come: text, bytes in hexadecimal, or a regular expression. Default: anything will do.',
    examples: ['+PONG', { hex: '2b 50' }, { regex: '^220 ' }],
  },
)

/** When to check, and how many results it takes. */
export const scheduleFields = {
  interval: preset(
    '5s',
    duration({
      title: 'Interval',
      description: 'Time from one check to the next.',
      minimum: 10,
      maximum: 86_400_000,
      examples: ['2s', '10s'],
    }),
  ),
  fastInterval: optional(
    duration({
      title: 'Fast interval',
      description:
        'Interval while results contradict the state and rise or fall is counted. Default: the interval.',
      minimum: 10,
      maximum: 86_400_000,
      examples: ['500ms'],
    }),
  ),
  downInterval: optional(
    duration({
      title: 'Down interval',
      description: 'Interval while the member is down. Default: the interval.',
      minimum: 10,
      maximum: 86_400_000,
      examples: ['30s'],
    }),
  ),
  timeout: optional(
    duration({
      title: 'Timeout',
      description:
        'A check that takes longer fails; never longer than the interval. Default: 2s, or the interval when that is shorter.',
      minimum: 1,
      examples: ['500ms', '2s'],
    }),
  ),
  rise: preset(
    2,
    integer({
      title: 'Rise',
      description: 'Passes in a row that bring a member up.',
      minimum: 1,
      maximum: 1000,
      examples: [2],
    }),
  ),
  fall: preset(
    3,
    integer({
      title: 'Fall',
      description: 'Failures in a row that take a member down.',
      minimum: 1,
      maximum: 1000,
      examples: [3],
    }),
  ),
  initial: preset(
    'unknown',
    choice(['unknown', 'up', 'down'], {
      title: 'Initial state',
      description:
        'State before the first result. From "unknown" the first result decides; "up" and "down" are counted out by fall and rise.',
      examples: ['down'],
    }),
  ),
}

/** Where members are checked. */
export const placeFields = {
  address: optional(
    ipAddress({
      title: 'Address',
      description: 'Checks this address in place of that of each member. Default: its own.',
      examples: ['10.1.0.11'],
    }),
  ),
  port: optional(
    integer({
      title: 'Port',
      description: 'Checks this port in place of that of each member. Default: its own.',
      minimum: 1,
      maximum: 65_535,
      examples: [8081],
    }),
  ),
}

/** How the connection of a check is opened. */
export const sourceField = optional(
  ipAddress({
    title: 'Source',
    description: 'The source address of the check. Default: the system chooses.',
    examples: ['10.0.0.5'],
  }),
)

/** What a check says and hears. */
export const conversationFields = {
  maxBytes: preset(
    4096,
    size({
      title: 'Most bytes',
      description: 'Bytes that an answer may take before it matches.',
      minimum: 1,
      maximum: 1_048_576,
      examples: ['16KiB'],
    }),
  ),
}

/** One step of a conversation. */
export const stepsSchema = list(
  group(
    { send: optional(sendSchema), expect: optional(expectSchema) },
    {
      title: 'Step',
      description: 'First what is sent, then what must come; at least one of the two.',
      examples: [{ send: 'PING\r\n', expect: '+PONG' }],
    },
  ),
  {
    title: 'Steps',
    description: 'What is said and what must be heard, in order. Default: nothing.',
    minItems: 1,
    maxItems: 64,
    examples: [[{ send: 'PING\r\n', expect: '+PONG' }]],
  },
)

/** How a check speaks TLS. */
export const tlsCheckFields = {
  verify: preset(
    false,
    flag({
      title: 'Verify',
      description:
        'The certificate must be valid: for this name, in its time, signed by a trusted authority.',
      examples: [true],
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
  ca: optional(
    filePath({
      title: 'Authorities',
      description: 'PEM file with the authorities that are trusted. Default: those of Node.js.',
      examples: ['tls/internal-ca.pem'],
    }),
  ),
  certificate: optional(certificateSchema),
  minVersion: preset(
    'TLSv1.2',
    choice(['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'], {
      title: 'Lowest version',
      description: 'The lowest version of TLS that is spoken.',
      examples: ['TLSv1.3'],
    }),
  ),
  warnBefore: preset(
    '14d',
    duration({
      title: 'Warn before',
      description: 'From this time before the certificate expires, the verdict says so.',
      examples: ['21d'],
    }),
  ),
}
