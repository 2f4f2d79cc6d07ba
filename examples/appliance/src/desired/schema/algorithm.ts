import { choice, either, flag, group, integer, kind, preset, variants } from './field.ts'
import { duration } from './forms.ts'

const randomStart = preset(
  false,
  flag({
    title: 'Random start',
    description: 'Starts anywhere in the rotation, so that many nodes do not march in step.',
    examples: [true],
  }),
)

const port = preset(
  false,
  flag({
    title: 'Port',
    description: "Hashes the client's port too, so that one client's connections spread.",
    examples: [true],
  }),
)

const roundRobin = group(
  {
    type: kind('round-robin', 'Takes turns, by weight.'),
    ignoreWeights: preset(
      false,
      flag({
        title: 'Ignore weights',
        description: 'Everybody gets one turn a round, whatever the weight.',
        examples: [true],
      }),
    ),
    randomStart,
  },
  {
    title: 'Round robin',
    description: 'Takes turns, by weight.',
    examples: [{ type: 'round-robin', randomStart: true }],
  },
)

const smooth = group(
  {
    type: kind('smooth-weighted-round-robin', 'Takes turns by weight, evenly spread.'),
    randomStart,
  },
  {
    title: 'Smooth weighted round robin',
    description: 'Takes turns by weight, evenly spread: weights 5, 1, 1 give a a b a c a a.',
    examples: [{ type: 'smooth-weighted-round-robin' }],
  },
)

const leastConnections = group(
  { type: kind('least-connections', 'The member with the fewest open connections.') },
  {
    title: 'Least connections',
    description: 'The member with the fewest open connections, whatever the weight.',
    examples: [{ type: 'least-connections' }],
  },
)

const weightedLeastConnections = group(
  { type: kind('weighted-least-connections', 'The fewest open connections for the weight.') },
  {
    title: 'Weighted least connections',
    description: 'The member with the fewest open connections for its weight.',
    examples: [{ type: 'weighted-least-connections' }],
  },
)

const random = group(
  {
    type: kind('random', 'Draws some by weight and takes the one with the fewest connections.'),
    choices: preset(
      2,
      integer({
        title: 'Choices',
        description: 'Members to draw and compare; 1 is a plain weighted lottery.',
        minimum: 1,
        maximum: 64,
        examples: [2],
      }),
    ),
  },
  {
    title: 'Random',
    description: 'Draws some members by weight and takes the one with the fewest connections.',
    examples: [{ type: 'random', choices: 2 }],
  },
)

const sourceHash = group(
  {
    type: kind('source-hash', 'The same client gets the same member.'),
    port,
    consistent: preset(
      false,
      flag({
        title: 'Consistent',
        description:
          'A ring in place of the map: less even, but a change moves few clients instead of most.',
        examples: [true],
      }),
    ),
  },
  {
    title: 'Source hash',
    description: 'The same client gets the same member, by a map over the weights.',
    examples: [{ type: 'source-hash', consistent: true }],
  },
)

const ringHash = group(
  {
    type: kind('ring-hash', 'The same client gets the same member; a change moves few.'),
    port,
    pointsPerWeight: preset(
      160,
      integer({
        title: 'Points per weight',
        description: 'Points on the ring for each unit of weight; more are more even.',
        minimum: 1,
        maximum: 65_536,
        examples: [160],
      }),
    ),
    maxPoints: preset(
      262_144,
      integer({
        title: 'Most points',
        description: 'Points of all members together; beyond it all have half as many, and so on.',
        minimum: 1024,
        maximum: 4_194_304,
        examples: [262_144],
      }),
    ),
  },
  {
    title: 'Ring hash',
    description: 'The same client gets the same member, by a ring (ketama): a change moves few.',
    examples: [{ type: 'ring-hash' }],
  },
)

const maglev = group(
  {
    type: kind('maglev', 'The same client gets the same member on every node.'),
    port,
    tableSize: preset(
      65_537,
      integer({
        title: 'Table size',
        description: 'A prime, at least a hundred times the number of members.',
        minimum: 251,
        maximum: 5_000_011,
        examples: [65_537],
      }),
    ),
  },
  {
    title: 'Maglev',
    description:
      'The same client gets the same member, on every node that has the same members: for anycast.',
    examples: [{ type: 'maglev' }],
  },
)

const rendezvous = group(
  { type: kind('rendezvous', 'The same client gets the same member; for small pools.'), port },
  {
    title: 'Rendezvous hash',
    description: 'The same client gets the same member, by the highest hash: for small pools.',
    examples: [{ type: 'rendezvous' }],
  },
)

const leastTime = group(
  {
    type: kind('least-time', 'The member that will probably answer soonest.'),
    choices: preset(
      2,
      either(
        [
          integer({
            title: 'Number',
            description: 'Members to draw by weight and compare.',
            minimum: 2,
            maximum: 64,
            examples: [2],
          }),
          choice(['all'], {
            title: 'All',
            description: 'Compares all members.',
            examples: ['all'],
          }),
        ],
        {
          title: 'Choices',
          description: 'Members to draw by weight and compare, or all.',
          examples: [2, 'all'],
        },
      ),
    ),
    decay: preset(
      '10s',
      duration({
        title: 'Decay',
        description: 'After this time a measurement counts for 1/e of what it did.',
        minimum: 1,
        examples: ['10s'],
      }),
    ),
    penalty: preset(
      '1s',
      duration({
        title: 'Penalty',
        description: 'Latency that a member is taken to have until its first answer.',
        examples: ['1s'],
      }),
    ),
  },
  {
    title: 'Least time',
    description: 'The member that will probably answer soonest (peak EWMA).',
    examples: [{ type: 'least-time' }],
  },
)

const first = group(
  { type: kind('first', 'The first member with room, by id.') },
  {
    title: 'First',
    description: 'The first member with room, by id: fills one before the next.',
    examples: [{ type: 'first' }],
  },
)

/** Who is next: the name of an algorithm, or the name with options. */
export const algorithmSchema = either(
  [
    choice(
      [
        'round-robin',
        'smooth-weighted-round-robin',
        'least-connections',
        'weighted-least-connections',
        'random',
        'source-hash',
        'ring-hash',
        'maglev',
        'rendezvous',
        'least-time',
        'first',
      ],
      {
        title: 'Algorithm',
        description: 'The name of an algorithm, with its defaults.',
        examples: ['round-robin', 'source-hash'],
      },
    ),
    variants(
      'type',
      [
        roundRobin,
        smooth,
        leastConnections,
        weightedLeastConnections,
        random,
        sourceHash,
        ringHash,
        maglev,
        rendezvous,
        leastTime,
        first,
      ],
      {
        title: 'Algorithm',
        description: 'An algorithm with options.',
        examples: [{ type: 'source-hash', consistent: true }],
      },
    ),
  ],
  {
    title: 'Algorithm',
    description: 'Who is next: the name of an algorithm, or the name with options.',
    examples: ['round-robin', 'source-hash', { type: 'maglev', tableSize: 65_537 }],
  },
)
