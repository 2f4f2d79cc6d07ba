import { group, kind } from '../field.ts'
import { listenerFields } from '../listener-fields.ts'
import { httpsTlsSchema } from '../tls-listener.ts'
import { http2Field, httpFields } from './http-fields.ts'
import { notes } from './notes.ts'

/** A listener for HTTP/1.1 without TLS. */
export const httpListenerSchema = group(
  {
    ...listenerFields,
    protocol: kind('http', 'Routes HTTP/1.1 requests.'),
    ...httpFields,
  },
  notes('HTTP listener', 'Routes HTTP/1.1 requests.', {
    name: 'web',
    protocol: 'http',
    port: 80,
    pool: 'web',
    rules: [{ name: 'api', match: { path: '/v1/*' }, pool: 'api' }],
  }),
)

/** A listener for HTTP over TLS: HTTP/2 and HTTP/1.1, as ALPN has it. */
export const httpsListenerSchema = group(
  {
    ...listenerFields,
    protocol: kind('https', 'Ends TLS and routes HTTP/2 and HTTP/1.1 requests.'),
    tls: httpsTlsSchema,
    ...httpFields,
    http2: http2Field,
  },
  notes('HTTPS listener', 'Ends TLS and routes HTTP/2 and HTTP/1.1 requests.', {
    name: 'web',
    protocol: 'https',
    port: 443,
    pool: 'web',
    tls: { certificates: [{ cert: 'tls/www.example.com.pem', key: 'tls/www.example.com.key' }] },
  }),
)

/** A listener for HTTP/2 without TLS, by prior knowledge; HTTP/1.1 is served too. */
export const h2cListenerSchema = group(
  {
    ...listenerFields,
    protocol: kind('h2c', 'Routes HTTP/2 requests without TLS, and HTTP/1.1 too.'),
    ...httpFields,
    http2: http2Field,
  },
  notes('h2c listener', 'Routes HTTP/2 requests without TLS, and HTTP/1.1 too.', {
    name: 'grpc',
    protocol: 'h2c',
    port: 50_051,
    pool: 'grpc',
  }),
)
