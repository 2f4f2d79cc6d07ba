import {
  choice,
  decimal,
  dictionary,
  either,
  flag,
  group,
  integer,
  list,
  optional,
  text,
} from '../field.ts'
import { duration, filePath, ipBlock, size } from '../forms.ts'
import { notes } from './notes.ts'

const refusalStatus = (preset: number) =>
  optional(
    integer({
      ...notes('Status', `The status of refusals. Default: ${preset}.`, preset),
      minimum: 200,
      maximum: 599,
    }),
  )

const count = (title: string, description: string, example: number, least = 1, most = 10_000_000) =>
  optional(integer({ ...notes(title, description, example), minimum: least, maximum: most }))

const key = optional(
  text({
    ...notes(
      'Key',
      'What is counted together: client, host, route, all, header:NAME, cookie:NAME or claim:NAME.',
      'client',
      'header:x-api-key',
    ),
    description:
      'What is counted together: client, host, route, all, header:NAME, cookie:NAME or claim:NAME. Default: client for rates, route for concurrency.',
    pattern: '^(?:client|host|route|all|(?:header|cookie|claim):.+)$',
    maxLength: 255,
  }),
)

const whenAbsent = optional(
  choice(
    ['client', 'skip', 'refuse'],
    notes(
      'When absent',
      'A request without the key counts by its client, is not counted, or is refused. Default: client.',
      'refuse',
    ),
  ),
)

const queue = optional(
  group(
    {
      length: integer({
        ...notes('Length', 'Requests that wait under one key.', 5),
        minimum: 0,
        maximum: 100_000,
      }),
      timeout: optional(
        duration({
          ...notes('Timeout', 'How long a request waits. Default: 10s.', '2s'),
          minimum: 1,
        }),
      ),
      total: count(
        'Total',
        'Requests that wait under all keys. Default: 1024.',
        1024,
        1,
        1_000_000,
      ),
    },
    notes('Queue', 'Requests that wait for their turn. Default: none; they are refused.', {
      length: 5,
    }),
  ),
)

const oneRate = group(
  {
    name: optional(
      text({
        ...notes('Name', 'In RateLimit fields. Default: default.', 'api'),
        pattern: '^[ -~]{1,128}$',
      }),
    ),
    limit: integer({
      ...notes('Limit', 'Requests that may pass in each window.', 100),
      minimum: 1,
      maximum: 1e9,
    }),
    window: optional(
      duration({ ...notes('Window', 'The window. Default: 1s.', '1m'), minimum: 1 }),
    ),
    algorithm: optional(
      choice(
        ['token-bucket', 'sliding-window'],
        notes('Algorithm', 'How it is counted. Default: token-bucket.', 'sliding-window'),
      ),
    ),
    burst: count(
      'Burst',
      'How many may come at once after a quiet time. Default: the limit.',
      20,
      1,
      1e9,
    ),
    key,
    whenAbsent,
    queue,
    headers: optional(
      choice(
        ['draft', 'legacy', 'both', 'none'],
        notes('Header fields', 'What clients are told. Default: draft.', 'none'),
      ),
    ),
    maxKeys: count('Most keys', 'Keys that are remembered. Default: 100000.', 100_000),
    status: refusalStatus(429),
  },
  notes('Rate limit', 'Bounds how many requests pass.', {
    limit: 100,
    window: '1m',
    key: 'client',
  }),
)

const percent = optional(
  decimal({
    ...notes('Percent', 'How many of a hundred requests. Default: 100.', 10),
    minimum: 0,
    maximum: 100,
  }),
)

const blocks = (title: string, description: string) =>
  optional(
    list(ipBlock(notes('Addresses', 'A block of addresses, or one address.', '10.0.0.0/8')), {
      ...notes(title, description, ['10.0.0.0/8']),
      maxItems: 16_384,
    }),
  )

const headerNames = (title: string, description: string, ...example: [string, ...string[]]) =>
  optional(
    list(text({ ...notes('Header', 'The name of a header field.', example[0]), maxLength: 255 }), {
      ...notes(title, description, example),
      maxItems: 128,
    }),
  )

