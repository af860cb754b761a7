/**
 * A client of the stream contract: one question, its answer as events, whatever happens to the
 * connection. Nothing is asked twice, no text is repeated or lost, and there is one end.
 *
 * For browsers and Node 20 or later; it needs nothing else.
 */

import { outagesFor } from "./words.js"

/**
 * Words for a person: what happened, whose move it is, what to do now.
 * @typedef {object} Notice
 * @property {string} title
 * @property {string} body
 * @property {string} primary_action_label
 * @property {ActionType} primary_action_type
 * @property {number | null} retry_countdown_seconds
 * @property {boolean} show_status_page_link
 * @property {"info" | "warning" | "error"} severity
 * @property {string} reference what a person tells support: the request's id
 * @property {string} locale
 */

/** @typedef {"retry" | "edit_input" | "contact_support" | "wait" | "continue"} ActionType */
/** @typedef {{ type: "start", request_id: string }} StartEvent */
/** @typedef {{ type: "text", text: string }} TextEvent */

/**
 * Why the person waits. `client` is there where the page says it by itself: `offline`, or `lost`
 * where the service cannot be reached.
 * @typedef {object} StatusEvent
 * @property {"status"} type
 * @property {"retrying" | "switching" | "waiting" | "degraded" | "resuming"} phase
 * @property {Notice} notice
 * @property {number | null} retry_in_seconds
 * @property {"offline" | "lost"} [client]
 */

/**
 * What was shown before is taken back.
 * @typedef {{ type: "restart", segment: number }} RestartEvent
 */

/**
 * The answer is whole.
 * @typedef {object} DoneEvent
 * @property {"done"} type
 * @property {"full" | "cached" | "rule" | "minimal"} level
 * @property {number} [tokens]
 * @property {"complete" | "length" | "paused"} [finish]
 * @property {Record<string, number>} [usage]
 * @property {Notice} [notice]
 * @property {string[]} [suggested_actions]
 * @property {number} [retry_in_seconds]
 * @property {string} [model]
 * @property {{ age_seconds: number }} [cache]
 * @property {Record<string, string>} [links]
 */

/**
 * There is no answer, or a part of one. `client` is there where the page says it by itself: `down`
 * where the service could not be reached, `refused` or `denied` where it did not take the question.
 * @typedef {object} FailedEvent
 * @property {"stream_interrupted" | "error"} type
 * @property {number} [tokens_before_error]
 * @property {number} [chars_before_error]
 * @property {string} user_message
 * @property {boolean} retryable
 * @property {ActionType} action
 * @property {Notice} error
 * @property {string} error_category
 * @property {string[]} suggested_actions
 * @property {number} [retry_in_seconds]
 * @property {Record<string, string>} [links]
 * @property {"down" | "refused" | "denied"} [client]
 * @property {string} [detail] what the service said is wrong with the question; for developers
 */

/** @typedef {DoneEvent | FailedEvent} EndEvent */
/** @typedef {StartEvent | StatusEvent | TextEvent | RestartEvent | EndEvent} ChatEvent */
/** @typedef {{ role: "user" | "assistant", content: string }} Turn */

/**
 * What is kept of the intent under way, so that a reload finds it.
 * @typedef {object} Intent
 * @property {string} url
 * @property {string} key
 * @property {string} body the POST's, as it was sent
 * @property {string} [requestId]
 * @property {number} [lastEventId]
 */

/** @typedef {AsyncGenerator<ChatEvent, void, undefined>} Events */

