import { choice, dictionary, either, flag, group, integer, list, optional, text } from '../field.ts'
import { ipBlock } from '../forms.ts'
import { notes } from './notes.ts'
import { textOrTexts, textTest } from './text-test.ts'

const hostName = text({
  ...notes(
    'Host',
    'A name, or "*." with a domain for all names below it; with ":port" that port only.',
    'www.example.com',
    '*.example.com',
  ),
  maxLength: 270,
})

const host = either(
  [
    hostName,
    list(hostName, {
      ...notes('Hosts', 'Hosts of which one is enough.', ['www.example.com', 'example.com']),
      minItems: 1,
      maxItems: 4096,
    }),
    textTestGroup(),
  ],
  notes(
    'Host',
    'The host that the client asks for, without regard to case. Default: any.',
    'www.example.com',
    ['www.example.com', '*.example.org'],
    { endsWith: '.example.com' },
  ),
)

function textTestGroup(): (typeof textTest)['anyOf'][1] {
  return textTest.anyOf[1]
}

const onePath = text({
  ...notes(
    'Path',
    'A path; with "/*" at its end also everything below it, by whole segments.',
    '/login',
    '/v1/*',
  ),
  maxLength: 8192,
})

const path = either(
  [
    onePath,
    list(onePath, {
      ...notes('Paths', 'Paths of which one is enough.', ['/a', '/b/*']),
      minItems: 1,
      maxItems: 4096,
    }),
    group(
      {
        exact: optional(textOrTexts('Exact', 'The path is this one, or one of these.')),
        prefix: optional(textOrTexts('Prefix', 'The path is this or below it, by whole segments.')),
        startsWith: optional(
          textOrTexts('Starts with', 'The path begins with these characters, or one of these.'),
        ),
        suffix: optional(textOrTexts('Suffix', 'The path ends with this, or one of these.')),
        contains: optional(textOrTexts('Contains', 'This, or one of these, is in the path.')),
        regex: optional(
          text({
            ...notes(
              'Regular expression',
              "A pattern in RE2's syntax that matches somewhere in the path. Default: none.",
              '^/user/[0-9]+$',
            ),
            maxLength: 4096,
          }),
        ),
        fileType: optional(
          textOrTexts('File type', 'What is behind the last dot of the path, in any case.'),
        ),
        ignoreCase: optional(
          flag(notes('Ignore case', 'Letters are the same in either case. Default: false.', true)),
        ),
      },
      notes(
        'Test of the path',
        'One of these comparisons.',
        { prefix: '/v1' },
        { fileType: 'jpg' },
      ),
    ),
  ],
  notes('Path', 'The path, without the query. Default: any.', '/v1/*', ['/a', '/b'], {
    regex: '^/user/[0-9]+$',
  }),
)

const oneMethod = text({
  ...notes('Method', 'A method, in upper case.', 'GET'),
  pattern: '^[A-Z][A-Z0-9-]*$',
  maxLength: 32,
})

const tests = (title: string, description: string, example: object) =>
  optional(
    dictionary(textTest, {
      ...notes(title, `${description} Default: none.`, example),
      maxProperties: 64,
    }),
  )

const tlsFacts = group(
  {
    certificate: optional(
      choice(
        ['verified', 'any', 'none'],
        notes(
          'Client certificate',
          '"verified": a valid one; "any": one, whatever it is worth; "none": none. Default: it is not looked at.',
          'verified',
        ),
      ),
    ),
    verifyResult: optional(
      integer({
        ...notes('Verify result', "OpenSSL's number, 0 for good. Default: it is not looked at.", 0),
        minimum: 0,
        maximum: 0x7fffffff,
      }),
    ),
    subject: tests('Subject', 'Fields of the name that the certificate is for.', { CN: 'ops' }),
    issuer: tests('Issuer', 'Fields of the name of who issued it.', { O: 'Example' }),
    serverName: optional(
      list(hostName, {
        ...notes('Server names', 'The name that TLS was asked for (SNI). Default: any.', [
          'www.example.com',
        ]),
        minItems: 1,
        maxItems: 4096,
      }),
    ),
  },
  notes('TLS', 'What is known of the TLS connection. Default: it is not looked at.', {
    certificate: 'verified',
  }),
)

