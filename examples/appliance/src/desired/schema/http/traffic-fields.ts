import {
  choice,
  dictionary,
  either,
  flag,
  group,
  integer,
  kind,
  list,
  optional,
  text,
  variants,
} from '../field.ts'
import { duration, filePath, size } from '../forms.ts'
import { template } from './action.ts'
import { notes } from './notes.ts'

const span = (title: string, description: string, preset: string) =>
  optional(duration(notes(title, `${description} 0 means no limit. Default: ${preset}.`, preset)))

const perExchange = {
  body: span('Body', 'No byte of a request body came, though it was wanted.', '20s'),
  bodyRate: optional(
    integer({
      ...notes(
        'Body rate',
        'Bytes a second that a request body must have on average; 0 for any. Default: 256.',
        256,
      ),
      minimum: 0,
      maximum: 1e9,
    }),
  ),
  queue: span('Queue', 'Waiting for a member with room.', '10s'),
  connect: span('Connect', 'To connect to one member, its TLS handshake included.', '5s'),
  firstByte: span('First byte', "From the request's end to the head of the response.", '60s'),
  idle: span('Idle', 'Between two pieces of a response.', '60s'),
  total: span('Total', 'For the whole exchange, tunnels excepted.', '0s'),
  tunnel: span('Tunnel', 'A tunnel, such as a WebSocket, in which nothing moves.', '1h'),
}

/** Timeouts of one rule. */
export const ruleTimeouts = optional(
  group(
    perExchange,
    notes('Timeouts', "How long each part may take. Default: the listener's.", { firstByte: '5s' }),
  ),
)

/** Timeouts of a listener. */
export const listenerTimeouts = optional(
  group(
    {
      head: optional(
        duration({
          ...notes('Head', 'For the whole head of a request. Default: 10s.', '10s'),
          minimum: 1,
        }),
      ),
      keepAlive: span('Keep-alive', 'A connection between two requests.', '75s'),
      ...perExchange,
    },
    notes('Timeouts', 'How long each part of an exchange may take. Default: those of its parts.', {
      keepAlive: '60s',
      firstByte: '30s',
    }),
  ),
)

/** When requests are tried again. */
export const retries = optional(
  group(
    {
      attempts: optional(
        integer({
          ...notes('Attempts', 'Attempts beyond the first; 0 for none. Default: 1.', 2),
          minimum: 0,
          maximum: 100,
        }),
      ),
      on: optional(
        list(
          either(
            [
              text({
                ...notes('Reason', 'A reason, or a class of statuses.', 'connect'),
                maxLength: 32,
              }),
              integer({ ...notes('Status', 'A status.', 503), minimum: 400, maximum: 599 }),
            ],
            notes('Reason', 'A reason or a status.', 'connect', 503),
          ),
          {
            ...notes(
              'On',
              'connect, reset, timeout, a status, a class such as 5xx, or a gRPC status such as unavailable. Default: connect and reset.',
              ['connect', 'reset', 503],
            ),
            minItems: 1,
            maxItems: 64,
          },
        ),
      ),
      nonIdempotent: optional(
        flag(
          notes(
            'Not idempotent',
            'Also requests that may have had an effect already, such as POST. Default: false.',
            true,
          ),
        ),
      ),
      perTry: optional(
        duration(notes('Per try', 'For one attempt. Default: that of timeouts.firstByte.', '2s')),
      ),
      bodyBytes: optional(
        size(notes('Body', 'Request body that is kept for a retry. Default: 64KiB.', '64KiB')),
      ),
      hedge: optional(
        duration({
          ...notes(
            'Hedge',
            'Asks a second member when the first has not answered by then. Default: never.',
            '500ms',
          ),
          minimum: 1,
        }),
      ),
      backoff: optional(
        group(
          {
            base: optional(duration(notes('Base', 'Of the first retry. Default: 25ms.', '25ms'))),
            max: optional(
              duration(notes('Most', 'No retry waits longer. Default: 250ms.', '250ms')),
            ),
          },
          notes('Back-off', 'How long retries wait. Default: 25ms doubled, to 250ms.', {
            base: '25ms',
          }),
        ),
      ),
    },
    notes(
      'Retries',
      'When requests are tried again on another member. Default: as its parts say.',
      {
        attempts: 2,
        on: ['connect', 'reset', 503],
      },
    ),
  ),
)

