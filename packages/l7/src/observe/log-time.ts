/** Text of a moment, given in milliseconds since the epoch; always UTC, so that no line depends on where it was written. */
export type TimeText = (ms: number) => string

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const three = (value: number): string => String(value).padStart(3, '0')
const two = (value: number): string => String(value).padStart(2, '0')

/** Makes a {@link TimeText} as `2026-02-06T12:14:14.655Z` (RFC 3339). */
export function isoTime(): TimeText {
  const start = eachSecond((second) => {
    const { year, month, day } = dateOf(second)
    return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}T${clockText(second)}`
  })
  return (ms) => `${start(ms)}.${three(milliseconds(ms))}Z`
}

/** Makes a {@link TimeText} as `06/Feb/2026:12:14:14 +0000`, for common and combined logs. */
export function commonTime(): TimeText {
  return eachSecond((second) => `${dayAndTime(second)} +0000`)
}

/** Makes a {@link TimeText} as `06/Feb/2026:12:14:14.655`, as HAProxy writes it. */
export function haproxyTime(): TimeText {
  const start = eachSecond(dayAndTime)
  return (ms) => `${start(ms)}.${three(milliseconds(ms))}`
}

function milliseconds(ms: number): number {
  return Math.floor(ms) - Math.floor(ms / 1000) * 1000
}

/** Lines of one second share its text. */
function eachSecond(make: (second: number) => string): TimeText {
  let last = Number.NaN
  let text = ''
  return (ms) => {
    const second = Math.floor(ms / 1000)
    if (second !== last) {
      text = make(second)
      last = second
    }
    return text
  }
}

function dayAndTime(second: number): string {
  const { year, month, day } = dateOf(second)
  return `${two(day)}/${months[month - 1]!}/${year}:${clockText(second)}`
}

const secondsOfDay = 86_400

function clockText(second: number): string {
  const time = second - Math.floor(second / secondsOfDay) * secondsOfDay
  return `${two(Math.floor(time / 3600))}:${two(Math.floor(time / 60) % 60)}:${two(time % 60)}`
}

/** The day of the Gregorian calendar; years begin in March here, so that a leap day is their last. */
function dateOf(second: number): { year: number; month: number; day: number } {
  const days = Math.floor(second / secondsOfDay) + 719_468
  const era = Math.floor(days / 146_097)
  const ofEra = days - era * 146_097
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) /
      365,
  )
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const march = Math.floor((5 * ofYear + 2) / 153)
  const month = march < 10 ? march + 3 : march - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: ofYear - Math.floor((153 * march + 2) / 5) + 1,
  }
}
