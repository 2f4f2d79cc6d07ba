import {
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
import { duration, filePath } from '../forms.ts'
import { notes } from './notes.ts'

const status = (least: number, most: number, description: string, example: number) =>
  integer({ ...notes('Status', description, example), minimum: least, maximum: most })

/** Text that may hold variables, such as `%{host}`. */
export const template = (title: string, description: string, ...examples: [string, ...string[]]) =>
  text({ ...notes(title, description, ...examples), maxLength: 4096 })

const redirectStatus = optional(
  status(301, 308, 'One of 301, 302, 303, 307 and 308. Default: 302.', 308),
)

const redirect = either(
  [
    template('Target', 'A path or URL, which may have variables; sent with 302.', '/new/'),
    group(
      {
        to: optional(
          template(
            'To',
            'A path or URL, which may have variables. One that ends with "/" gets what follows the prefix that matched. Default: none.',
            'https://www.example.com/new/',
          ),
        ),
        prefix: optional(
          template(
            'Prefix',
            'Put in front of path and query as they are. Default: none.',
            'https://www.example.com',
          ),
        ),
        scheme: optional(
          text({
            ...notes(
              'Scheme',
              '"https" or "http": the same host, path and query by it. Default: none.',
              'https',
            ),
            pattern: '^https?$',
          }),
        ),
        port: optional(
          integer({
            ...notes('Port', "With a scheme: its port. Default: the scheme's own.", 8443),
            minimum: 1,
            maximum: 65_535,
          }),
        ),
        status: redirectStatus,
        keepPath: optional(
          flag(
            notes(
              'Keep path',
              'With "to": what follows the prefix that matched is kept. Default: true.',
              false,
            ),
          ),
        ),
        keepQuery: optional(
          flag(
            notes(
              'Keep query',
              'With "to": the query of the request is kept. Default: true.',
              false,
            ),
          ),
        ),
      },
      notes('Redirect', 'A redirect with options: one of to, prefix and scheme.', {
        to: '/new/',
        status: 308,
      }),
    ),
  ],
  notes('Redirect', 'Sends clients elsewhere. Default: no redirect.', '/new/', {
    scheme: 'https',
    status: 301,
  }),
)

/** Fields of an answer, with variables. */
export const answerHeaders = optional(
  dictionary(template('Value', 'Its value, which may have variables.', '%{host}'), {
    ...notes('Headers', 'Header fields of the answer. Default: none.', {
      'cache-control': 'no-store',
    }),
    maxProperties: 64,
  }),
)

const answerBody = {
  headers: answerHeaders,
  body: optional(
    payload({
      ...notes('Body', 'Sent as it is. Default: none; an error page may fill it.', 'not here\n'),
      maxLength: 1_048_576,
    }),
  ),
  file: optional(
    filePath(
      notes('File', 'File with the body, in place of "body". Default: none.', 'pages/no.html'),
    ),
  ),
  contentType: optional(
    text({
      ...notes('Content type', 'Of the body. Default: text/plain; charset=utf-8.', 'text/html'),
      maxLength: 255,
    }),
  ),
}

const respond = group(
  { status: status(200, 599, 'The status of the answer.', 200), ...answerBody },
  notes('Respond', 'Answers by itself. Default: it does not.', { status: 200, body: 'pong\n' }),
)

const reject = group(
  { status: optional(status(400, 599, 'Default: 403.', 403)), ...answerBody },
  notes('Reject', 'Refuses the request. Default: it does not.', {}, { status: 404 }),
)

const maintenance = group(
  {
    ...answerBody,
    retryAfter: optional(
      duration(
        notes('Retry after', 'When clients may come again. Default: it is not said.', '10m'),
      ),
    ),
  },
  notes(
    'Maintenance',
    'Answers 503 with a page that says so. Default: it does not.',
    {},
    {
      retryAfter: '10m',
    },
  ),
)

const tarpit = group(
  {
    delay: preset(
      '10s',
      duration({ ...notes('Delay', 'How long the client is held up.', '10s'), maximum: 600_000 }),
    ),
    status: optional(status(400, 599, 'What it is told then. Default: 500.', 500)),
  },
  notes('Tarpit', 'Holds the client up, then refuses. Default: it does not.', { delay: '10s' }),
)

const weightedPool = group(
  {
    pool: objectName(notes('Pool', 'The pool.', 'web')),
    weight: preset(
      1,
      integer({
        ...notes('Weight', 'Its share of the requests.', 95),
        minimum: 0,
        maximum: 1_000_000,
      }),
    ),
  },
  notes('Weighted pool', 'A pool and its share.', { pool: 'web', weight: 95 }),
)

/** What a rule can do; exactly one of these. */
export const actionFields = {
  pool: optional(objectName(notes('Pool', 'The pool that requests go to. Default: none.', 'web'))),
  pools: optional(
    list(weightedPool, {
      ...notes('Pools', 'Pools that share the requests by weight. Default: none.', [
        { pool: 'web', weight: 95 },
        { pool: 'canary', weight: 5 },
      ]),
      minItems: 1,
      maxItems: 64,
    }),
  ),
  redirect: optional(redirect),
  respond: optional(respond),
  reject: optional(reject),
  maintenance: optional(maintenance),
  tarpit: optional(tarpit),
  drop: optional(
    flag(notes('Drop', 'Ends the connection without an answer. Default: false.', true)),
  ),
}

/** The names of the actions, for messages. */
export const actionNames = [
  'pool',
  'pools',
  'redirect',
  'respond',
  'reject',
  'maintenance',
  'tarpit',
  'drop',
] as const
