import {
  choice,
  either,
  flag,
  group,
  kind,
  list,
  objectName,
  optional,
  preset,
  text,
  variants,
} from './field.ts'
import { duration, filePath, serverName } from './forms.ts'
import { listenerFields, poolField } from './listener-fields.ts'
import { streamFields } from './stream-fields.ts'
import { alpnList, certificateSchema, tlsVersionFields } from './tls-fields.ts'

const toPool = group(
  {
    pool: objectName({
      title: 'Pool',
      description: 'The pool that these connections go to.',
      examples: ['legacy'],
    }),
  },
  {
    title: 'To a pool',
    description: 'Sends these connections to a pool.',
    examples: [{ pool: 'legacy' }],
  },
)

const nameRules = {
  absentName: preset(
    'default',
    either(
      [
        choice(['default', 'reject'], {
          title: 'Rule',
          description: '"default" goes to the pool of the listener, "reject" ends the connection.',
          examples: ['reject'],
        }),
        toPool,
      ],
      {
        title: 'Absent name',
        description: 'What becomes of clients that name no server (no SNI).',
        examples: ['default', 'reject', { pool: 'legacy' }],
      },
    ),
  ),
  encryptedName: preset(
    'default',
    either(
      [
        choice(['default', 'reject'], {
          title: 'Rule',
          description: '"default" goes to the pool of the listener, "reject" ends the connection.',
          examples: ['reject'],
        }),
        toPool,
      ],
      {
        title: 'Encrypted name',
        description:
          'What becomes of clients with Encrypted Client Hello whose visible name takes no route. With a route the visible name decides, as most clients only pretend to encrypt it.',
        examples: ['default', 'reject', { pool: 'ech' }],
      },
    ),
  ),
}

const passthrough = group(
  {
    mode: kind('passthrough', 'TLS goes through untouched; only its first message is read.'),
    ...nameRules,
  },
  {
    title: 'Pass-through',
    description: 'TLS goes through untouched; only its first message is read.',
    examples: [{ mode: 'passthrough', absentName: 'reject' }],
  },
)

const serverCertificate = group(
  {
    ...certificateSchema.properties,
    chain: optional(
      filePath({
        title: 'Chain',
        description:
          'PEM file with intermediate certificates that "cert" does not have. Default: none.',
        examples: ['tls/intermediates.pem'],
      }),
    ),
    ocsp: optional(
      filePath({
        title: 'OCSP response',
        description:
          "File with the issuer's OCSP response in DER, stapled for clients that ask for one. Default: none.",
        examples: ['tls/www.example.com.ocsp'],
      }),
    ),
    names: preset(
      [],
      list(
        serverName({
          title: 'Server name',
          description: 'A name, or "*." with a domain for one label.',
          examples: ['www.example.com', '*.example.com'],
        }),
        {
          title: 'Names',
          description: 'The names it is used for. Empty: those that stand in it.',
          maxItems: 4096,
          examples: [['www.example.com']],
        },
      ),
    ),
    default: preset(
      false,
      flag({
        title: 'Default',
        description:
          'Shown to clients that ask for no name, or for one that no certificate has. When no certificate says so, the first one is.',
        examples: [true],
      }),
    ),
  },
  {
    title: 'Server certificate',
    description: 'A certificate with its private key, and what it is used for.',
    examples: [{ cert: 'tls/www.example.com.pem', key: 'tls/www.example.com.key' }],
  },
)

/** What listeners that end TLS have. */
const terminating = {
  certificates: preset(
    [],
    list(serverCertificate, {
      title: 'Certificates',
      description:
        'Chosen by the name that the client asks for; one serves all other names. Changed files are taken up on reload, and no connection is dropped.',
      maxItems: 4096,
      examples: [[{ cert: 'tls/www.example.com.pem', key: 'tls/www.example.com.key' }]],
    }),
  ),
  unknownName: preset(
    'default',
    choice(['default', 'reject'], {
      title: 'Unknown name',
      description:
        'Clients that ask for a name that no certificate has: "default" shows them the default certificate, "reject" refuses the handshake.',
      examples: ['reject'],
    }),
  ),
  ...tlsVersionFields,
  alpn: preset(
    [],
    alpnList('Protocols offered to clients, in order of preference. Empty: none is negotiated.'),
  ),
  alpnMismatch: preset(
    'reject',
    choice(['reject', 'ignore'], {
      title: 'ALPN mismatch',
      description:
        'A client whose protocols are all unknown here: "reject" it, or "ignore" that and go on without.',
      examples: ['ignore'],
    }),
  ),
  groups: optional(
    text({
      title: 'Groups',
      description: "Key exchange groups in OpenSSL's notation. Default: those of Node.js.",
      maxLength: 1024,
      examples: ['X25519:P-256'],
    }),
  ),
  tickets: preset(
    true,
    flag({
      title: 'Tickets',
      description: 'Session tickets, so that clients come back with a short handshake.',
      examples: [false],
    }),
  ),
  ticketKeys: optional(
    filePath({
      title: 'Ticket keys',
      description:
        "File with 48 secret bytes, the same on all nodes that should accept each other's tickets. Default: random ones.",
      examples: ['/run/credentials/steelyard/ticket.key'],
    }),
  ),
  sessionTimeout: preset(
    '5m',
    duration({
      title: 'Session timeout',
      description: 'How long a session may be resumed.',
      examples: ['1h'],
    }),
  ),
  clientAuth: preset(
    { mode: 'none' },
    group(
      {
        mode: choice(['none', 'optional', 'required'], {
          title: 'Mode',
          description:
            '"required" refuses clients without a valid certificate, "optional" takes them too, "none" asks for no certificate.',
          examples: ['required'],
        }),
        ca: optional(
          filePath({
            title: 'Authorities',
            description:
              'PEM file with the authorities that sign client certificates. Default: none, which is right only for the mode "none".',
            examples: ['tls/clients-ca.pem'],
          }),
        ),
        crl: optional(
          filePath({
            title: 'Revoked certificates',
            description: 'PEM file with revoked certificates of clients. Default: none.',
            examples: ['tls/clients.crl'],
          }),
        ),
      },
      {
        title: 'Client certificates',
        description: 'Whether clients must show a certificate.',
        examples: [{ mode: 'required', ca: 'tls/clients-ca.pem' }],
      },
    ),
  ),
}

