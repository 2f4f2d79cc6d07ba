import { flag, group, list, objectName, preset } from './field.ts'
import { ipRange } from './forms.ts'

/** Addresses that virtual IPs are taken from. */
export const addressPoolSchema = group(
  {
    name: objectName({
      title: 'Name',
      description: 'The name that load balancers refer to.',
      examples: ['local', 'public-v6'],
    }),
    addresses: list(
      ipRange({
        title: 'Addresses',
        description:
          'One address, a block such as 192.0.2.0/28, or a range such as 127.0.0.10-127.0.0.20.',
        examples: ['127.0.0.10-127.0.0.20', '192.0.2.0/28', '2001:db8::1:0/112', '192.0.2.40'],
      }),
      {
        title: 'Addresses',
        description:
          'What the pool holds, of one family. No two address pools may hold the same address.',
        minItems: 1,
        maxItems: 1024,
        examples: [['127.0.0.10-127.0.0.20'], ['192.0.2.0/28', '192.0.2.40']],
      },
    ),
    exclude: preset(
      [],
      list(
        ipRange({
          title: 'Excluded addresses',
          description: 'One address, a block or a range that is never given out.',
          examples: ['192.0.2.1', '192.0.2.8-192.0.2.11'],
        }),
        {
          title: 'Exclude',
          description: 'Addresses of the pool that are never given out, such as a gateway.',
          maxItems: 1024,
          examples: [['192.0.2.1']],
        },
      ),
    ),
    skipNetworkAndBroadcast: preset(
      false,
      flag({
        title: 'Skip network and broadcast',
        description:
          'Never gives out the network and broadcast address of IPv4 blocks, nor the first address of IPv6 blocks. Leave it false when the blocks are routed to this node as a whole.',
        examples: [true],
      }),
    ),
    disable: preset(
      false,
      flag({
        title: 'Disable',
        description: 'Gives out no new address; those in use stay in use.',
        examples: [true],
      }),
    ),
  },
  {
    title: 'Address pool',
    description: 'Addresses that virtual IPs are taken from.',
    examples: [{ name: 'local', addresses: ['127.0.0.10-127.0.0.20'] }],
  },
)
