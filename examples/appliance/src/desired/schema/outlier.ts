import { flag, group, integer, preset } from './field.ts'
import { duration } from './forms.ts'

/** Passive detection: members that fail live connections are taken out for a while. */
export const outlierSchema = group(
  {
    consecutiveFailures: preset(
      5,
      integer({
        title: 'Consecutive failures',
        description: 'Failed connects in a row that eject a member.',
        minimum: 1,
        maximum: 100_000,
        examples: [5],
      }),
    ),
    baseEjection: preset(
      '30s',
      duration({
        title: 'Base ejection',
        description: 'How long the first ejection lasts; each further one lasts as much longer.',
        minimum: 1,
        examples: ['30s'],
      }),
    ),
    maxEjection: preset(
      '5m',
      duration({
        title: 'Longest ejection',
        description: 'No ejection lasts longer, but for the jitter.',
        minimum: 1,
        examples: ['5m'],
      }),
    ),
    maxEjectedPercent: preset(
      10,
      integer({
        title: 'Most ejected',
        description: 'The highest share of the enabled members that is out at a time, in percent.',
        minimum: 0,
        maximum: 100,
        examples: [10, 50],
      }),
    ),
    atLeastOne: preset(
      true,
      flag({
        title: 'At least one',
        description:
          'One member may be ejected even where that is more than the share, as in small pools; the last one never is.',
        examples: [false],
      }),
    ),
    jitter: preset(
      '0s',
      duration({
        title: 'Jitter',
        description:
          'Each ejection is longer by up to this, at random, so that members do not come back in step.',
        examples: ['5s'],
      }),
    ),
    readmitOnCheck: preset(
      true,
      flag({
        title: 'Readmit on check',
        description: 'A health check that passes ends an ejection.',
        examples: [false],
      }),
    ),
  },
  {
    title: 'Outlier detection',
    description:
      'Takes members out for a while that fail live connections, between health checks. Default: none.',
    examples: [{ consecutiveFailures: 5, baseEjection: '30s' }],
  },
)
