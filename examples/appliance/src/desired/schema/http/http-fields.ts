import {
  choice,
  dictionary,
  either,
  flag,
  group,
  integer,
  list,
  objectName,
  optional,
  payload,
  preset,
  text,
} from '../field.ts'
import { duration, filePath, ipBlock, size } from '../forms.ts'
import { streamFields } from '../stream-fields.ts'
import { filtersSchema } from './filters.ts'
import { notes } from './notes.ts'
import { forwardFields, octaviaPolicySchema, ruleSchema } from './rule.ts'
import { listenerTimeouts } from './traffic-fields.ts'

const bound = (title: string, description: string, example: number, least = 0, most = 1e9) =>
  optional(integer({ ...notes(title, description, example), minimum: least, maximum: most }))

const limits = optional(
  group(
    {
      head: optional(
        size({
          ...notes('Head', 'The whole head of a request. Default: 16KiB.', '16KiB'),
          minimum: 256,
          maximum: 1_048_576,
        }),
      ),
      line: optional(
        size({
          ...notes('Line', 'One line of it. Default: 8KiB.', '8KiB'),
          minimum: 128,
          maximum: 1_048_576,
        }),
      ),
      lines: bound('Lines', 'Lines of it. Default: 100.', 100, 1, 10_000),
      body: optional(
        size(
          notes(
            'Body',
            'A request body; a rule may say otherwise. 0 means any. Default: 0.',
            '10MiB',
          ),
        ),
      ),
      requests: bound(
        'Requests',
        'Requests of one connection. 0 means any number. Default: 0.',
        1000,
      ),
    },
    notes('Limits', 'Bounds of what a client may send. Default: those of its parts.', {
      head: '16KiB',
      body: '10MiB',
    }),
  ),
)

const gate = optional(
  group(
    {
      encodedSlash: optional(
        choice(
          ['reject', 'keep', 'decode'],
          notes(
            'Encoded slash',
            '"%2F" in a path: 400, left as it is, or made a slash. Default: reject.',
            'keep',
          ),
        ),
      ),
      mergeSlashes: optional(
        flag(notes('Merge slashes', 'Makes "//" in a path "/". Default: false.', true)),
      ),
      underscores: optional(
        choice(
          ['drop', 'keep', 'reject'],
          notes('Underscores', 'Header fields with "_" in their names. Default: drop.', 'keep'),
        ),
      ),
      authorityMismatch: optional(
        choice(
          ['reject', 'replace'],
          notes(
            'Authority mismatch',
            'A target with another host than Host. Default: reject.',
            'replace',
          ),
        ),
      ),
      allowTrace: optional(flag(notes('Allow TRACE', 'Else 405. Default: false.', true))),
      allowConnect: optional(flag(notes('Allow CONNECT', 'Else 405. Default: false.', true))),
      unexpectedBody: optional(
        choice(
          ['forward', 'reject'],
          notes('Unexpected body', 'A body with GET and the like. Default: forward.', 'reject'),
        ),
      ),
      maxPathLength: optional(
        size({
          ...notes('Longest path', 'Beyond it 414. Default: 8KiB.', '4KiB'),
          minimum: 1,
          maximum: 1_048_576,
        }),
      ),
      upgrades: optional(
        list(text({ ...notes('Protocol', 'In lower case.', 'websocket'), maxLength: 64 }), {
          ...notes('Upgrades', 'Protocols that Upgrade may ask for. Default: websocket.', [
            'websocket',
          ]),
          maxItems: 16,
        }),
      ),
    },
    notes('Gate', 'How strictly requests are judged. Default: as strictly as its parts say.', {
      encodedSlash: 'keep',
    }),
  ),
)

