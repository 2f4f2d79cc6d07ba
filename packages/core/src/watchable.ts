import { surface } from './listener-error.ts'

/** A value that others follow: read it now, and hear of each change. Health is one; advertisement follows it. */
export interface Watchable<T> {
  /** The value at this moment. */
  readonly current: T
  /**
   * Calls `listener` after each change, not for the present value; dispose to stop. `previous` is what this listener
   * was told last, so that its values form one chain. One that throws does not keep the others from hearing: its
   * error is rethrown in a microtask.
   */
  watch(listener: (value: T, previous: T) => void): Disposable
}

/** The owner's side of a {@link Watchable}. */
export interface Cell<T> extends Watchable<T> {
  /** Replaces the value; listeners hear of it only when it differs by `Object.is`. */
  set(value: T): void
}

/** Lets the owner of a {@link Cell} work only while somebody watches. */
export interface CellHooks {
  /** The first listener came. */
  readonly wake?: () => void
  /** The last listener went. */
  readonly rest?: () => void
}

/** A {@link Watchable} with an owner; the hooks tell when somebody begins and ceases to watch. */
export function cell<T>(initial: T, hooks: CellHooks = {}): Cell<T> {
  let current = initial
  const followers = new Set<Follower<T>>()
  return {
    get current() {
      return current
    },
    set(value) {
      if (Object.is(value, current)) return
      current = value
      for (const follower of [...followers]) {
        // A listener that sets the cell again has told the others of the newer value already.
        if (Object.is(follower.told, current) || !followers.has(follower)) continue
        const previous = follower.told
        follower.told = current
        try {
          follower.listener(current, previous)
        } catch (error) {
          surface(error)
        }
      }
    },
    watch(listener) {
      const follower: Follower<T> = { listener, told: current }
      followers.add(follower)
      if (followers.size === 1) hooks.wake?.()
      return {
        [Symbol.dispose]() {
          if (followers.delete(follower) && followers.size === 0) hooks.rest?.()
        },
      }
    },
  }
}

interface Follower<T> {
  readonly listener: (value: T, previous: T) => void
  /** The value that it heard of last, or that stood when it came. */
  told: T
}

/** A value that never changes. */
export function constant<T>(value: T): Watchable<T> {
  return { current: value, watch: () => ({ [Symbol.dispose]() {} }) }
}

/**
 * Follows several watchables through one pure function; subscribes to them only while somebody watches. It is computed
 * from what the sources hold at the moment of reading, so that two ways from one source never show a mixture of old
 * and new; with the same inputs it is the same value.
 */
export function derive<T, const Sources extends readonly Watchable<unknown>[]>(
  sources: Sources,
  compute: (...values: { [K in keyof Sources]: Sources[K]['current'] }) => T,
): Watchable<T> {
  type Values = { [K in keyof Sources]: Sources[K]['current'] }
  let inputs: readonly unknown[] | undefined
  let result: T
  const read = (): T => {
    const values = sources.map((source) => source.current)
    if (inputs === undefined || values.some((value, index) => !Object.is(value, inputs?.[index]))) {
      result = compute(...(values as Values))
      inputs = values
    }
    return result
  }
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
      return read()
    },
    watch(listener) {
      if (subscriptions.length === 0) inner.set(read())
      return inner.watch(listener)
    },
  }
}

/** One watchable seen through a function. */
export function map<T, U>(source: Watchable<T>, compute: (value: T) => U): Watchable<U> {
  return derive([source], compute)
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
