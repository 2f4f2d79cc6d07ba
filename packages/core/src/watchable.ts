/** A value that others follow: read it now, and hear of each change. Health is one; advertisement follows it. */
export interface Watchable<T> {
  /** The value at this moment. */
  readonly current: T
  /** Calls `listener` after each change, not for the present value; dispose to stop. */
  watch(listener: (value: T, previous: T) => void): Disposable
}

/** The owner's side of a {@link Watchable}. */
export interface Cell<T> extends Watchable<T> {
  /** Replaces the value; listeners hear of it only when it differs by `Object.is`. */
  set(value: T): void
}

interface CellHooks {
  /** The first listener came. */
  readonly wake?: () => void
  /** The last listener went. */
  readonly rest?: () => void
}

/** A {@link Watchable} with an owner; the hooks tell when somebody begins and ceases to watch. */
export function cell<T>(initial: T, hooks: CellHooks = {}): Cell<T> {
  let current = initial
  const listeners = new Set<(value: T, previous: T) => void>()
  return {
    get current() {
      return current
    },
    set(value) {
      if (Object.is(value, current)) return
      const previous = current
      current = value
      for (const listener of [...listeners]) {
        // A listener that sets the cell again has already told everybody of the newer value.
        if (!Object.is(current, value)) return
        if (listeners.has(listener)) listener(value, previous)
      }
    },
    watch(listener) {
      const entry = (value: T, previous: T): void => listener(value, previous)
      listeners.add(entry)
      if (listeners.size === 1) hooks.wake?.()
      return {
        [Symbol.dispose]() {
          if (listeners.delete(entry) && listeners.size === 0) hooks.rest?.()
        },
      }
    },
  }
}

/** A value that never changes. */
export function constant<T>(value: T): Watchable<T> {
  return { current: value, watch: () => ({ [Symbol.dispose]() {} }) }
}

/** Follows several watchables through one function; subscribes to them only while somebody watches. */
export function derive<T, const Sources extends readonly Watchable<unknown>[]>(
  sources: Sources,
  compute: (...values: { [K in keyof Sources]: Sources[K]['current'] }) => T,
): Watchable<T> {
  const read = (): T =>
    compute(
      ...(sources.map((source) => source.current) as {
        [K in keyof Sources]: Sources[K]['current']
      }),
    )
  let subscriptions: Disposable[] = []
  const inner = cell<T>(read(), {
    wake() {
      subscriptions = sources.map((source) => source.watch(() => inner.set(read())))
    },
    rest() {
      for (const subscription of subscriptions) subscription[Symbol.dispose]()
      subscriptions = []
    },
  })
  return {
    get current() {
      return subscriptions.length > 0 ? inner.current : read()
    },
    watch(listener) {
      if (subscriptions.length === 0) inner.set(read())
      return inner.watch(listener)
    },
  }
}

/** One watchable seen through a function. */
export function map<T, U>(source: Watchable<T>, compute: (value: T) => U): Watchable<U> {
  return derive([source], compute as (...values: readonly [T]) => U)
}

/** True while all are true; true for none. */
export function all(...sources: readonly Watchable<boolean>[]): Watchable<boolean> {
  return derive(sources, (...values) => values.every(Boolean))
}

/** True while at least one is true; false for none. */
export function any(...sources: readonly Watchable<boolean>[]): Watchable<boolean> {
  return derive(sources, (...values) => values.some(Boolean))
}

/** True while the source is false. */
export function not(source: Watchable<boolean>): Watchable<boolean> {
  return map(source, (value) => !value)
}
