/** `<failsoft-chat>`: a whole chat on the stream contract, from the composer to the notice. */

import { isEnd, newKey, resumeChat, sendChat, storedIntent } from "./client.js"
import { element, look, sheet } from "./look.js"
import { Turn } from "./turn.js"
import { direction, labelsFor } from "./words.js"

/** @typedef {import("./client.js").ChatEvent} ChatEvent */
/** @typedef {import("./client.js").EndEvent} EndEvent */
/** @typedef {import("./client.js").Turn} Message */

const style = sheet(`
:host { display: block; min-inline-size: 0; background: var(--paper) }
.chat { display: flex; flex-direction: column; block-size: 100%; min-block-size: inherit; position: relative }
.talk { flex: 1 1 auto; min-block-size: 0; overflow-y: auto; overscroll-behavior: contain; scrollbar-gutter: stable both-edges; padding: 1rem }
.talk:focus-visible { outline-offset: -3px }
.inner { inline-size: 100%; max-inline-size: var(--failsoft-measure, 44rem); margin-inline: auto }
.turns:not(:empty) { padding-block: 0.5rem 1rem }
.turn + .turn { margin-block-start: 2rem }
.turn { border-radius: 0.25rem }
.turn > :not(.unseen) ~ :not(.unseen) { margin-block-start: 0.875rem }
.turn:focus-visible { outline-offset: 0.5rem }
.asked { display: flex; justify-content: flex-end }
.question {
  max-inline-size: 85%; padding: 0.625rem 1rem; overflow-wrap: anywhere; white-space: pre-wrap;
  background: var(--raised); border-radius: calc(var(--radius) * 1.3);
}
/* Blocks and no grid: what stands above is not laid out again when a line is added. */
.answer { overflow-wrap: anywhere }
.answer p + p { margin-block-start: 0.875em }
.answer:empty, .waiting:empty { display: none }
.answer p { white-space: pre-wrap; content-visibility: auto; contain-intrinsic-size: auto 4.8em }
.waiting { display: flex; gap: 0.75rem; align-items: baseline; color: var(--soft) }
.waiting .title { color: var(--ink); font-weight: 550 }
.left { font-variant-numeric: tabular-nums }
.dots { flex: none; inline-size: 0.625rem; block-size: 0.625rem; border-radius: 50%; background: var(--accent); animation: breathe 1.6s ease-in-out infinite }
.note { color: var(--soft); font-size: 0.875rem }
.foot { flex: none; padding: 0.25rem 1rem max(1rem, env(safe-area-inset-bottom)) }
form {
  display: flex; align-items: flex-end; gap: 0.5rem; padding: 0.375rem;
  background: var(--paper); border: 1px solid var(--edge); border-radius: calc(var(--radius) * 1.3);
}
form:focus-within { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent) }
textarea {
  flex: 1 1 8rem; min-inline-size: 0; min-block-size: 2.75rem; max-block-size: min(12rem, 35vh); padding: 0.5625rem 0.625rem;
  resize: none; field-sizing: content; font: inherit; color: inherit; background: none; border: 0; outline: none;
}
textarea:focus-visible { outline: none }
textarea::placeholder { color: var(--soft); opacity: 1 }
.stop { color: var(--ink); background: none; border-color: var(--edge) }
.stop:hover { background: var(--raised) }
.hint { margin: 0.375rem 0.5rem 0; color: var(--soft); font-size: 0.875rem }
@keyframes breathe { 50% { opacity: 0.3; scale: 0.8 } }
@media (max-width: 24rem) { .talk, .foot { padding-inline: 0.75rem } form button { padding-inline: 0.875rem } }
@media (max-width: 20rem) { form { flex-wrap: wrap } textarea { flex-basis: 100% } form button { flex: 1 } }
@media (forced-colors: active) { .dots { background: CanvasText } .question { border: 1px solid } }
`)

/**
 * A chat. Attributes: `url` of `POST /api/chat/stream`, `locale`, `theme` (`light` or `dark`; else
 * as the device), `name` (of what a reload finds, one for each chat on a page). `options` is sent
 * with every question. What is inside the element is its greeting, until the first question.
 *
 * Dispatches `failsoft-event` (every event as it came), `failsoft-request` (`requestId`, `key`,
 * `message`) and `failsoft-end` (the last event).
 */
export class FailsoftChat extends HTMLElement {
  static observedAttributes = ["locale", "theme", "dir"]

  /**
   * Sent with every question: `system`, `route`, `model`, `max_tokens`, `metadata`, `headers`,
   * `credentials`.
   * @type {Pick<import("./client.js").Question & import("./client.js").Options,
   *   "system" | "route" | "model" | "max_tokens" | "metadata" | "headers" | "credentials">}
   */
  options = {}