const forwarding = optional(
  group(
    {
      forwarded: optional(
        choice(
          ['x', 'rfc7239', 'both', 'none'],
          notes(
            'Forwarded',
            'The X-Forwarded family, Forwarded, both or none. Default: x.',
            'both',
          ),
        ),
      ),
      fields: optional(
        list(
          choice(
            ['for', 'proto', 'host', 'port', 'real-ip'],
            notes('Field', 'One of the X-Forwarded family.', 'for'),
          ),
          {
            ...notes('Fields', 'Which of the X-Forwarded family. Default: all.', [
              'for',
              'proto',
              'port',
            ]),
            maxItems: 5,
          },
        ),
      ),
      certificate: optional(
        list(
          choice(
            ['verify', 'has-cert', 'dn', 'cn', 'issuer', 'sha1', 'not-before', 'not-after'],
            notes('Fact', 'A fact of the client certificate.', 'cn'),
          ),
          {
            ...notes(
              'Certificate',
              'Facts of the client certificate as X-SSL fields. Default: none.',
              ['verify', 'cn'],
            ),
            maxItems: 8,
          },
        ),
      ),
      via: optional(
        choice(
          ['requests', 'both', 'none'],
          notes('Via', 'Where a line is added. Default: requests.', 'both'),
        ),
      ),
      pseudonym: optional(
        text({
          ...notes(
            'Pseudonym',
            'Our name in Via and Proxy-Status. Default: a random one.',
            'edge-1',
          ),
          maxLength: 100,
        }),
      ),
      maxLoops: bound(
        'Most loops',
        'How often a request may have come by here. Default: 5.',
        5,
        0,
        100,
      ),
      trustedHops: bound(
        'Trusted hops',
        'How many proxies are in front. Default: by address alone.',
        1,
        1,
        100,
      ),
      trustedHeader: optional(
        choice(
          ['x-forwarded-for', 'forwarded'],
          notes(
            'Trusted header',
            'Where they write the client. Default: x-forwarded-for.',
            'forwarded',
          ),
        ),
      ),
    },
    notes(
      'Forwarding',
      'What members are told about the client. Default: the X-Forwarded family.',
      { forwarded: 'both' },
    ),
  ),
)

/** How HTTP/2 is spoken; not for plain `http` listeners. */
export const http2Field = optional(
  group(
    {
      maxConcurrentStreams: bound(
        'Most streams at once',
        'Of one connection. Default: 128.',
        128,
        1,
        10_000,
      ),
      maxStreams: bound(
        'Most streams',
        'In the life of a connection; 0 for any number. Default: 10000.',
        10_000,
      ),
      maxHeaderListPairs: bound('Most fields', 'Of a request. Default: 100.', 100, 1, 10_000),
      maxHeaderListSize: optional(
        size({
          ...notes('Most header bytes', 'Of a request. Default: 16KiB.', '16KiB'),
          minimum: 1024,
          maximum: 1_048_576,
        }),
      ),
      streamWindow: optional(
        size({
          ...notes(
            'Stream window',
            'What a client may send unasked on a stream. Default: 64KiB.',
            '256KiB',
          ),
          minimum: 1024,
          maximum: 16_777_216,
        }),
      ),
      connectionWindow: optional(
        size({
          ...notes('Connection window', 'The same on the whole connection. Default: 1MiB.', '4MiB'),
          minimum: 65_535,
          maximum: 1_073_741_824,
        }),
      ),
      idleTimeout: optional(
        duration(
          notes('Idle timeout', 'A connection without streams; 0 for ever. Default: 75s.', '60s'),
        ),
      ),
      stallTimeout: optional(
        duration({
          ...notes(
            'Stall timeout',
            'A response of which the client takes nothing. Default: 30s.',
            '10s',
          ),
          minimum: 1,
        }),
      ),
      abuseLimit: bound(
        'Abuse limit',
        'The abuse score at which a connection is ended; 0 for never. Default: 100.',
        100,
        0,
        1_000_000,
      ),
    },
    notes('HTTP/2', 'How HTTP/2 is spoken with clients. Default: as its parts say.', {
      maxConcurrentStreams: 64,
    }),
  ),
)

const page = payload({
  ...notes(
    'Page',
    'HTML, with variables such as %{status}, %{reason} and %{id}.',
    '<h1>%{status}</h1>',
  ),
  maxLength: 262_144,
})

const errorPages = optional(
  dictionary(
    either(
      [
        page,
        group(
          {
            html: optional(
              payload({
                ...notes('HTML', 'For browsers. Default: none.', '<h1>%{status}</h1>'),
                maxLength: 262_144,
              }),
            ),
            json: optional(
              payload({
                ...notes('JSON', 'For programs. Default: none.', '{"error":"%{reason}"}'),
                maxLength: 262_144,
              }),
            ),
            text: optional(
              payload({
                ...notes('Text', 'For the others. Default: none.', '%{status}\n'),
                maxLength: 262_144,
              }),
            ),
            file: optional(
              filePath(notes('File', 'File with the HTML. Default: none.', 'pages/503.html')),
            ),
            jsonFile: optional(
              filePath(notes('JSON file', 'File with the JSON. Default: none.', 'pages/503.json')),
            ),
            status: optional(
              integer({
                ...notes('Status', 'Another status to say instead. Default: as it is.', 503),
                minimum: 200,
                maximum: 599,
              }),
            ),
            replaceBackend: optional(
              flag(
                notes(
                  'Replace those of members',
                  'Also answers of members with this status. Default: false.',
                  true,
                ),
              ),
            ),
          },
          notes('Page', 'A page in one or several forms.', { file: 'pages/503.html' }),
        ),
      ],
      notes('Page', 'A page, as HTML or in several forms.', '<h1>%{status}</h1>', {
        file: 'pages/503.html',
      }),
    ),
    {
      ...notes(
        'Error pages',
        'Pages by status, by class such as 5xx, or "default". Default: small plain ones.',
        {
          '503': '<h1>Back soon</h1>',
          '4xx': { file: 'pages/4xx.html' },
        },
      ),
      maxProperties: 256,
    },
  ),
)