/**
 * @typedef {object} Options
 * @property {AbortSignal} [signal] ends it: the request is cancelled, best effort, and the
 *   iterator throws the signal's reason
 * @property {(event: ChatEvent) => void} [onEvent] told of each event before it is given out
 * @property {Pick<Storage, "getItem" | "setItem" | "removeItem"> | null} [storage] where the intent
 *   is kept; `sessionStorage` where there is one, `null` for nowhere
 * @property {string} [name] its name in the storage; one for each chat on a page
 * @property {string} [locale] of notices, the page's own words too
 * @property {Record<string, string>} [headers] for every request
 * @property {RequestCredentials} [credentials] for every request
 * @property {number} [tries] how often in a row, without any news, it is tried; 10
 * @property {number} [baseMs] the first wait is up to this long, in milliseconds; 500
 * @property {number} [capMs] no wait is longer, in milliseconds; 20,000. Told to wait longer, it ends
 * @property {number} [silenceMs] a connection without a byte for so long is lost; 45,000, three
 *   heartbeats of the service
 */

/**
 * @typedef {object} Question
 * @property {string} [key] the Idempotency-Key: that of an earlier call tries the same again
 * @property {Turn[]} [history] earlier messages
 * @property {string} [system]
 * @property {string} [model]
 * @property {string} [route]
 * @property {number} [max_tokens]
 * @property {Record<string, unknown>} [metadata]
 */

const FIELDS = /** @type {const} */ (["history", "system", "model", "route", "max_tokens", "locale", "metadata"])
const NAME = "failsoft"

/** What a try came to that gave no end: no news, `seconds` to wait, or `status` for good. */
class Trouble extends Error {
  /** @param {{ status?: number, seconds?: number, body?: any }} [what] */
  constructor({ status, seconds, body } = {}) {
    super(body?.detail ?? "no reply")
    this.status = status
    this.seconds = seconds ?? 0
    this.body = body
  }
}

/**
 * Whether an event is the last one.
 * @param {{ type: string }} event
 * @returns {event is EndEvent}
 */
export function isEnd(event) {
  return ["done", "stream_interrupted", "error"].includes(event.type)
}

/** A key for one intent: send it again with everything that means the same. */
export function newKey() {
  // A page that did not come over TLS has no randomUUID.
  return crypto.randomUUID?.() ?? crypto.getRandomValues(new Uint32Array(4)).join("-")
}

/**
 * Ask, and give the answer's events up to its one end.
 *
 *     for await (const event of sendChat("/api/chat/stream", "What does a payslip prove?")) {
 *       if (event.type === "text") show(event.text)
 *     }
 *
 * Leaving the loop early leaves the request running: `resumeChat` finds it. Aborting cancels it.
 * @param {string | URL} url of `POST /api/chat/stream`
 * @param {string} message
 * @param {Question & Options} [options]
 * @returns {Events}
 */
export function sendChat(url, message, options = {}) {
  /** @type {Record<string, unknown>} */
  const body = { message }
  for (const field of FIELDS) if (options[field] !== undefined) body[field] = options[field]
  const intent = { url: absolute(url), key: options.key ?? newKey(), body: JSON.stringify(body) }
  return new Run(intent, options).events()
}

/**
 * Go on with the intent that a reload has left in the storage; `null` if there is none. The answer
 * comes from its beginning, for a new page has nothing of it; with `after: true` only what comes
 * after the last event that was read.
 * @param {Options & { after?: boolean }} [options]
 * @returns {Events | null}
 */
export function resumeChat(options = {}) {
  const intent = storedIntent(options)
  if (!intent) return null
  return new Run(options.after ? intent : { ...intent, lastEventId: 0 }, options).events()
}

/**
 * The intent in the storage: one under way, or one that ended without an answer.
 * @param {Options} [options]
 * @returns {Intent | null}
 */
export function storedIntent(options = {}) {
  const [kept, last] = stored(options, (storage, name) => [storage.getItem(name), storage.getItem(`${name}:last`)]) ?? []
  return kept ? { ...JSON.parse(kept), lastEventId: Number(last) } : null
}

/**
 * Forget the intent in the storage.
 * @param {Options} [options]
 */
export function forgetIntent(options = {}) {
  stored(options, (storage, name) => [storage.removeItem(name), storage.removeItem(`${name}:last`)])
}

/** One intent on its way to its end. */
class Run {
  #texts = 0
  #chars = 0
  /** The last `status` of the service, where nothing came after it. @type {ChatEvent | undefined} */
  #status
  /** Whether the person was told that there is no connection. */
  #told = false
  #line = new AbortController()

