import { pool } from '@steelyard/core'
import { hostileOptionsSuite } from '@steelyard/testing'
import { bandwidth } from '../../src/filters/bandwidth.ts'
import { responseLimit } from '../../src/filters/body-limit.ts'
import { bufferRequest } from '../../src/filters/buffer-request.ts'
import { compression } from '../../src/filters/compression.ts'
import { errorPages } from '../../src/filters/error-pages.ts'
import { httpMirrorSender } from '../../src/filters/mirror/http-mirror-sender.ts'
import { mirror } from '../../src/filters/mirror.ts'
import { headerPersistence } from '../../src/filters/persistence/header-persistence.ts'
import { insertedCookie } from '../../src/filters/persistence/inserted-cookie.ts'
import { learnedCookie } from '../../src/filters/persistence/learned-cookie.ts'
import { rewriteLocation } from '../../src/filters/rewrite-location.ts'

const shadow = pool()
const secret = 'sixteen bytes at least'

hostileOptionsSuite([
  {
    name: 'compression',
    args: [
      {
        codings: ['gzip', 'br'],
        levels: { gzip: 5, br: 4 },
        types: ['text/*'],
        minBytes: 1,
        flushAfter: '1s',
        minVersion: 'HTTP/1.0',
        exceptAgents: ['x'],
        maxActive: 5,
        when: () => true,
      },
    ],
    call: compression,
  },
  {
    name: 'bufferRequest',
    args: [{ maxBytes: '1KiB', memoryBytes: '1MiB' }],
    call: bufferRequest,
  },
  {
    name: 'insertedCookie',
    args: [
      {
        name: 'SRV',
        mode: 'insert',
        value: 'signed',
        secret: [secret, new Uint8Array(16)],
        path: '/',
        domain: 'example.com',
        secure: true,
        httpOnly: true,
        sameSite: 'Lax',
        maxAge: '1h',
        renew: true,
        maxLife: '1d',
        maxIdle: '1h',
        indirect: true,
        nocache: true,
        postOnly: false,
        preserve: false,
        whenDraining: 'move',
      },
    ],
    call: insertedCookie,
  },
  {
    name: 'learnedCookie',
    args: [
      {
        name: 'SID',
        prefixMode: false,
        parameter: 'sid',
        length: 64,
        timeout: '1m',
        maxEntries: 10,
      },
    ],
    call: learnedCookie,
  },
  {
    name: 'learnedCookie().import',
    args: [[{ pool: 'a', key: 'b', backendId: 'c', remainingMs: 5 }]],
    call: (entries: never) => learnedCookie({ name: 'SID' }).import(entries),
  },
  {
    name: 'headerPersistence',
    args: [{ name: 'x', learn: 'both', responseName: 'y', timeout: '1m', maxEntries: 10 }],
    call: headerPersistence,
  },
  {
    name: 'mirror',
    args: [
      {
        pool: shadow,
        percent: 5,
        maxBodyBytes: 10,
        timeout: '1s',
        maxConcurrent: 5,
        hostSuffix: '-x',
        headers: { 'x-a': ['1', '2'] },
      },
    ],
    call: (...args: never[]) =>
      (mirror as (...args: never[]) => { close(): void })(...args).close(),
  },
  {
    name: 'httpMirrorSender',
    args: [{ maxConnections: 5, tls: { rejectUnauthorized: true } }],
    call: (...args: never[]) =>
      (httpMirrorSender as (...args: never[]) => { close(): void })(...args).close(),
  },
  {
    name: 'errorPages',
    args: [
      { 503: { html: 'x', json: '{}', text: 'x', status: 500 }, '5xx': 'x', default: 'x' },
      { builtIn: true, backendErrors: [404, '5xx'] },
    ],
    call: errorPages,
  },
  { name: 'responseLimit', args: [{ maxBytes: 5 }], call: responseLimit },
  {
    name: 'bandwidth',
    args: [{ bytesPerSecond: 5, burst: 5, direction: 'both' }],
    call: bandwidth,
  },
  {
    name: 'rewriteLocation',
    args: [
      {
        map: [{ from: '/a', to: 'http://b/c' }],
        backend: true,
        authorities: ['a:80'],
        cookies: {
          domain: { a: 'b' },
          path: [{ from: '/a', to: '/b' }],
          secure: true,
          httpOnly: true,
          sameSite: 'Lax',
          forceSameSite: true,
          names: ['a'],
        },
      },
    ],
    call: rewriteLocation,
  },
])
