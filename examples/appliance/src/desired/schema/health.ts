import type { TProperties } from 'typebox'
import {
  choice,
  dictionary,
  group,
  integer,
  kind,
  list,
  optional,
  preset,
  text,
  variants,
} from './field.ts'
import { filePath } from './forms.ts'
import {
  conversationFields,
  expectSchema,
  placeFields,
  scheduleFields,
  sendSchema,
  sourceField,
  stepsSchema,
  tlsCheckFields,
} from './health-fields.ts'
import { httpFields } from './health-http.ts'
import { alpnList } from './tls-fields.ts'

/** The kinds of checks, with the fields that all of them have. */
const checks = <const Common extends TProperties>(common: Common) => ({
  tcp: group(
    {
      type: kind('tcp', 'Well is who accepts a TCP connection.'),
      source: sourceField,
      close: preset(
        'reset',
        choice(['reset', 'fin'], {
          title: 'Close',
          description:
            'How the connection is closed: by RST, which leaves no TIME_WAIT behind, or by FIN, as some servers log a reset.',
          examples: ['fin'],
        }),
      ),
      ...placeFields,
      ...common,
    },
    {
      title: 'TCP check',
      description: 'Well is who accepts a TCP connection.',
      examples: [{ type: 'tcp' }],
    },
  ),
  tcpScript: group(
    {
      type: kind('tcp-script', 'Well is who says the right things over TCP.'),
      steps: stepsSchema,
      source: sourceField,
      ...conversationFields,
      ...placeFields,
      ...common,
    },
    {
      title: 'TCP script check',
      description: 'Well is who says the right things over TCP.',
      examples: [{ type: 'tcp-script', steps: [{ send: 'PING\r\n', expect: '+PONG' }] }],
    },
  ),
  tls: group(
    {
      type: kind('tls', 'Well is who completes a TLS handshake.'),
      ...tlsCheckFields,
      alpn: preset(
        [],
        alpnList('Protocols to offer; the member must choose one of them. Empty: none is offered.'),
      ),
      steps: optional(stepsSchema),
      source: sourceField,
      ...conversationFields,
      ...placeFields,
      ...common,
    },
    {
      title: 'TLS check',
      description:
        'Well is who completes a TLS handshake and, with steps, says the right things inside.',
      examples: [{ type: 'tls', verify: true, serverName: 'mail.example.com' }],
    },
  ),
  http: group(
    {
      type: kind('http', 'Well is who answers an HTTP request as expected.'),
      ...httpFields,
      ...placeFields,
      ...common,
    },
    {
      title: 'HTTP check',
      description: 'Well is who answers an HTTP/1.1 request as expected.',
      examples: [{ type: 'http', path: '/healthz', expect: ['200-299', 304] }],
    },
  ),
  https: group(
    {
      type: kind('https', 'Well is who answers an HTTPS request as expected.'),
      ...httpFields,
      ...tlsCheckFields,
      ...placeFields,
      ...common,
    },
    {
      title: 'HTTPS check',
      description: 'Well is who answers an HTTP/1.1 request over TLS as expected.',
      examples: [{ type: 'https', path: '/healthz', verify: true }],
    },
  ),
  udp: group(
    {
      type: kind('udp', 'Well is who answers a datagram, or does not refuse it.'),
      mode: choice(['reply', 'no-icmp-error'], {
        title: 'Mode',
        description:
          '"reply": an answer must come. "no-icmp-error": nobody says that the port is unreachable; this cannot tell a dead host from a silent service.',
        examples: ['reply'],
      }),
      send: optional(sendSchema),
      expect: optional(expectSchema),
      source: sourceField,
      ...placeFields,
      ...common,
    },
    {
      title: 'UDP check',
      description: 'Well is who answers a datagram, or does not refuse it.',
      examples: [{ type: 'udp', mode: 'reply', send: { hex: '1b 00' }, expect: { hex: '1c' } }],
    },
  ),
  script: group(
    {
      type: kind('script', 'Well is whom a program says to be, by exit code 0.'),
      command: filePath({
        title: 'Command',
        description:
          'The program: an absolute path, or a name to be found by PATH. No shell reads it.',
        examples: ['/usr/local/lib/steelyard/check-replica'],
      }),
      args: preset(
        [],
        list(
          text({
            title: 'Argument',
            description: 'Handed over as it is.',
            maxLength: 4096,
            examples: ['--max-lag'],
          }),
          {
            title: 'Arguments',
            description: 'Arguments of the program.',
            maxItems: 256,
            examples: [['--max-lag', '5']],
          },
        ),
      ),
      env: preset(
        {},
        dictionary(
          text({
            title: 'Variable',
            description: 'The value of the variable.',
            maxLength: 4096,
            examples: ['replica'],
          }),
          {
            title: 'Environment',
            description:
              'Variables besides PATH, STEELYARD_TARGET, STEELYARD_ADDRESS, STEELYARD_PORT, STEELYARD_STATE and STEELYARD_TIMEOUT_MS.',
            maxProperties: 256,
            examples: [{ ROLE: 'replica' }],
          },
        ),
      ),
      cwd: optional(
        filePath({
          title: 'Directory',
          description: 'Where the program runs. Default: the directory of the appliance.',
          examples: ['/var/lib/steelyard'],
        }),
      ),
      ...placeFields,
      ...common,
    },
    {
      title: 'Script check',
      description: 'Well is whom a program says to be, by exit code 0.',
      examples: [{ type: 'script', command: '/usr/local/lib/steelyard/check-replica' }],
    },
  ),
})