const blocks = (title: string, description: string) =>
  optional(
    list(ipBlock(notes('Addresses', 'A block of addresses, or one address.', '10.0.0.0/8')), {
      ...notes(title, description, ['10.0.0.0/8']),
      minItems: 1,
      maxItems: 16_384,
    }),
  )

const plainConditions = {
  host: optional(host),
  path: optional(path),
  method: optional(
    either(
      [
        oneMethod,
        list(oneMethod, {
          ...notes('Methods', 'Methods of which one is enough.', ['GET', 'HEAD']),
          minItems: 1,
          maxItems: 64,
        }),
      ],
      notes('Method', 'The method of the request. Default: any.', 'GET', ['GET', 'HEAD']),
    ),
  ),
  headers: tests('Headers', 'Header fields by name, and what one of their lines must be.', {
    'x-canary': 'yes',
  }),
  query: tests('Query', 'Parameters of the query by name, and what one of them must be.', {
    debug: { present: true },
  }),
  cookies: tests('Cookies', 'Cookies by name, and what they must be.', { beta: 'on' }),
  clientIn: blocks('Client in', 'The client is in one of these blocks. Default: any.'),
  peerIn: blocks(
    'Peer in',
    'The other end of the connection is in one of these blocks, whatever headers say. Default: any.',
  ),
  scheme: optional(
    choice(['http', 'https'], notes('Scheme', 'How the client came. Default: either.', 'https')),
  ),
  ports: optional(
    list(integer({ ...notes('Port', 'A port.', 8080), minimum: 1, maximum: 65_535 }), {
      ...notes('Ports', 'The port that the client connected to. Default: any.', [80, 8080]),
      minItems: 1,
      maxItems: 64,
    }),
  ),
  tls: optional(tlsFacts),
  grpc: optional(
    group(
      {
        service: optional(
          text({
            ...notes('Service', 'Its full name. Default: any.', 'store.v1.Orders'),
            maxLength: 255,
          }),
        ),
        method: optional(
          text({ ...notes('Method', 'Its name. Default: any.', 'List'), maxLength: 255 }),
        ),
      },
      notes('gRPC', 'Calls of gRPC. Default: it is not looked at.', { service: 'store.v1.Orders' }),
    ),
  ),
}

const innermost = group(
  plainConditions,
  notes('Condition', 'All of what it names must be met; it holds no further ones. Default: none.', {
    path: '/v1/*',
  }),
)

const joined = <Inner extends typeof innermost>(inner: Inner) => ({
  all: optional(
    list(inner, {
      ...notes('All', 'Each of these conditions is met. Default: none.', [{ path: '/v1/*' }]),
      minItems: 1,
      maxItems: 64,
    }),
  ),
  any: optional(
    list(inner, {
      ...notes('Any', 'At least one of these conditions is met. Default: none.', [
        { path: '/v1/*' },
        { method: 'POST' },
      ]),
      minItems: 1,
      maxItems: 256,
    }),
  ),
  not: optional(inner),
})

const inner = group(
  { ...plainConditions, ...joined(innermost) },
  notes(
    'Condition',
    'All of what it names must be met. Default: none.',
    { path: '/v1/*', method: 'GET' },
    { not: { clientIn: ['10.0.0.0/8'] } },
  ),
)

/** Which requests a rule is for; conditions nest two deep. */
export const conditionSchema = group(
  { ...plainConditions, ...joined(inner as unknown as typeof innermost) },
  notes(
    'Match',
    'Which requests are meant: all of what it names must be met, and an empty one is met by all. "all", "any" and "not" may nest two deep.',
    { host: 'api.example.com', path: '/v1/*' },
    { any: [{ path: '/a' }, { cookies: { beta: 'on' } }], not: { method: 'POST' } },
    {},
  ),
)
