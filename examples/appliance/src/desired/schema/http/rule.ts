import { choice, flag, group, integer, list, objectName, optional, preset, text } from '../field.ts'
import { size } from '../forms.ts'
import { actionFields } from './action.ts'
import { conditionSchema } from './condition.ts'
import { filtersSchema } from './filters.ts'
import { notes } from './notes.ts'
import {
  hashKey,
  headers,
  httpPersistence,
  retries,
  rewrite,
  ruleTimeouts,
} from './traffic-fields.ts'

const enabled = preset(
  true,
  flag(notes('Enabled', 'false leaves it out, but its form is judged all the same.', false)),
)

const position = optional(
  integer({
    ...notes(
      'Position',
      'Its place, ascending, before all that have none. Default: as listed.',
      10,
    ),
    minimum: 1,
    maximum: 0x7fffffff,
  }),
)

/** How requests of one rule are forwarded. */
export const forwardFields = {
  rewrite,
  headers,
  timeouts: ruleTimeouts,
  retries,
  maxBody: optional(
    size(
      notes(
        'Longest body',
        "Of a request; longer ones get 413. 0 means any. Default: the listener's.",
        '10MiB',
      ),
    ),
  ),
  upgrades: optional(
    list(text({ ...notes('Protocol', 'In lower case.', 'websocket'), maxLength: 64 }), {
      ...notes('Upgrades', 'Protocols that Upgrade may ask for. Default: websocket.', [
        'websocket',
      ]),
      maxItems: 16,
    }),
  ),
  sticky: optional(
    text({
      ...notes(
        'Sticky',
        'With "pools": a cookie by which clients stay with the pool they got first. Default: none.',
        'canary',
      ),
      maxLength: 128,
    }),
  ),
  persistence: httpPersistence,
  hashKey,
}

/** One rule of an HTTP listener. */
export const ruleSchema = group(
  {
    name: objectName(
      notes('Name', 'The name in logs, metrics and explain; unique in its listener.', 'api'),
    ),
    enabled,
    position,
    match: preset({}, conditionSchema),
    ...actionFields,
    ...forwardFields,
    filters: filtersSchema,
  },
  notes(
    'Rule',
    'What is done with some of the requests: exactly one of pool, pools, redirect, respond, reject, maintenance, tarpit and drop.',
    { name: 'api', match: { host: 'api.example.com', path: '/v1/*' }, pool: 'api' },
    { name: 'old', match: { path: '/old/*' }, redirect: { to: '/new/', status: 308 } },
  ),
)

const octaviaRule = group(
  {
    type: choice(
      [
        'HOST_NAME',
        'PATH',
        'FILE_TYPE',
        'HEADER',
        'COOKIE',
        'SSL_CONN_HAS_CERT',
        'SSL_VERIFY_RESULT',
        'SSL_DN_FIELD',
      ],
      notes('Type', 'What it looks at.', 'PATH'),
    ),
    compareType: choice(
      ['REGEX', 'STARTS_WITH', 'ENDS_WITH', 'CONTAINS', 'EQUAL_TO'],
      notes('Comparison', 'How it compares.', 'STARTS_WITH'),
    ),
    key: optional(
      text({
        ...notes(
          'Key',
          'Name of the header, cookie or field, for those types. Default: none.',
          'x-version',
        ),
        maxLength: 255,
      }),
    ),
    value: text({ ...notes('Value', 'What it is compared with.', '/api'), maxLength: 255 }),
    invert: preset(false, flag(notes('Invert', 'Met when it is not so.', true))),
    enabled: preset(true, flag(notes('Enabled', 'false leaves it out.', false))),
  },
  notes('L7 rule', "A condition in the words of Octavia's API.", {
    type: 'PATH',
    compareType: 'STARTS_WITH',
    value: '/api',
  }),
)

/** A policy in Octavia's style. */
export const octaviaPolicySchema = group(
  {
    name: objectName(
      notes('Name', 'The name in logs, metrics and explain; unique in its listener.', 'api'),
    ),
    enabled,
    position,
    action: choice(
      ['REJECT', 'REDIRECT_TO_URL', 'REDIRECT_PREFIX', 'REDIRECT_TO_POOL'],
      notes('Action', 'What it does.', 'REDIRECT_TO_POOL'),
    ),
    redirectPool: optional(
      objectName(notes('Pool', 'For REDIRECT_TO_POOL. Default: none.', 'api')),
    ),
    redirectUrl: optional(
      text({
        ...notes('URL', 'For REDIRECT_TO_URL. Default: none.', 'https://www.example.com/'),
        maxLength: 255,
      }),
    ),
    redirectPrefix: optional(
      text({
        ...notes('Prefix', 'For REDIRECT_PREFIX. Default: none.', 'https://www.example.com'),
        maxLength: 255,
      }),
    ),
    redirectHttpCode: optional(
      integer({
        ...notes('Status', 'One of 301, 302, 303, 307 and 308. Default: 302.', 301),
        minimum: 301,
        maximum: 308,
      }),
    ),
    rules: preset(
      [],
      list(octaviaRule, {
        ...notes('Rules', 'All must be met; a policy without any is left out.', [
          { type: 'PATH', compareType: 'STARTS_WITH', value: '/api' },
        ]),
        maxItems: 50,
      }),
    ),
  },
  notes('L7 policy', "A policy in the words of Octavia's API.", {
    name: 'api',
    action: 'REDIRECT_TO_POOL',
    redirectPool: 'api',
    rules: [{ type: 'PATH', compareType: 'STARTS_WITH', value: '/api' }],
  }),
)