  /** @type {Turn[]} */
  #turns = []
  /** @type {AbortController | null} */
  #running = null
  #following = true
  #top = 0
  #built = false
  #chat = element("div", "chat")
  #talk = element("div", "talk")
  #greeting = element("div", "inner")
  #list = element("div", "turns inner")
  #said = element("div", "unseen")
  #input = element("textarea")
  #label = element("label", "unseen")
  #send = element("button", "send")
  #stop = element("button", "stop")
  #hint = element("p", "hint")

  constructor() {
    super()
    this.attachShadow({ mode: "open" })
  }

  /** Whether an answer is on its way. */
  get busy() {
    return this.#running !== null
  }

  connectedCallback() {
    if (this.#built) return
    this.#built = true
    this.#build()
    this.#resume()
  }

  attributeChangedCallback() {
    if (this.#built) this.#word()
  }

  /**
   * Ask. Gives the last event, or `null` where an answer is on its way already, or it was stopped.
   * @param {string} text
   * @returns {Promise<EndEvent | null>}
   */
  async ask(text) {
    if (this.busy || !text.trim()) return null
    const turn = this.#add({ question: text, key: newKey(), history: this.#history(), locale: this.#asked })
    return this.#run(turn)
  }

  /** Stop the answer that is on its way. */
  stop() {
    this.#running?.abort()
  }

  get #asked() {
    return this.getAttribute("locale") ?? undefined
  }

  get #labels() {
    return labelsFor(this.#locale)
  }

  get #locale() {
    return this.#asked ?? (document.documentElement.lang || navigator.language)
  }