const accessLog = optional(
  group(
    {
      file: optional(
        filePath(
          notes(
            'File',
            'Where the lines go; opened anew at each reload. Default: standard output.',
            '/var/log/steelyard/access.log',
          ),
        ),
      ),
      format: optional(
        text({
          ...notes(
            'Format',
            'json, common, combined, haproxy, or a template with %{variables}. Default: json.',
            'combined',
            '%{client} %{status}',
          ),
          maxLength: 4096,
        }),
      ),
      fields: optional(
        list(text({ ...notes('Field', 'A field of the JSON form.', 'status'), maxLength: 64 }), {
          ...notes('Fields', 'For json: which fields. Default: all.', ['time', 'client', 'status']),
          minItems: 1,
          maxItems: 128,
        }),
      ),
      percent: optional(
        integer({
          ...notes(
            'Percent',
            'Share of requests that is written; failed ones always are. Default: 100.',
            10,
          ),
          minimum: 1,
          maximum: 100,
        }),
      ),
    },
    notes('Access log', 'A line for each request. Default: none.', {
      file: 'access.log',
      format: 'combined',
    }),
  ),
)

const { persistence, retries, headers, hashKey } = forwardFields

/** What HTTP listeners have beyond the others. */
export const httpFields = {
  pool: optional(
    objectName(
      notes(
        'Pool',
        'The pool for requests that no rule takes. Default: none; they get 404.',
        'web',
      ),
    ),
  ),
  rules: preset(
    [],
    list(ruleSchema, {
      ...notes('Rules', 'What is done with which requests; the first that matches decides.', [
        { name: 'api', match: { path: '/v1/*' }, pool: 'api' },
      ]),
      maxItems: 20_000,
    }),
  ),
  policies: preset(
    [],
    list(octaviaPolicySchema, {
      ...notes('L7 policies', "Rules in the words of Octavia's API; they come behind the others.", [
        {
          name: 'api',
          action: 'REDIRECT_TO_POOL',
          redirectPool: 'api',
          rules: [{ type: 'PATH', compareType: 'STARTS_WITH', value: '/api' }],
        },
      ]),
      maxItems: 20_000,
    }),
  ),
  order: optional(
    choice(
      ['listed', 'specific', 'octavia'],
      notes(
        'Order',
        'As listed; the most specific first, as in Gateway API; or rejects, redirects, then the rest. Default: "octavia" when there are policies, else "listed".',
        'specific',
      ),
    ),
  ),
  filters: filtersSchema,
  headers,
  persistence,
  hashKey,
  timeouts: listenerTimeouts,
  retries,
  limits,
  gate,
  forwarding,
  trustedProxies: preset(
    [],
    list(ipBlock(notes('Proxies', 'A block of addresses, or one address.', '10.0.0.0/24')), {
      ...notes(
        'Trusted proxies',
        'Whose X-Forwarded-* and Forwarded fields are believed. Empty: nobody.',
        ['10.0.0.0/24'],
      ),
      maxItems: 4096,
    }),
  ),
  errorPages,
  accessLog,
  continueBy: optional(
    choice(
      ['balancer', 'backend'],
      notes('Continue by', 'Who answers "Expect: 100-continue". Default: balancer.', 'backend'),
    ),
  ),
  proxyStatus: optional(
    flag(
      notes('Proxy-Status', 'Names the error on error answers of our own. Default: true.', false),
    ),
  ),
  halfClose: optional(
    flag(
      notes(
        'Half-close',
        'A client that has ended its side still gets its answer. Default: false.',
        true,
      ),
    ),
  ),
  backlog: streamFields.backlog,
  connectionLimit: streamFields.connectionLimit,
  whenDown: streamFields.whenDown,
  proxyProtocol: streamFields.proxyProtocol,
}