const part = checks({ timeout: scheduleFields.timeout })

const partSchema = variants(
  'type',
  [part.tcp, part.tcpScript, part.tls, part.http, part.https, part.udp, part.script],
  {
    title: 'Part',
    description: 'A check without a schedule; that of the whole holds.',
    examples: [{ type: 'tcp' }, { type: 'http', path: '/ready' }],
  },
)

const partsField = list(partSchema, {
  title: 'Checks',
  description: 'The checks that are made side by side.',
  minItems: 1,
  maxItems: 16,
  examples: [[{ type: 'tcp' }, { type: 'http', port: 9000, path: '/ready' }]],
})

const allOf = group(
  {
    type: kind('all-of', 'Well is who passes all of the checks.'),
    checks: partsField,
    ...scheduleFields,
  },
  {
    title: 'All-of check',
    description: 'Well is who passes all of the checks.',
    examples: [{ type: 'all-of', checks: [{ type: 'tcp' }, { type: 'http', path: '/ready' }] }],
  },
)

const anyOf = group(
  {
    type: kind('any-of', 'Well is who passes one of the checks.'),
    checks: partsField,
    ...scheduleFields,
  },
  {
    title: 'Any-of check',
    description: 'Well is who passes one of the checks.',
    examples: [{ type: 'any-of', checks: [{ type: 'tcp' }, { type: 'http', path: '/ready' }] }],
  },
)

const atLeast = group(
  {
    type: kind('at-least', 'Well is who passes some of the checks.'),
    count: integer({
      title: 'Count',
      description: 'How many of the checks must pass.',
      minimum: 1,
      maximum: 16,
      examples: [2],
    }),
    checks: partsField,
    ...scheduleFields,
  },
  {
    title: 'At-least check',
    description: 'Well is who passes so many of the checks.',
    examples: [{ type: 'at-least', count: 1, checks: [{ type: 'tcp' }] }],
  },
)

const whole = checks(scheduleFields)

/** How members are checked. */
export const healthSchema = variants(
  'type',
  [
    whole.tcp,
    whole.tcpScript,
    whole.tls,
    whole.http,
    whole.https,
    whole.udp,
    whole.script,
    allOf,
    anyOf,
    atLeast,
  ],
  {
    title: 'Health check',
    description: 'How members are checked. Default: not at all; all count as well.',
    examples: [
      { type: 'tcp', interval: '2s', timeout: '500ms', rise: 2, fall: 3 },
      { type: 'http', path: '/healthz', expect: 200 },
    ],
  },
)
