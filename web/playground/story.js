/** Requests as they are told by the feed: pure, so that it can be tried without a page. */

const MOST = 200

/**
 * What is known of one request. Times are seconds since the epoch, by the server's clock.
 * @typedef {object} Told
 * @property {string} id the beginning of the request's id
 * @property {number} at
 * @property {any[]} events
 * @property {any[]} attempts
 * @property {{ at: number, seconds: number, target: string }[]} waits
 * @property {any} [end] the RequestFinished
 * @property {number} [spokeAt] when the page showed its first words
 */

export class Story {
  constructor() {
    /** @type {Map<string, Told>} */
    this.requests = new Map()
    /** Stores that are out of reach. @type {string[]} */
    this.lacking = []
  }

  /** @param {{ name: string, up: boolean }[]} stores as the service's health has them */
  knows(stores) {
    this.lacking = stores.filter(({ up }) => !up).map(({ name }) => name)
  }

  /** The feed was interrupted: nobody will tell how what was under way has ended. */
  interrupted() {
    for (const [id, told] of this.requests) if (!told.end) this.requests.delete(id)
  }

  /** Take an event in; gives the request it is of, if any. @param {any} event */
  take(event) {
    const id = event.request_id
    if (!id) return this.#toAll(event)
    const told = this.requests.get(id) ?? this.#begin(id, event.at)
    told.events.push(event)
    this.#steps[event.type]?.(told, event)
    return told
  }

  /** The request whose whole id is known. @param {string} whole */
  find(whole) {
    return [...this.requests.values()].find((told) => whole.startsWith(told.id))
  }

  /** @type {Record<string, (told: Told, event: any) => void>} */
  #steps = {
    RequestStarted: (told, event) => {
      // The same key again is the next run of the same request: its story begins anew.
      const lacking = this.lacking.map((store) => ({ type: "StoreChanged", at: event.at, store, up: false }))
      Object.assign(told, { at: event.at, events: [event, ...lacking], attempts: [], waits: [], end: undefined, spokeAt: 0 })
    },
    AttemptStarted: (told, event) => {
      told.attempts.push({ ...event, from: event.at, to: null, category: "", outcome: "" })
    },
    AttemptFinished: (told, event) => {
      const attempt = told.attempts.find((each) => each.number === event.number)
      if (attempt) Object.assign(attempt, event, { from: event.at - event.duration_seconds, to: event.at })
    },
    RetryScheduled: (told, event) => {
      const target = told.attempts.at(-1)?.target ?? ""
      told.waits.push({ at: event.at, seconds: event.wait_seconds, target })
    },
    RequestFinished: (told, event) => {
      told.end = event
    },
  }

  #begin(id, at) {
    const told = { id, at, events: [], attempts: [], waits: [], end: undefined }
    this.requests.set(id, told)
    if (this.requests.size > MOST) this.requests.delete(this.requests.keys().next().value)
    return told
  }

  /** A breaker concerns every request under way. */
  #toAll(event) {
    for (const told of this.requests.values()) if (!told.end) told.events.push(event)
    return null
  }
}

/** What became of a request, in one word. @param {Told} told */
export function fate(told) {
  const end = told.end
  if (!end) return "open"
  if (end.outcome === "cancelled") return "cancelled"
  if (end.interrupted) return "cut"
  if (end.outcome !== "success") return "notice"
  if (end.level !== "full") return "instead"
  return end.attempts > 1 || end.position > 0 ? "rescued" : "answered"
}
