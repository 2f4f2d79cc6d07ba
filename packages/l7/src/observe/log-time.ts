/** Text of a moment, given in milliseconds since the epoch; always UTC, so that no line depends on where it was written. */
export type TimeText = (ms: number) => string

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const three = (value: number): string => String(value).padStart(3, '0')
const two = (value: number): string => String(value).padStart(2, '0')

/** Makes a {@link TimeText} as `2026-02-06T12:14:14.655Z` (RFC 3339). */
export function isoTime(): TimeText {
  const start = eachSecond((second) => new Date(second * 1000).toISOString().slice(0, 20))
  return (ms) => `${start(ms)}${three(milliseconds(ms))}Z`
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
  const date = new Date(second * 1000)
  const day = `${two(date.getUTCDate())}/${months[date.getUTCMonth()]!}/${date.getUTCFullYear()}`
  return `${day}:${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`
}
