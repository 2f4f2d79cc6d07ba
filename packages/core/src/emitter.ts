import { surface } from './listener-error.ts'

/** A typed event source: events tell, they never ask. */
export interface EventSource<Events> {
  /** Calls `listener` for each event of this name until the subscription is disposed. */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): Disposable
}

/** The owner's side of an {@link EventSource}. */
export interface Emitter<Events> extends EventSource<Events> {
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void
  /** Does anybody listen? Saves making an event that nobody hears. */
  heard(name: keyof Events): boolean
}

/**
 * A small synchronous emitter. Listeners may come and go during an emit: one that goes hears nothing more, one that
 * comes hears the next event. One that throws does not keep the others from hearing; its error is rethrown in a
 * microtask, where it is as visible as any uncaught one.
 */
export function emitter<Events>(): Emitter<Events> {
  const listeners = new Map<keyof Events, Set<(event: never) => void>>()
  return {
    on(name, listener) {
      let set = listeners.get(name)
      if (set === undefined) listeners.set(name, (set = new Set()))
      const entry = (event: Events[typeof name]): void => listener(event)
      set.add(entry)
      return { [Symbol.dispose]: () => void set.delete(entry) }
    },
    heard: (name) => (listeners.get(name)?.size ?? 0) > 0,
    emit(name, event) {
      const set = listeners.get(name)
      if (set === undefined) return
      for (const listener of [...set]) {
        if (!set.has(listener)) continue
        try {
          ;(listener as (event: Events[typeof name]) => void)(event)
        } catch (error) {
          surface(error)
        }
      }
    },
  }
}