  /** @param {Intent} intent @param {Options} options */
  constructor(intent, options) {
    this.intent = intent
    this.options = options
    this.words = outagesFor(options.locale ?? JSON.parse(intent.body).locale)
  }

  /** @returns {Events} */
  async *events() {
    const { signal, onEvent } = this.options
    const stop = () => this.#stop()
    signal?.throwIfAborted()
    signal?.addEventListener("abort", stop)
    this.#keep()
    try {
      for await (const event of this.#tries()) {
        if (event.type === "done") forgetIntent(this.options)
        onEvent?.(event)
        yield event
      }
    } finally {
      signal?.removeEventListener("abort", stop)
    }
  }

  /** @returns {Events} */
  async *#tries() {
    const { signal, tries = 10 } = this.options
    for (let failures = 0; ; ) {
      let trouble
      try {
        for await (const event of this.#connection()) {
          failures = 0
          yield event
          if (isEnd(event)) return
        }
      } catch (error) {
        trouble = error
      }
      signal?.throwIfAborted()
      const offline = globalThis.navigator?.onLine === false
      failures = offline ? 0 : failures + 1
      const { status, seconds, body } = trouble instanceof Trouble ? trouble : new Trouble()
      if (status === 404 && this.intent.requestId) {
        yield* this.#anew()
      } else if (status) {
        yield this.#failed(status === 401 || status === 403 ? "denied" : "refused", body)
        return
      }
      const ms = this.#wait(failures, seconds)
      if (failures >= tries || ms === null) {
        yield this.#failed("down", body)
        return
      }
      if (offline || failures > 1 || ms > 1000) {
        this.#told = true
        yield this.#waiting(offline, Math.ceil(ms / 1000))
      }
      await pause(ms, offline, signal)
    }
  }

  /**
   * Milliseconds to the next try, `null` where that is too long: full jitter, after what was told.
   * @param {number} failures
   * @param {number} seconds
   */
  #wait(failures, seconds) {
    const { baseMs = 500, capMs = 20_000 } = this.options
    if (seconds * 1000 > capMs) return null
    const most = failures ? Math.min(capMs, baseMs * 2 ** (failures - 1)) : capMs
    return seconds * 1000 + Math.random() * most
  }

  /**
   * The events of one connection, none of them twice.
   * @returns {Events}
   */
  async *#connection() {
    const { silenceMs = 45_000 } = this.options
    const line = (this.#line = new AbortController())
    let timer = setTimeout(() => line.abort(), silenceMs)
    const heard = () => {
      clearTimeout(timer)
      timer = setTimeout(() => line.abort(), silenceMs)
    }
    try {
      const reply = await this.#open(line)
      if (!reply) return yield* this.#ended()
      if (this.#told) yield this.#again()
      for await (const { id, data } of frames(reply, heard)) {
        if (id && id <= (this.intent.lastEventId ?? 0)) continue
        yield this.#noted(JSON.parse(data), id)
      }
    } finally {
      clearTimeout(timer)
      // A POST whose reply has not come yet is let go on until its id is known: see #stop.
      if (this.intent.requestId) line.abort()
    }
  }

  /**
   * The reply with events; `null` where there is no more than the status.
   * @param {AbortController} line
   */
  async #open(line) {
    const { requestId, key, lastEventId } = this.intent
    const sent = requestId
      ? this.#fetch("GET", "/stream", line, lastEventId ? { "last-event-id": `${lastEventId}` } : {})
      : this.#fetch("POST", "", line, { "content-type": "application/json", "idempotency-key": key })
    const noted = sent.then((reply) => {
      if (reply.ok && !requestId) this.intent.requestId = reply.headers.get("x-request-id") ?? undefined
      if (this.options.signal?.aborted) this.#stop()
      return reply
    })
    const reply = await unlessAborted(noted, this.options.signal)
    if (reply.status === 204 || (reply.status === 409 && requestId)) return null
    if (!reply.ok) throw await troubleOf(reply)
    if (!reply.headers.get("content-type")?.startsWith("text/event-stream")) throw new Trouble()
    this.#keep()
    return reply
  }

  /**
   * @param {string} method
   * @param {string} path below the request's own address
   * @param {AbortController} [line]
   * @param {Record<string, string>} [headers]
   */
  #fetch(method, path, line, headers) {
    const { url, requestId, body } = this.intent
    const { headers: own, credentials } = this.options
    const post = method === "POST"
    return fetch(post ? url : `${new URL(`../requests/${encodeURIComponent(requestId ?? "")}`, url)}${path}`, {
      method,
      headers: { ...own, ...headers },
      body: post ? body : undefined,
      credentials,
      cache: "no-store",
      keepalive: method === "DELETE",
      signal: line?.signal,
    })
  }

  /** @param {ChatEvent} event @param {number} id */
  #noted(event, id) {
    if (id) {
      this.intent.lastEventId = id
      stored(this.options, (storage, name) => storage.setItem(`${name}:last`, `${id}`))
    }
    if (event.type === "start" && !this.intent.requestId) {
      // Another origin may not have exposed the header.
      this.intent.requestId = event.request_id
      this.#keep()
    }
    if (event.type === "start" || event.type === "restart") this.#texts = this.#chars = 0
    if (event.type === "text") {
      this.#texts++
      this.#chars += [...event.text].length
    }
    this.#status = event.type === "status" ? event : undefined
    this.#told = false
    return event
  }

  /**
   * How it ended, from its status: its stream has nothing more to tell.
   * @returns {Events}
   */
  async *#ended() {
    const reply = await this.#fetch("GET", "", this.#line)
    if (!reply.ok) throw await troubleOf(reply)
    const { status, text, result, notice, retryable, retry_in_seconds, actions } = await reply.json()
    if (text && !this.#texts && !this.intent.lastEventId) yield this.#noted({ type: "text", text }, 0)
    if (status === "done") yield { type: "done", ...result, level: result?.level ?? "full" }
    else if (notice && status !== "queued" && status !== "running") {
      yield this.#failed(undefined, { error: notice, retryable, retry_in_seconds, suggested_actions: actions })
    } else throw new Trouble()
  }

  /**
   * The service does not know the request any more: ask again, and take back what was shown.
   * @returns {Events}
   */
  async *#anew() {
    this.intent.requestId = undefined
    this.intent.lastEventId = 0
    if (this.#texts) yield this.#noted({ type: "restart", segment: 1 }, 0)
  }

  /** @returns {ChatEvent} */
  #again() {
    this.#told = false
    const notice = this.#notice([this.words.working, ""], "wait", null)
    return this.#status ?? { type: "status", phase: "resuming", notice, retry_in_seconds: null }
  }

  /** @param {boolean} offline @param {number} seconds @returns {ChatEvent} */
  #waiting(offline, seconds) {
    const client = offline ? "offline" : "lost"
    const wait = offline ? null : seconds
    const notice = this.#notice(this.words[client], "wait", wait)
    return { type: "status", phase: "resuming", notice, retry_in_seconds: wait, client }
  }

  /**
   * @param {FailedEvent["client"]} client
   * @param {any} body of the reply: the service's own words are better than the page's
   * @returns {FailedEvent}
   */
  #failed(client, body) {
    const action = client === "down" ? "retry" : client === "denied" ? "contact_support" : "edit_input"
    const said = body?.error
    /** @type {Notice} */
    const error = said ?? this.#notice(this.words[client ?? "down"], action, null, client === "denied" ? "error" : "warning")
    return {
      type: this.#texts ? "stream_interrupted" : "error",
      tokens_before_error: this.#texts,
      chars_before_error: this.#chars,
      user_message: error.body,
      retryable: body?.retryable ?? client === "down",
      action: error.primary_action_type,
      error,
      error_category: body?.error_category ?? (client === "down" ? "transient" : "permanent"),
      suggested_actions: body?.suggested_actions ?? [],
      retry_in_seconds: body?.retry_in_seconds,
      links: body?.links,
      client: said ? undefined : client,
      detail: body?.detail,
    }
  }

  /**
   * @param {string[]} said title and body
   * @param {ActionType} action
   * @param {number | null} seconds
   * @param {Notice["severity"]} [severity]
   * @returns {Notice}
   */
  #notice([title, body], action, seconds, severity = "info") {
    const { retry, edit, contact, locale } = this.words
    return {
      title,
      body,
      primary_action_label: action === "edit_input" ? edit : action === "contact_support" ? contact : retry,
      primary_action_type: action,
      retry_countdown_seconds: seconds,
      show_status_page_link: action === "retry",
      severity,
      reference: this.intent.requestId ?? "",
      locale,
    }
  }

  /** Cancel it as soon as its id is known, best effort, and forget it. */
  #stop() {
    forgetIntent(this.options)
    if (!this.intent.requestId) return
    this.#line.abort()
    this.#fetch("DELETE", "").catch(() => {})
  }

  #keep() {
    const { lastEventId, ...intent } = this.intent
    stored(this.options, (storage, name) => {
      storage.setItem(name, JSON.stringify(intent))
      storage.setItem(`${name}:last`, `${lastEventId ?? 0}`)
    })
  }
}

