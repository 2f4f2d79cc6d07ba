import { choice, flag, group, integer, list, objectName, optional, preset } from './field.ts'
import { duration, ipAddress, ipBlock, listenElsewhere } from './forms.ts'

const aclField = preset(
  {},
  group(
    {
      allow: optional(
        list(
          ipBlock({
            title: 'Allowed clients',
            description: 'A block of addresses, or one address.',
            examples: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7'],
          }),
          {
            title: 'Allow',
            description:
              'These clients may come; then all others may not, unless "default" says so. Default: no list.',
            maxItems: 16_384,
            examples: [['10.0.0.0/8', '127.0.0.0/8']],
          },
        ),
      ),
      deny: preset(
        [],
        list(
          ipBlock({
            title: 'Denied clients',
            description: 'A block of addresses, or one address.',
            examples: ['192.0.2.0/24'],
          }),
          {
            title: 'Deny',
            description: 'These clients may not come, whatever "allow" says.',
            maxItems: 16_384,
            examples: [['192.0.2.0/24']],
          },
        ),
      ),
      default: optional(
        choice(['allow', 'deny'], {
          title: 'Default',
          description:
            'What happens to clients in neither list. Default: "deny" when there is an "allow" list, else "allow".',
          examples: ['deny'],
        }),
      ),
    },
    {
      title: 'Access list',
      description: 'Who may come, by address, asked before anything else.',
      examples: [{ allow: ['10.0.0.0/8'], deny: ['10.6.6.0/24'] }],
    },
  ),
)

/** What every listener has. */
export const listenerFields = {
  name: objectName({
    title: 'Name',
    description: 'The name in logs, metrics, status and commands; unique in its load balancer.',
    examples: ['redis', 'https'],
  }),
  enabled: preset(
    true,
    flag({
      title: 'Enabled',
      description: 'false drains and closes the listener.',
      examples: [false],
    }),
  ),
  port: optional(
    integer({
      title: 'Port',
      description:
        'The port on the address of the load balancer. Default: none; then "listen" says where.',
      minimum: 1,
      maximum: 65_535,
      examples: [6379, 443],
    }),
  ),
  listen: optional(
    listenElsewhere({
      title: 'Listen',
      description:
        'Listens on a unix socket, or on a descriptor that systemd hands over, by number or by name. Default: none; then "port" says where.',
      examples: ['unix:/run/steelyard/redis.sock', 'fd:3', 'fd:redis'],
    }),
  ),
  reusePort: preset(
    false,
    flag({
      title: 'Reuse port',
      description:
        'Sets SO_REUSEPORT, so that several processes share the port. Takes effect when the listener starts.',
      examples: [true],
    }),
  ),
  ipv6Only: preset(
    false,
    flag({
      title: 'IPv6 only',
      description:
        'With the address ::, does not serve IPv4. Takes effect when the listener starts.',
      examples: [true],
    }),
  ),
  acl: aclField,
  sourceAddresses: preset(
    [],
    list(
      ipAddress({
        title: 'Source address',
        description: 'An address of this machine.',
        examples: ['10.0.0.5'],
      }),
      {
        title: 'Source addresses',
        description:
          'Source addresses for connections to members (SNAT), used in turn: several widen the range of source ports. Empty: the system chooses.',
        maxItems: 256,
        examples: [['10.0.0.5'], ['10.0.0.5', '10.0.0.6']],
      },
    ),
  ),
  drain: optional(
    duration({
      title: 'Drain time',
      description:
        "How long open connections may go on after the listener was stopped or removed. Default: the node's drain time.",
      examples: ['10s', '5m'],
    }),
  ),
}

/** The pool that a listener forwards to. */
export function poolField(): ReturnType<typeof objectName> {
  return objectName({
    title: 'Pool',
    description: 'The pool that the traffic goes to.',
    examples: ['redis'],
  })
}