const changes = (title: string, description: string) =>
  optional(
    group(
      {
        set: optional(
          dictionary(template('Value', 'Its value, which may have variables.', '%{client}'), {
            ...notes('Set', 'Replaces fields. Default: none.', { 'x-client': '%{client}' }),
            maxProperties: 128,
          }),
        ),
        add: optional(
          dictionary(template('Value', 'Its value, which may have variables.', '%{id}'), {
            ...notes('Add', 'Adds lines to what is there. Default: none.', { 'x-trace': '%{id}' }),
            maxProperties: 128,
          }),
        ),
        remove: optional(
          list(
            text({ ...notes('Field', 'The name of a header field.', 'server'), maxLength: 255 }),
            {
              ...notes('Remove', 'Removes fields. Default: none.', ['server']),
              maxItems: 128,
            },
          ),
        ),
      },
      notes(title, description, { set: { 'x-client': '%{client}' }, remove: ['server'] }),
    ),
  )

/** Changes of header fields, both ways. */
export const headers = optional(
  group(
    {
      request: changes('To members', 'Changes of what members get. Default: none.'),
      response: changes('To clients', 'Changes of what clients get. Default: none.'),
    },
    notes('Headers', 'Changes of header fields. Default: none.', {
      response: { remove: ['server'] },
    }),
  ),
)

/** Another target for the members. */
export const rewrite = optional(
  group(
    {
      prefix: optional(
        either(
          [
            text({
              ...notes('Prefix', 'Replaces the prefix that the match named.', '/'),
              maxLength: 4096,
            }),
            group(
              {
                from: text({
                  ...notes('From', 'The prefix that is replaced.', '/api'),
                  maxLength: 4096,
                }),
                to: text({ ...notes('To', 'What stands in its place.', '/'), maxLength: 4096 }),
              },
              notes('Prefix', 'Replaces this prefix.', { from: '/api', to: '/' }),
            ),
          ],
          notes('Prefix', 'Replaces a prefix of the path, by whole segments. Default: none.', '/', {
            from: '/api',
            to: '/',
          }),
        ),
      ),
      path: optional(
        template(
          'Path',
          'Replaces the whole path; variables are allowed. Default: none.',
          '/index',
        ),
      ),
      regex: optional(
        group(
          {
            pattern: text({
              ...notes('Pattern', "What is replaced, in RE2's syntax.", '^/old/([0-9]+)$'),
              maxLength: 4096,
            }),
            replace: text({
              ...notes('Replacement', 'With $1 for groups.', '/new/$1'),
              maxLength: 4096,
            }),
          },
          notes('Regular expression', 'Replaces by a pattern. Default: none.', {
            pattern: '^/old/([0-9]+)$',
            replace: '/new/$1',
          }),
        ),
      ),
      host: optional(
        template(
          'Host',
          'The Host that members are told; "backend" for their own address. Default: as it came.',
          'internal.example.com',
        ),
      ),
      query: optional(
        template('Query', 'Replaces the query; variables are allowed. Default: as it came.', 'a=1'),
      ),
    },
    notes('Rewrite', 'Another target for the members. Default: none.', { prefix: '/' }),
  ),
)