/**
 * Do something with the storage; nothing where there is none, or it is full or forbidden.
 * @template T
 * @param {Options} options
 * @param {(storage: Pick<Storage, "getItem" | "setItem" | "removeItem">, name: string) => T} use
 */
function stored({ storage, name = NAME }, use) {
  try {
    const found = storage === undefined ? globalThis.sessionStorage : storage
    return found ? use(found, name) : undefined
  } catch {
    return undefined
  }
}

/**
 * The frames of an event stream: their ids and data.
 * @param {Response} reply
 * @param {() => void} heard called whenever anything comes in
 */
async function* frames(reply, heard) {
  if (!reply.body) return
  const reader = reply.body.getReader()
  const decoder = new TextDecoder()
  let rest = ""
  for (let part; !(part = await reader.read()).done; ) {
    heard()
    const blocks = (rest + decoder.decode(part.value, { stream: true }).replaceAll("\r", "")).split("\n\n")
    rest = blocks.pop() ?? ""
    for (const block of blocks) {
      const id = Number(/^id: (\d+)$/m.exec(block)?.[1] ?? 0)
      const data = /^data: (.*)$/m.exec(block)?.[1]
      if (data && data !== "[DONE]") yield { id, data }
    }
  }
}

/** @param {Response} reply one that is no answer */
async function troubleOf(reply) {
  const body = await reply.json().catch(() => undefined)
  const { status, headers } = reply
  if (status < 500 && status !== 408 && status !== 429) return new Trouble({ status, body })
  const after = headers.get("retry-after") ?? "0"
  const seconds = Number.isNaN(+after) ? (Date.parse(after) - Date.now()) / 1000 : +after
  return new Trouble({ seconds: Math.max(0, seconds || 0, body?.retry_in_seconds ?? 0), body })
}

/**
 * @template T
 * @param {Promise<T>} pending
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<T>}
 */
function unlessAborted(pending, signal) {
  if (!signal) return pending
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener("abort", stop)
    pending.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop))
  })
}

/**
 * Wait; an offline device's wait ends when it is online again, any wait when it is aborted.
 * @param {number} ms
 * @param {boolean} offline
 * @param {AbortSignal | undefined} signal
 */
function pause(ms, offline, signal) {
  const told = new AbortController()
  const waited = new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    if (offline) globalThis.addEventListener?.("online", resolve, { signal: told.signal })
    told.signal.addEventListener("abort", () => clearTimeout(timer))
  })
  return unlessAborted(waited, signal).finally(() => told.abort())
}

/** @param {string | URL} url */
function absolute(url) {
  return new URL(url, globalThis.document?.baseURI).href
}
