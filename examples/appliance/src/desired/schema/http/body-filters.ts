import { choice, either, flag, group, list, objectName, optional, text } from '../field.ts'
import { duration, size } from '../forms.ts'
import { count, percent } from './guard-filters.ts'
import { notes } from './notes.ts'

const codings = ['gzip', 'br', 'zstd'] as const

/** What is done with bodies, and with what responses say. */
export const bodyFilters = {
  bufferRequest: optional(
    group(
      {
        maxBytes: optional(size(notes('Most bytes', 'The longest body. Default: 1MiB.', '256KiB'))),
        memoryBytes: optional(
          size(notes('Memory', 'For all bodies together. Default: 64MiB.', '32MiB')),
        ),
      },
      notes(
        'Buffer requests',
        'Holds a request until its body is whole. Default: it does not.',
        {},
      ),
    ),
  ),
  responseLimit: optional(
    size({
      ...notes('Response limit', 'The longest body that a member may send. Default: any.', '1GiB'),
      minimum: 1,
    }),
  ),
  bandwidth: optional(
    group(
      {
        bytesPerSecond: size({
          ...notes('Bytes a second', 'For each exchange and direction.', '1MiB'),
          minimum: 1,
        }),
        burst: optional(
          size({
            ...notes('Burst', 'What may pass at once. Default: that of a second.', '2MiB'),
            minimum: 1,
          }),
        ),
        direction: optional(
          choice(
            ['request', 'response', 'both'],
            notes('Direction', 'Which bodies. Default: both.', 'response'),
          ),
        ),
      },
      notes('Bandwidth', 'Bounds the speed of each exchange. Default: no limit.', {
        bytesPerSecond: '1MiB',
      }),
    ),
  ),
  compression: optional(
    group(
      {
        codings: optional(
          list(choice([...codings], notes('Coding', 'A content coding.', 'br')), {
            ...notes('Codings', 'What is offered, best first. Default: zstd, br, gzip.', [
              'br',
              'gzip',
            ]),
            minItems: 1,
            maxItems: 3,
          }),
        ),
        types: optional(
          list(text({ ...notes('Type', 'A content type.', 'text/*'), maxLength: 255 }), {
            ...notes(
              'Types',
              'What is compressed. Default: text, JSON, XML, scripts and the like.',
              ['text/*'],
            ),
            minItems: 1,
            maxItems: 256,
          }),
        ),
        minBytes: optional(
          size(notes('Least bytes', 'Shorter bodies stay as they are. Default: 1024.', '2KiB')),
        ),
        levels: optional(
          group(
            {
              gzip: count('gzip', '1 to 9. Default: 5.', 5, 1, 9),
              br: count('br', '0 to 11. Default: 4.', 4, 0, 11),
              zstd: count('zstd', '1 to 22. Default: 3.', 3, 1, 22),
            },
            notes('Levels', 'How much effort. Default: gzip 5, br 4, zstd 3.', { gzip: 6 }),
          ),
        ),
        flushAfter: optional(
          duration(notes('Flush after', 'Nothing waits longer for more. Default: 10ms.', '10ms')),
        ),
        exceptAgents: optional(
          list(
            text({
              ...notes('Pattern', "A pattern in RE2's syntax.", 'MSIE [4-6]'),
              maxLength: 1024,
            }),
            {
              ...notes('Except agents', 'Clients that get bodies as they are. Default: none.', [
                'MSIE [4-6]',
              ]),
              maxItems: 64,
            },
          ),
        ),
        maxActive: count('Most active', 'Bodies compressed at one time. Default: 1024.', 1024),
      },
      notes(
        'Compression',
        'Compresses responses for clients that want it. Default: it does not.',
        {},
      ),
    ),
  ),
  rewriteLocation: optional(
    group(
      {
        map: optional(
          list(
            group(
              {
                from: text({
                  ...notes('From', 'A URL or path.', 'http://internal/app/'),
                  maxLength: 2048,
                }),
                to: text({ ...notes('To', 'What stands instead.', '/'), maxLength: 2048 }),
              },
              notes('Map', 'What stands instead.', { from: 'http://internal/app/', to: '/' }),
            ),
            {
              ...notes('Map', 'URLs and paths, and what stands instead. Default: none.', [
                { from: '/app/', to: '/' },
              ]),
              maxItems: 256,
            },
          ),
        ),
        backend: optional(
          flag(notes('Members', 'References to the member itself. Default: true.', false)),
        ),
        authorities: optional(
          list(
            text({
              ...notes('Authority', 'Host and port.', 'internal.example:8080'),
              maxLength: 270,
            }),
            {
              ...notes('Authorities', 'More names of members. Default: none.', [
                'internal.example:8080',
              ]),
              maxItems: 64,
            },
          ),
        ),
        cookies: optional(
          group(
            {
              secure: optional(
                either(
                  [
                    flag(notes('Secure', 'Sets or removes it.', true)),
                    text({
                      ...notes('Secure', '"auto": when the client came by https.', 'auto'),
                      pattern: '^auto$',
                    }),
                  ],
                  notes('Secure', 'Of cookies. Default: as it is.', 'auto', true),
                ),
              ),
              httpOnly: optional(
                flag(notes('HTTP only', 'Sets or removes it. Default: as it is.', true)),
              ),
              sameSite: optional(
                choice(
                  ['Strict', 'Lax', 'None'],
                  notes('Same site', 'Where there is none. Default: as it is.', 'Lax'),
                ),
              ),
            },
            notes('Cookies', 'Flags of cookies. Default: as they are.', { secure: 'auto' }),
          ),
        ),
      },
      notes(
        'Rewrite location',
        'Corrects Location and cookies of members. Default: it does not.',
        {},
      ),
    ),
  ),
  mirror: optional(
    group(
      {
        pool: objectName(notes('Pool', 'Who gets the copies.', 'canary')),
        percent,
        maxBodyBytes: optional(
          size(notes('Most body', 'Longer requests are not copied. Default: 64KiB.', '1MiB')),
        ),
        timeout: optional(
          duration({ ...notes('Timeout', 'Of a copy. Default: 5s.', '2s'), minimum: 1 }),
        ),
        maxConcurrent: count('Most at once', 'Copies under way. Default: 64.', 64, 1, 100_000),
        hostSuffix: optional(
          text({
            ...notes(
              'Host suffix',
              "Behind the first label of the host's name. Default: none.",
              '-shadow',
            ),
            maxLength: 63,
          }),
        ),
      },
      notes('Mirror', 'Sends copies of requests to another pool. Default: none.', {
        pool: 'canary',
        percent: 5,
      }),
    ),
  ),
}