  #history() {
    /** @type {Message[]} */
    const said = []
    for (const { question, flow, end } of this.#turns) {
      if (end?.type !== "done" || !flow.text.trim()) continue
      said.push({ role: "user", content: question }, { role: "assistant", content: flow.text })
    }
    return said
  }

  #build() {
    const root = /** @type {ShadowRoot} */ (this.shadowRoot)
    root.adoptedStyleSheets = [look, style]
    this.#greeting.append(document.createElement("slot"))
    this.#talk.append(this.#greeting, this.#list)
    this.#talk.tabIndex = 0
    this.#talk.role = "group"
    this.#talk.onscroll = () => this.#scrolled()
    new ResizeObserver(() => this.#follow()).observe(this.#list)
    this.#said.role = "status"
    this.#chat.append(this.#talk, this.#foot(), this.#said)
    this.#chat.addEventListener("failsoft-action", (event) => {
      const { detail, target } = /** @type {CustomEvent} */ (event)
      this.#act(detail.type, /** @type {Element} */ (target))
    })
    root.append(this.#chat)
    this.#word()
  }

  #foot() {
    const foot = element("div", "foot")
    const form = element("form", "inner")
    form.part.add("composer")
    this.#input.id = this.#label.htmlFor = "message"
    this.#input.rows = 1
    this.#input.onkeydown = (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
      event.preventDefault()
      form.requestSubmit()
    }
    this.#input.oninput = () => (this.#hint.hidden = true)
    this.#send.type = "submit"
    this.#stop.type = "button"
    this.#stop.hidden = this.#hint.hidden = true
    this.#stop.onclick = () => this.stop()
    form.onsubmit = (event) => {
      event.preventDefault()
      this.#submit()
    }
    form.append(this.#label, this.#input, this.#stop, this.#send)
    this.#hint.classList.add("inner")
    foot.append(form, this.#hint)
    return foot
  }

  /** The words and the look that the attributes ask for. */
  #word() {
    const labels = this.#labels
    this.#chat.lang = this.#locale
    this.#chat.dir = this.getAttribute("dir") ?? direction(this.#locale)
    this.#talk.ariaLabel = labels.talk
    this.#label.textContent = labels.ask
    this.#input.placeholder = labels.hint
    this.#send.textContent = labels.send
    this.#stop.textContent = labels.stop
    this.#hint.textContent = labels.busy
    for (const turn of this.#turns) turn.theme = this.#theme
  }

  get #theme() {
    return this.getAttribute("theme") ?? ""
  }

  #submit() {
    const text = this.#input.value
    if (!text.trim()) return
    if (this.busy) {
      this.#hint.hidden = false
      this.#say(this.#labels.busy)
      return
    }
    this.#input.value = ""
    this.ask(text)
  }

  /** Go on with what a reload has cut off. */
  #resume() {
    const intent = storedIntent({ name: this.#name })
    if (!intent || intent.url !== this.#url) return
    const { message, history = [], locale } = JSON.parse(intent.body)
    for (let n = 0; n + 1 < history.length; n += 2) {
      const before = this.#add({ question: history[n].content, key: "", history: [], locale })
      before.flow.append(history[n + 1].content)
      before.end = { type: "done", level: "full" }
    }
    const turn = this.#add({ question: message, key: intent.key, history, locale })
    this.#run(turn, (options) => resumeChat(options) ?? sendChat(this.#url, message, options))
  }

  get #url() {
    return new URL(this.getAttribute("url") ?? "/api/chat/stream", document.baseURI).href
  }

  get #name() {
    return this.getAttribute("name") ?? "failsoft"
  }

  /** @param {ConstructorParameters<typeof Turn>[0]} intent */
  #add(intent) {
    for (const before of this.#turns) before.rest()
    const turn = new Turn(intent, this.#labels)
    this.#turns.push(turn)
    this.#list.append(turn.element)
    this.#following = true
    // Not to be seen, but a heading in it is still the page's.
    this.#greeting.className = "unseen"
    return turn
  }

  /**
   * @param {Turn} turn
   * @param {(options: import("./client.js").Question & import("./client.js").Options) =>
   *   import("./client.js").Events} [begin]
   * @returns {Promise<EndEvent | null>}
   */
  async #run(turn, begin = (options) => sendChat(this.#url, turn.question, options)) {
    const { key, history, locale } = turn
    const running = (this.#running = new AbortController())
    this.#stop.hidden = false
    this.#send.ariaDisabled = "true"
    turn.begin()
    this.#say(this.#labels.working)
    try {
      const { signal } = running
      const name = this.#name
      const asked = history.length ? { history } : {}
      for await (const event of begin({ ...this.options, ...asked, key, locale, signal, name })) {
        this.#show(turn, event)
      }
    } catch (error) {
      if (!running.signal.aborted) throw error
      turn.stopped()
      this.#say(this.#labels.stopped)
    } finally {
      this.#rest()
    }
    return turn.end
  }

  #rest() {
    this.#running = null
    const had = this.shadowRoot?.activeElement === this.#stop
    this.#stop.hidden = this.#hint.hidden = true
    this.#send.ariaDisabled = "false"
    if (had) this.#input.focus()
  }

  /**
   * @param {Turn} turn
   * @param {ChatEvent} event
   */
  #show(turn, event) {
    if (event.type === "start") {
      this.#tell("failsoft-request", { requestId: event.request_id, key: turn.key, message: turn.question })
    } else if (event.type === "text") turn.append(event.text)
    else if (event.type === "restart") turn.clear()
    else if (event.type === "status") {
      turn.status(event)
      this.#say([event.notice.title, event.notice.body].filter(Boolean).join(". "))
    } else if (isEnd(event)) {
      turn.finish(event, this.#theme)
      // A failure is an alert of its own.
      this.#say(event.type !== "done" ? "" : (event.notice?.body ?? this.#labels.complete))
    }
    this.#tell("failsoft-event", event)
    if (isEnd(event)) this.#tell("failsoft-end", event)
  }

  /**
   * @param {string} type
   * @param {Element} notice
   */
  #act(type, notice) {
    const turn = this.#turns.find((each) => each.element.contains(notice))
    if (!turn) return
    if (type === "edit_input") {
      const draft = this.#input.value
      this.#input.value = draft ? `${turn.question}\n\n${draft}` : turn.question
      this.#input.focus()
    } else if (!this.busy) {
      const had = this.shadowRoot?.activeElement === notice
      // An answer that is there is given again for its key: another one is another request.
      if (turn.end?.type === "done") turn.key = newKey()
      this.#run(turn)
      // The button is gone that had the focus; the turn is where the person was.
      if (had) turn.element.focus({ preventScroll: true })
    }
  }

  /** @param {string} text */
  #say(text) {
    if (this.#said.textContent !== text) this.#said.textContent = text
  }

  #follow() {
    if (this.#following) this.#talk.scrollTop = this.#talk.scrollHeight
  }

  /** Who scrolls up to read is left there, and followed along again at the end. */
  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#talk
    const up = scrollTop < this.#top
    if (scrollHeight - scrollTop - clientHeight < 48) this.#following = true
    else if (up) this.#following = false
    this.#top = scrollTop
  }

  /**
   * @param {string} name
   * @param {unknown} detail
   */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }))
  }
}

customElements.get("failsoft-chat") ?? customElements.define("failsoft-chat", FailsoftChat)
