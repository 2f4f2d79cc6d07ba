import { dictionary, either, flag, group, list, optional, payload, preset, text } from './field.ts'
import { regularExpression, size, statusCodes } from './forms.ts'
import { expectSchema, sourceField } from './health-fields.ts'

const code = statusCodes({
  title: 'Status',
  description: 'A status such as 200, or a range such as 200-299.',
  examples: [200, '200-299'],
})

const expectedHeader = either(
  [
    text({
      title: 'Content',
      description: 'The header must have exactly this content.',
      maxLength: 4096,
      examples: ['text/plain'],
    }),
    group(
      {
        regex: regularExpression({
          title: 'Regular expression',
          description: "In JavaScript's syntax.",
          examples: ['^text/'],
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
        description: 'A regular expression that must match the header.',
        examples: [{ regex: '^text/' }],
      },
    ),
  ],
  {
    title: 'Expected header',
    description: 'The content of the header, or a regular expression for it.',
    examples: ['text/plain', { regex: '^text/' }],
  },
)

/** What HTTP and HTTPS checks ask and expect. */
export const httpFields = {
  method: preset(
    'GET',
    text({
      title: 'Method',
      description: 'The method of the request. CONNECT is not for checks.',
      maxLength: 32,
      pattern: "^(?!CONNECT$)[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
      examples: ['HEAD'],
    }),
  ),
  path: preset(
    '/',
    text({
      title: 'Path',
      description: 'The path of the request, with the query; spaces are percent-encoded.',
      maxLength: 4096,
      pattern: '^(?:/|\\*$)[\\u0021-\\u007e]*$',
      examples: ['/healthz', '/ready?full=1'],
    }),
  ),
  host: optional(
    text({
      title: 'Host',
      description:
        "The Host header. Default: the host of the member, with its port unless that is the scheme's own.",
      maxLength: 255,
      pattern: '^[\\w.:[\\]\\-]+$',
      examples: ['app.example.com'],
    }),
  ),
  headers: preset(
    {},
    dictionary(
      text({
        title: 'Header',
        description: 'The value of the header.',
        maxLength: 4096,
        examples: ['steelyard'],
      }),
      {
        title: 'Headers',
        description: 'Further headers of the request.',
        maxProperties: 64,
        examples: [{ 'user-agent': 'steelyard' }],
      },
    ),
  ),
  body: optional(
    payload({
      title: 'Body',
      description: 'The body of the request. Default: none.',
      maxLength: 65_536,
      examples: ['{"probe":true}'],
    }),
  ),
  expect: preset(
    '200-299',
    either(
      [
        code,
        list(code, {
          title: 'Several',
          description: 'Statuses and ranges.',
          minItems: 1,
          maxItems: 64,
          examples: [['200-299', 304]],
        }),
      ],
      {
        title: 'Expected status',
        description: 'A status, a range, or a list of them. Redirects are not followed.',
        examples: [200, '200-299', ['200-299', 304]],
      },
    ),
  ),
  expectBody: optional(expectSchema),
  expectHeaders: preset(
    {},
    dictionary(expectedHeader, {
      title: 'Expected headers',
      description: 'Headers that the answer must have, with this content or a match for it.',
      maxProperties: 64,
      examples: [{ 'content-type': 'text/plain' }],
    }),
  ),
  maxBody: preset(
    '64KiB',
    size({
      title: 'Most of the body',
      description: 'How much of the body is read; the rest is cut off.',
      minimum: 1,
      maximum: 16_777_216,
      examples: ['16KiB'],
    }),
  ),
  keepAlive: preset(
    true,
    flag({
      title: 'Keep alive',
      description: 'Uses one connection for many checks; false connects anew each time.',
      examples: [false],
    }),
  ),
  http2: preset(
    false,
    flag({
      title: 'HTTP/2',
      description:
        'Speaks HTTP/2 in place of HTTP/1.1: over TLS by ALPN, in the clear with prior knowledge.',
      examples: [true],
    }),
  ),
  source: sourceField,
}
