import {
  choice,
  dictionary,
  either,
  flag,
  group,
  integer,
  optional,
  preset,
  text,
} from './field.ts'
import { backendAddress, ipAddress } from './forms.ts'

const address = backendAddress({
  title: 'Address',
  description: 'host:port, [v6]:port or unix:/path.',
  examples: ['10.0.0.11:8080', '[2001:db8::11]:8080', 'unix:/run/app.sock'],
})

const memberGroup = group(
  {
    address,
    id: optional(
      text({
        title: 'Id',
        description:
          'A name that health, persistence and counters follow when the address changes. Default: the address.',
        maxLength: 255,
        examples: ['web-1'],
      }),
    ),
    weight: preset(
      1,
      integer({
        title: 'Weight',
        description: 'The share of the traffic; 0 drains the member.',
        minimum: 0,
        maximum: 65_535,
        examples: [1, 100, 0],
      }),
    ),
    backup: preset(
      false,
      flag({
        title: 'Backup',
        description: 'Takes traffic only while no ordinary member can.',
        examples: [true],
      }),
    ),
    maxConnections: preset(
      0,
      integer({
        title: 'Most connections',
        description:
          'Open connections at one time; more go elsewhere or wait in the queue of the pool. 0 means no limit.',
        minimum: 0,
        maximum: 0x7fffffff,
        examples: [500],
      }),
    ),
    state: preset(
      'enabled',
      choice(['enabled', 'draining', 'disabled'], {
        title: 'State',
        description:
          '"draining" keeps its connections and gets no new ones; "disabled" gets none and is not checked.',
        examples: ['draining'],
      }),
    ),
    labels: preset(
      {},
      dictionary(
        text({
          title: 'Label',
          description: 'Free text for people.',
          maxLength: 255,
          examples: ['r12'],
        }),
        {
          title: 'Labels',
          description: 'Free words for the operator; shown in status, never interpreted.',
          maxProperties: 64,
          examples: [{ rack: 'r12' }],
        },
      ),
    ),
    health: preset(
      {},
      group(
        {
          address: optional(
            ipAddress({
              title: 'Address',
              description: 'Where the member is checked. Default: its own address.',
              examples: ['10.1.0.11'],
            }),
          ),
          port: optional(
            integer({
              title: 'Port',
              description: 'The port that is checked. Default: that of the check, or its own.',
              minimum: 1,
              maximum: 65_535,
              examples: [8081],
            }),
          ),
        },
        {
          title: 'Health',
          description: 'Checks the member elsewhere than at its own address.',
          examples: [{ port: 8081 }],
        },
      ),
    ),
  },
  {
    title: 'Member with options',
    description: 'A server of the pool.',
    examples: [{ address: '10.0.0.11:8080', weight: 2 }],
  },
)

/** A server of a pool. */
export const memberSchema = either([address, memberGroup], {
  title: 'Member',
  description: 'A server of the pool: its address, or its address with options.',
  examples: ['10.0.0.11:8080', { address: '10.0.0.11:8080', weight: 2 }],
})