const ratio = (title: string, description: string, example: number) =>
  optional(decimal({ ...notes(title, description, example), minimum: 0.001, maximum: 1 }))

/** Who may pass, how many, and how fast. */
export const guardFilters = {
  requestId: optional(
    group(
      {
        header: optional(
          text({ ...notes('Header', 'Default: X-Request-ID.', 'X-Request-ID'), maxLength: 255 }),
        ),
        keep: optional(
          choice(
            ['trusted', 'always', 'never'],
            notes(
              'Keep',
              'Whose id is kept. Default: trusted, that is of trustedProxies.',
              'always',
            ),
          ),
        ),
        respond: optional(flag(notes('Respond', 'Tells the client too. Default: true.', false))),
      },
      notes(
        'Request id',
        'An id that follows a request to its member and back. Default: none.',
        {},
      ),
    ),
  ),
  httpsRedirect: optional(
    group(
      {
        status: optional(
          integer({
            ...notes('Status', 'One of 301, 302, 307 and 308. Default: 308.', 301),
            minimum: 301,
            maximum: 308,
          }),
        ),
        port: count('Port', 'Where HTTPS is served. Default: 443.', 8443, 1, 65_535),
        except: headerNamesLike(),
      },
      notes(
        'HTTPS redirect',
        'Sends clients that came plainly to https. Default: it does not.',
        {},
      ),
    ),
  ),
  ipAccess: optional(
    group(
      {
        allow: blocks('Allow', 'These clients may come; then no others. Default: no list.'),
        deny: blocks('Deny', 'These clients may not come. Default: no list.'),
        order: optional(
          choice(
            ['deny-first', 'allow-only', 'allow-first'],
            notes('Order', 'How the lists go together. Default: deny-first.', 'allow-first'),
          ),
        ),
        by: optional(
          choice(
            ['client', 'connection', 'peer', 'both'],
            notes(
              'By',
              'Whose address: what a trusted header says, or the connection. Default: client.',
              'peer',
            ),
          ),
        ),
        drop: optional(
          flag(notes('Drop', 'Ends the connection instead of 403. Default: false.', true)),
        ),
        status: refusalStatus(403),
      },
      notes('IP access', 'Who may come, by address, with an answer. Default: everybody.', {
        deny: ['192.0.2.0/24'],
      }),
    ),
  ),
  cors: optional(
    group(
      {
        origins: either(
          [
            text({ ...notes('Origin', '"*" for all.', '*'), pattern: '^\\*$' }),
            list(
              text({
                ...notes(
                  'Origin',
                  'An origin; "*." stands for names below.',
                  'https://*.example.com',
                ),
                maxLength: 512,
              }),
              {
                ...notes('Origins', 'Origins that may.', ['https://app.example.com']),
                minItems: 1,
                maxItems: 1024,
              },
            ),
          ],
          notes('Origins', 'Whose pages may ask.', '*', ['https://app.example.com']),
        ),
        methods: headerNames(
          'Methods',
          'Default: GET, HEAD, POST, PUT, PATCH, DELETE.',
          'GET',
          'POST',
        ),
        headers: headerNames(
          'Headers',
          'Request headers that scripts may set. Default: all.',
          'x-token',
        ),
        exposeHeaders: headerNames(
          'Exposed headers',
          'Response headers that scripts may read. Default: none.',
          'etag',
        ),
        credentials: optional(
          flag(notes('Credentials', 'Cookies may go along. Default: false.', true)),
        ),
        maxAge: optional(
          duration(notes('Age', 'How long the answer is good. Default: 10m.', '1h')),
        ),
        privateNetwork: optional(
          flag(
            notes(
              'Private network',
              'Public pages may reach us in a private network. Default: false.',
              true,
            ),
          ),
        ),
      },
      notes('CORS', 'Whose pages may ask by script. Default: not looked at.', {
        origins: ['https://app.example.com'],
      }),
    ),
  ),
  loadShedding: optional(
    group(
      {
        from: optional(
          duration(
            notes('From', 'Event-loop delay up to which nothing is shed. Default: 50ms.', '50ms'),
          ),
        ),
        to: optional(
          duration(notes('To', 'Delay from which the most is shed. Default: 250ms.', '250ms')),
        ),
        most: ratio('Most', 'The share that is shed at most. Default: 1.', 0.9),
        retryAfter: optional(
          duration(notes('Retry after', 'What clients are told. Default: 2s.', '5s')),
        ),
        priority: optional(
          dictionary(
            choice(
              ['critical', 'high', 'normal', 'low'],
              notes('Priority', 'How much it matters.', 'high'),
            ),
            {
              ...notes('Priority', 'By the name of the rule. Default: all are normal.', {
                login: 'high',
              }),
              maxProperties: 1024,
            },
          ),
        ),
      },
      notes(
        'Load shedding',
        'Refuses a share while the process is late. Default: it does not.',
        {},
      ),
    ),
  ),
  rateLimit: optional(
    either(
      [
        oneRate,
        list(oneRate, {
          ...notes('Rate limits', 'Several limits; each must be met.', [{ limit: 100 }]),
          minItems: 1,
          maxItems: 16,
        }),
      ],
      notes('Rate limit', 'Bounds how many requests pass. Default: no limit.', {
        limit: 100,
        window: '1m',
      }),
    ),
  ),
  concurrencyLimit: optional(
    group(
      {
        limit: integer({
          ...notes('Limit', 'Requests in flight under one key.', 100),
          minimum: 1,
          maximum: 0x7fffffff,
        }),
        key,
        whenAbsent,
        queue,
        retryAfter: optional(
          duration(notes('Retry after', 'What clients are told. Default: 1s.', '5s')),
        ),
        status: refusalStatus(503),
      },
      notes('Concurrency limit', 'Bounds how many requests are in flight. Default: no limit.', {
        limit: 100,
      }),
    ),
  ),
  circuitBreaker: optional(
    group(
      {
        key: optional(
          choice(
            ['pool', 'backend'],
            notes('Key', 'What has a circuit of its own. Default: pool.', 'backend'),
          ),
        ),
        thresholds: optional(
          group(
            {
              connections: count('Connections', 'Exchanges on all members. Default: 1024.', 1024),
              pending: count('Pending', 'Requests that wait for a member. Default: 1024.', 1024),
              requests: count('Requests', 'Requests in flight. Default: 1024.', 1024),
              retries: count('Retries', 'Retries in flight. Default: 3.', 3, 0),
            },
            notes('Thresholds', 'How much may go on with a pool. Default: those of its parts.', {
              requests: 500,
            }),
          ),
        ),
        openWhen: optional(
          group(
            {
              errorRatio: ratio(
                'Error ratio',
                'Share of errors. Default: 0.5 when no rule is given.',
                0.3,
              ),
              errorCount: count('Error count', 'Errors in the window. Default: not looked at.', 50),
              slowRatio: ratio(
                'Slow ratio',
                'Share of slow responses. Default: not looked at.',
                0.8,
              ),
              slowCount: count(
                'Slow count',
                'Slow responses in the window. Default: not looked at.',
                50,
              ),
              latency: optional(
                duration({
                  ...notes(
                    'Latency',
                    'Mean time to the head of the response. Default: not looked at.',
                    '2s',
                  ),
                  minimum: 1,
                }),
              ),
            },
            notes('Open when', 'When a circuit opens. Default: half of the results are errors.', {
              errorRatio: 0.3,
            }),
          ),
        ),
        slowAfter: optional(
          duration({
            ...notes('Slow after', 'A later head is slow. Default: 5s.', '2s'),
            minimum: 1,
          }),
        ),
        window: optional(
          duration({
            ...notes('Window', 'How far back results count. Default: 30s.', '10s'),
            minimum: 100,
          }),
        ),
        minRequests: count('Least requests', 'Results that must be there first. Default: 100.', 20),
        openFor: optional(
          duration({
            ...notes('Open for', 'Before it is probed. Default: 30s.', '10s'),
            minimum: 1,
          }),
        ),
        probes: count(
          'Probes',
          'Requests that pass while it is half-open. Default: 3.',
          3,
          1,
          10_000,
        ),
        status: refusalStatus(503),
      },
      notes(
        'Circuit breaker',
        'Keeps requests away from what cannot serve them. Default: it does not.',
        {},
      ),
    ),
  ),
  faultInjection: optional(
    group(
      {
        delay: optional(
          group(
            {
              percent,
              fixed: duration({
                ...notes('Fixed', 'How long.', '100ms'),
                minimum: 1,
                maximum: 600_000,
              }),
            },
            notes('Delay', 'Holds requests up. Default: none.', { fixed: '100ms', percent: 10 }),
          ),
        ),
        abort: optional(
          group(
            {
              percent,
              drop: optional(
                flag(notes('Drop', 'Ends the connection instead. Default: false.', true)),
              ),
              status: refusalStatus(503),
            },
            notes('Abort', 'Refuses requests. Default: none.', { percent: 1, status: 503 }),
          ),
        ),
        header: optional(
          group(
            {
              name: text({ ...notes('Name', 'Its name.', 'x-fault'), maxLength: 255 }),
              value: optional(
                text({ ...notes('Value', 'Its value. Default: any.', 'yes'), maxLength: 1024 }),
              ),
            },
            notes('Header', 'Only requests with this header. Default: all.', { name: 'x-fault' }),
          ),
        ),
      },
      notes('Fault injection', 'Faults on purpose, to try things out. Default: none.', {
        abort: { percent: 1 },
      }),
    ),
  ),
  basicAuth: optional(
    group(
      {
        users: optional(
          dictionary(
            text({
              ...notes(
                'Password',
                'Its scrypt hash, "$scrypt$…".',
                '$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g',
              ),
              maxLength: 512,
            }),
            {
              ...notes('Users', 'Scrypt hashes of passwords, by name. Default: none.', {
                ops: '$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g',
              }),
              maxProperties: 10_000,
            },
          ),
        ),
        usersFile: optional(
          filePath(
            notes(
              'Users file',
              'File with a line "name:hash" for each user; hashes by scrypt. Default: none.',
              'secrets/users',
            ),
          ),
        ),
        realm: optional(
          text({
            ...notes('Realm', 'What browsers show. Default: restricted.', 'ops'),
            maxLength: 255,
          }),
        ),
        userHeader: optional(
          text({
            ...notes('User header', 'Tells members the name. Default: none.', 'x-user'),
            maxLength: 255,
          }),
        ),
        strip: optional(flag(notes('Strip', 'Takes Authorization away. Default: true.', false))),
      },
      notes('Basic authentication', 'Asks for a name and a password. Default: it does not.', {
        usersFile: 'secrets/users',
      }),
    ),
  ),
  jwtAuth: optional(
    group(
      {
        algorithms: list(text({ ...notes('Algorithm', 'As in JWS.', 'RS256'), maxLength: 16 }), {
          ...notes('Algorithms', 'Algorithms that tokens may be signed with.', ['RS256']),
          minItems: 1,
          maxItems: 16,
        }),
        jwksUrl: optional(
          text({
            ...notes(
              'JWKS URL',
              'Where the keys are published. Default: none.',
              'https://issuer.example/jwks.json',
            ),
            maxLength: 2048,
          }),
        ),
        jwksFile: optional(
          filePath(
            notes('JWKS file', 'File with the keys as JSON. Default: none.', 'keys/jwks.json'),
          ),
        ),
        publicKeyFiles: optional(
          list(filePath(notes('Key', 'PEM file with a public key.', 'keys/issuer.pem')), {
            ...notes('Key files', 'PEM files with public keys. Default: none.', [
              'keys/issuer.pem',
            ]),
            minItems: 1,
            maxItems: 64,
          }),
        ),
        secretFile: optional(
          filePath(
            notes(
              'Secret file',
              'File with the shared secret, on its first line. Default: none.',
              'secrets/jwt',
            ),
          ),
        ),
        issuer: headerNames(
          'Issuers',
          'Who must have issued it. Default: anybody.',
          'https://issuer.example',
        ),
        audience: headerNames(
          'Audiences',
          'For whom it must be meant. Default: anybody.',
          'orders',
        ),
        type: optional(
          text({ ...notes('Type', 'The type of token. Default: any.', 'at+jwt'), maxLength: 64 }),
        ),
        clockTolerance: optional(duration(notes('Clock tolerance', 'Default: 5s.', '30s'))),
        maxAge: optional(
          duration({
            ...notes('Age', 'How old it may be. Default: as its exp says.', '1h'),
            minimum: 1,
          }),
        ),
        requiredClaims: headerNames(
          'Required claims',
          'Claims that it must have. Default: exp.',
          'sub',
          'exp',
        ),
        claims: optional(
          dictionary(text({ ...notes('Value', 'What it must be.', 'admin'), maxLength: 1024 }), {
            ...notes('Claims', 'What claims must be; else 403. Default: anything.', {
              role: 'admin',
            }),
            maxProperties: 64,
          }),
        ),
        claimHeaders: optional(
          dictionary(text({ ...notes('Claim', 'The name of a claim.', 'sub'), maxLength: 255 }), {
            ...notes('Claim headers', 'Headers that tell members claims. Default: none.', {
              'x-user': 'sub',
            }),
            maxProperties: 64,
          }),
        ),
        optional: optional(
          flag(notes('Optional', 'Requests without a token may pass. Default: false.', true)),
        ),
        strip: optional(flag(notes('Strip', 'Takes the token away. Default: false.', true))),
        realm: optional(
          text({
            ...notes('Realm', 'Of the challenge. Default: restricted.', 'api'),
            maxLength: 255,
          }),
        ),
      },
      notes('JWT authentication', 'Asks for a token. Default: it does not.', {
        algorithms: ['RS256'],
        jwksUrl: 'https://issuer.example/jwks.json',
      }),
    ),
  ),
  forwardAuth: optional(
    group(
      {
        url: text({
          ...notes('URL', 'The service that is asked.', 'http://127.0.0.1:9000/auth'),
          maxLength: 2048,
        }),
        timeout: optional(
          duration({ ...notes('Timeout', 'Of its answer. Default: 5s.', '1s'), minimum: 1 }),
        ),
        requestHeaders: headerNames(
          'Request headers',
          'What is passed to it. Default: authorization, cookie, accept, user-agent.',
          'cookie',
        ),
        toBackend: headerNames(
          'To members',
          'Headers of its answer for members. Default: none.',
          'x-user',
        ),
        toClient: headerNames(
          'To clients',
          'Headers of its answer for clients. Default: none.',
          'set-cookie',
        ),
        onFailure: optional(
          choice(['deny', 'allow'], notes('On failure', 'When it fails. Default: deny.', 'allow')),
        ),
        maxBody: optional(
          size(notes('Body', 'The longest body of its answer. Default: 64KiB.', '4KiB')),
        ),
      },
      notes('Forward authentication', 'Asks a service of your own. Default: it does not.', {
        url: 'http://127.0.0.1:9000/auth',
      }),
    ),
  ),
  hsts: optional(
    group(
      {
        maxAge: optional(
          duration({
            ...notes('Age', 'How long browsers use HTTPS only. Default: 365d.', '365d'),
            minimum: 0,
            maximum: 36_500 * 86_400_000,
          }),
        ),
        includeSubDomains: optional(
          flag(notes('Names below', 'Also names below. Default: false.', true)),
        ),
        preload: optional(
          flag(notes('Preload', 'For lists that come with browsers. Default: false.', true)),
        ),
        override: optional(
          flag(notes('Override', 'Replaces what members say. Default: true.', false)),
        ),
      },
      notes('HSTS', 'Tells browsers to come by HTTPS only. Default: it does not.', {
        maxAge: '365d',
      }),
    ),
  ),
}

function headerNamesLike() {
  return optional(
    list(
      text({
        ...notes('Prefix', 'A path prefix.', '/.well-known/acme-challenge'),
        pattern: '^/',
        maxLength: 1024,
      }),
      {
        ...notes('Except', 'Path prefixes that are served plainly. Default: none.', [
          '/.well-known/acme-challenge',
        ]),
        maxItems: 64,
      },
    ),
  )
}

export { count, percent }