const cookiePersistence = group(
  {
    type: kind('cookie', 'Remembers the member in a cookie of our own.'),
    name: optional(text({ ...notes('Name', 'Its name. Default: SRV.', 'SRV'), maxLength: 128 })),
    value: optional(
      choice(
        ['id-hash', 'address-hash', 'id', 'signed'],
        notes('Value', 'How it names the member. Default: id-hash.', 'signed'),
      ),
    ),
    secretFile: optional(
      filePath(
        notes(
          'Secret file',
          'File with 16 secret bytes or more, the same on all nodes; needed for "signed". Default: none.',
          'secrets/cookie',
        ),
      ),
    ),
    path: optional(
      text({ ...notes('Path', 'Of the cookie. Default: "/".', '/'), maxLength: 1024 }),
    ),
    domain: optional(
      text({ ...notes('Domain', 'Of the cookie. Default: none.', 'example.com'), maxLength: 255 }),
    ),
    secure: optional(
      choice(
        ['auto', 'always', 'never'],
        notes('Secure', '"auto": by https. Default: auto.', 'always'),
      ),
    ),
    httpOnly: optional(flag(notes('HTTP only', 'Kept from scripts. Default: true.', false))),
    sameSite: optional(
      choice(
        ['Strict', 'Lax', 'None'],
        notes('Same site', 'As browsers know it. Default: Lax.', 'Strict'),
      ),
    ),
    maxAge: optional(
      duration({
        ...notes('Age', 'How long browsers keep it. Default: until they close.', '1h'),
        minimum: 1000,
        maximum: 3650 * 86_400_000,
      }),
    ),
    whenDraining: optional(
      choice(
        ['keep', 'move'],
        notes('When a member drains', 'Its clients stay, or go elsewhere. Default: keep.', 'move'),
      ),
    ),
  },
  notes('Cookie', 'Remembers the member in a cookie of our own.', { type: 'cookie' }),
)

const learnedTable = {
  timeout: optional(
    duration({
      ...notes('Timeout', 'How long a session is remembered. Default: 1h.', '30m'),
      minimum: 1,
    }),
  ),
  maxEntries: optional(
    integer({
      ...notes('Most entries', 'Sessions that are remembered. Default: 10000.', 10_000),
      minimum: 1,
      maximum: 10_000_000,
    }),
  ),
}

/** Clients keep their member, by what their requests say. */
export const httpPersistence = optional(
  variants(
    'type',
    [
      cookiePersistence,
      group(
        {
          type: kind('app-cookie', 'Learns a cookie of the application.'),
          name: text({ ...notes('Name', 'Its name.', 'JSESSIONID'), maxLength: 128 }),
          parameter: optional(
            text({
              ...notes(
                'Parameter',
                'Also this parameter of query or path. Default: none.',
                'jsessionid',
              ),
              maxLength: 128,
            }),
          ),
          ...learnedTable,
        },
        notes('Application cookie', 'Learns a cookie of the application.', {
          type: 'app-cookie',
          name: 'JSESSIONID',
        }),
      ),
      group(
        {
          type: kind('header', 'Tells clients apart by a header field.'),
          name: text({ ...notes('Name', 'Its name.', 'x-session'), maxLength: 128 }),
          learn: optional(
            choice(
              ['request', 'response', 'both'],
              notes('Learn', 'Whose values are learned. Default: request.', 'both'),
            ),
          ),
          ...learnedTable,
        },
        notes('Header', 'Tells clients apart by a header field.', {
          type: 'header',
          name: 'x-session',
        }),
      ),
    ],
    notes(
      'Persistence',
      'Clients keep their member; this wins over the algorithm. Default: only as the pool says.',
      { type: 'cookie' },
    ),
  ),
)

/** What algorithms with a key of the request hash. */
export const hashKey = optional(
  list(
    text({
      ...notes(
        'Part',
        'client, host, path, target, header:NAME, cookie:NAME, query:NAME or segments:N.',
        'header:x-tenant',
      ),
      pattern: '^(?:client|host|path|target|(?:header|cookie|query):.+|segments:[1-9][0-9]?)$',
      maxLength: 255,
    }),
    {
      ...notes(
        'Hash key',
        'What pools with an algorithm over the request hash, joined. Default: the path.',
        ['header:x-tenant', 'path'],
      ),
      minItems: 1,
      maxItems: 8,
    },
  ),
)