const terminate = group(
  {
    mode: kind('terminate', 'TLS ends here.'),
    ...terminating,
    ...nameRules,
  },
  {
    title: 'Termination',
    description: 'TLS ends here; members get the plain bytes, or TLS anew if their pool says so.',
    examples: [
      {
        mode: 'terminate',
        certificates: [{ cert: 'tls/www.example.com.pem', key: 'tls/www.example.com.key' }],
      },
    ],
  },
)

/** TLS of an HTTPS listener. */
export const httpsTlsSchema = group(
  {
    ...terminating,
    alpn: preset(
      ['h2', 'http/1.1'],
      alpnList(
        'Protocols offered to clients, in order of preference. Without "h2" there is no HTTP/2.',
      ),
    ),
    alpnMismatch: preset(
      'ignore',
      choice(['reject', 'ignore'], {
        title: 'ALPN mismatch',
        description:
          'A client whose protocols are all unknown here: "reject" it, or "ignore" that and speak HTTP/1.1.',
        examples: ['reject'],
      }),
    ),
  },
  {
    title: 'TLS',
    description: 'Certificates and how TLS is spoken with clients.',
    examples: [
      { certificates: [{ cert: 'tls/www.example.com.pem', key: 'tls/www.example.com.key' }] },
    ],
  },
)

const route = group(
  {
    sni: list(
      serverName({
        title: 'Server name',
        description:
          'The name that the client asks for; "*." in front stands for every name below, at any depth.',
        examples: ['www.example.com', '*.example.org'],
      }),
      {
        title: 'Server names',
        description: 'The names that take this route.',
        minItems: 1,
        maxItems: 4096,
        examples: [['www.example.com', '*.example.org']],
      },
    ),
    alpn: preset([], alpnList('Protocols of which the client offers at least one. Empty: any.')),
    pool: poolField(),
  },
  {
    title: 'Route',
    description:
      'A pool for some of the names. Exact names win over wildcards, longer wildcards over shorter.',
    examples: [
      { sni: ['www.example.com'], pool: 'web' },
      { sni: ['www.example.com'], alpn: ['acme-tls/1'], pool: 'acme' },
    ],
  },
)

/** A listener that reads TLS: it routes by server name, and may terminate. */
export const tlsListenerSchema = group(
  {
    ...listenerFields,
    protocol: kind('tls', 'Routes TLS by server name, and terminates it if told so.'),
    pool: optional(
      objectName({
        title: 'Pool',
        description:
          'The pool for names that no route takes. Default: none; their connections are ended.',
        examples: ['web'],
      }),
    ),
    tls: variants('mode', [passthrough, terminate], {
      title: 'TLS',
      description: 'What is done with TLS: pass it through, or terminate it.',
      examples: [
        { mode: 'passthrough' },
        {
          mode: 'terminate',
          certificates: [{ cert: 'tls/www.example.com.pem', key: 'tls/www.example.com.key' }],
        },
      ],
    }),
    routes: preset(
      [],
      list(route, {
        title: 'Routes',
        description: 'Pools by server name and application protocol.',
        maxItems: 4096,
        examples: [[{ sni: ['www.example.com'], pool: 'web' }]],
      }),
    ),
    ...streamFields,
  },
  {
    title: 'TLS listener',
    description: 'Routes TLS by server name, and terminates it if told so.',
    examples: [
      { name: 'https', protocol: 'tls', port: 443, pool: 'web', tls: { mode: 'passthrough' } },
    ],
  },
)
