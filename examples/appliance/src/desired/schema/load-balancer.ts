import { either, flag, group, list, objectName, optional, preset, text } from './field.ts'
import { ipAddress } from './forms.ts'
import { listenerSchema } from './listener.ts'

/** A virtual IP that is taken from an address pool. */
const pooledVipSchema = group(
  {
    pool: objectName({
      title: 'Address pool',
      description: 'The address pool that the address is taken from.',
      examples: ['local'],
    }),
    address: optional(
      ipAddress({
        title: 'Address',
        description:
          'This very address of the pool. Default: the first free one, which stays the same for as long as the load balancer exists.',
        examples: ['127.0.0.12'],
      }),
    ),
    share: optional(
      text({
        title: 'Share',
        description:
          'Load balancers of one pool with the same word here get the same address, on different ports. Default: an address of its own.',
        maxLength: 63,
        examples: ['web'],
      }),
    ),
  },
  {
    title: 'Address from a pool',
    description: 'Takes the address from an address pool.',
    examples: [
      { pool: 'local' },
      { pool: 'local', address: '127.0.0.12' },
      { pool: 'local', share: 'web' },
    ],
  },
)

/** One address with the listeners on it. */
export const loadBalancerSchema = group(
  {
    name: objectName({
      title: 'Name',
      description: 'The name in logs, metrics, status and commands.',
      examples: ['cache'],
    }),
    vip: optional(
      either(
        [
          ipAddress({
            title: 'Plain address',
            description: 'An address of this machine. 0.0.0.0 and :: stand for all of them.',
            examples: ['192.0.2.10', '::'],
          }),
          pooledVipSchema,
        ],
        {
          title: 'Virtual IP',
          description:
            'Where clients connect: an address pool, one address of it, or a plain address. Default: none, which is right when all listeners have "listen" instead of a port.',
          examples: [
            { pool: 'local' },
            { pool: 'local', address: '127.0.0.12' },
            '192.0.2.10',
            '::',
          ],
        },
      ),
    ),
    enabled: preset(
      true,
      flag({
        title: 'Enabled',
        description: 'false drains and closes all listeners; the address stays reserved.',
        examples: [false],
      }),
    ),
    listeners: list(listenerSchema, {
      title: 'Listeners',
      description: 'The ports of this address and what becomes of the traffic to them.',
      maxItems: 1024,
      examples: [[{ name: 'redis', protocol: 'tcp', port: 6379, pool: 'redis' }]],
    }),
  },
  {
    title: 'Load balancer',
    description: 'One virtual IP with the listeners on it.',
    examples: [
      {
        name: 'cache',
        vip: { pool: 'local' },
        listeners: [{ name: 'redis', protocol: 'tcp', port: 6379, pool: 'redis' }],
      },
    ],
  },
)
