/** One question and its answer as they are seen: text, what is waited for, and a notice below. */

import { countDown, duration, element } from "./look.js"
import { direction } from "./words.js"
import "./notice.js"

/** @typedef {import("./client.js").StatusEvent} StatusEvent */
/** @typedef {import("./client.js").EndEvent} EndEvent */
/** @typedef {import("./client.js").Turn} Message */

// What one frame adds at most: some 20 ms of layout on a slow phone.
const CHARACTERS_A_FRAME = 4000

// A paragraph is laid out anew as a whole: each so many characters of it, one frame more goes by
// before it grows again. Nobody writes such paragraphs; a model that was told to may.
const CHARACTERS_A_PAUSE = 8000

/**
 * Text that is appended as it comes, once a frame, in paragraphs: what is there already is never
 * touched again, and paragraphs out of sight are not laid out.
 */
export class Flow {
  #pending = ""
  #frame = 0
  #pause = 0
  #length = 0
  /** @type {HTMLParagraphElement | null} */
  #paragraph = null

  /** @param {HTMLElement} place */
  constructor(place) {
    this.place = place
    /** All text so far, shown already or not. */
    this.text = ""
  }

  /** @param {string} text */
  append(text) {
    this.text += text
    this.#pending += text
    this.#frame ||= requestAnimationFrame(() => this.#show())
  }

  clear() {
    cancelAnimationFrame(this.#frame)
    this.#frame = this.#pause = 0
    this.text = this.#pending = ""
    this.#paragraph = null
    this.place.replaceChildren()
  }

  #show() {
    this.#frame = 0
    if (this.#pause) {
      this.#pause--
      this.#frame = requestAnimationFrame(() => this.#show())
      return
    }
    let end = Math.min(this.#pending.length, CHARACTERS_A_FRAME)
    // Half of a character, and line breaks that may become a paragraph's end, wait for what follows.
    if (/[\ud800-\udbff]/.test(this.#pending[end - 1] ?? "")) end--
    while (end && this.#pending[end - 1] === "\n") end--
    const [first, ...rest] = this.#pending.slice(0, end).split(/\n{2,}/)
    this.#pending = this.#pending.slice(end)
    this.#add(first)
    for (const paragraph of rest) {
      this.#paragraph = null
      this.#add(paragraph)
    }
    this.#pause = this.#paragraph ? Math.floor(this.#length / CHARACTERS_A_PAUSE) : 0
    if (end && this.#pending.length) this.#frame = requestAnimationFrame(() => this.#show())
  }

  /** @param {string} text */
  #add(text) {
    if (!text) return
    if (!this.#paragraph) {
      this.#paragraph = element("p")
      this.#length = 0
      this.#paragraph.dir = "auto"
      this.place.append(this.#paragraph)
    }
    this.#paragraph.append(text)
    this.#length += text.length
  }
}

/** The view of one intent: a question, and its answer over all tries. */
export class Turn {
  #waiting = element("div", "waiting")
  #answer = element("div", "answer")
  /** @type {import("./notice.js").FailsoftNotice | null} */
  #notice = null
  #stopCount = () => {}
  #stale = false

  /**
   * @param {object} intent
   * @param {string} intent.question
   * @param {string} intent.key
   * @param {Message[]} intent.history
   * @param {string | undefined} intent.locale the notices', as it is sent
   * @param {import("./words.js").Labels} labels
   */
  constructor({ question, key, history, locale }, labels) {
    this.question = question
    this.key = key
    this.history = history
    this.locale = locale
    this.labels = labels
    /** @type {EndEvent | null} */
    this.end = null
    this.element = element("article", "turn")
    this.element.tabIndex = -1
    this.#answer.part.add("answer")
    this.flow = new Flow(this.#answer)
    const words = element("div", "question", question)
    words.dir = "auto"
    words.part.add("question")
    const asked = element("div", "asked")
    asked.append(words)
    const said = element("span", "unseen", labels.assistant)
    this.element.append(element("span", "unseen", labels.you), asked, said, this.#answer, this.#waiting)
  }

  /** A run begins: what is there stays until there is something new. */
  begin() {
    this.end = null
    this.#stale = this.flow.text !== ""
    this.#notice?.remove()
    this.#notice = null
    this.#wait(this.labels.working)
  }

  /** @param {string} text */
  append(text) {
    if (this.#stale) this.clear()
    this.#wait(null)
    this.flow.append(text)
  }

  clear() {
    this.#stale = false
    this.flow.clear()
  }

  /** @param {StatusEvent} event */
  status({ notice, retry_in_seconds: seconds }) {
    this.#wait(notice.title, notice.body, seconds, notice.locale)
  }

  /**
   * @param {EndEvent} event
   * @param {string} theme
   */
  finish(event, theme) {
    this.end = event
    this.#wait(null)
    if (event.type === "done") this.#note(event.model)
    const notice = event.type === "done" ? event.notice : event.error
    if (!notice) return
    const shown = /** @type {import("./notice.js").FailsoftNotice} */ (document.createElement("failsoft-notice"))
    shown.toggleAttribute("alert", event.type !== "done")
    shown.setAttribute("theme", theme)
    shown.setAttribute("exportparts", "notice, action")
    Object.assign(shown, { notice, actions: event.suggested_actions, links: event.links })
    this.element.append(shown)
    this.#notice = shown
  }

  /** The person has stopped it. */
  stopped() {
    this.#wait(null)
    this.#note(this.labels.stopped)
  }

  /** @param {string} theme */
  set theme(theme) {
    this.#notice?.setAttribute("theme", theme)
  }

  /** Nothing runs on by itself from here: a countdown ends. */
  rest() {
    if (!this.#notice) return
    const { notice } = this.#notice
    if (notice?.primary_action_type === "wait" && notice.retry_countdown_seconds) {
      this.#notice.notice = { ...notice, retry_countdown_seconds: null }
    }
  }

  /** @param {string | undefined} text */
  #note(text) {
    if (text) this.element.append(element("p", "note", text))
  }

  /**
   * @param {string | null} title `null` where nothing is waited for
   * @param {string} [body]
   * @param {number | null} [seconds]
   * @param {string} [locale]
   */
  #wait(title, body, seconds, locale = "") {
    if (title === null && !this.#waiting.firstChild) return
    this.#stopCount()
    this.#waiting.replaceChildren()
    if (title === null) return
    const words = element("p")
    this.#waiting.lang = locale
    this.#waiting.dir = locale && direction(locale)
    words.append(element("span", "title", title))
    if (seconds) {
      const left = element("span", "left")
      this.#stopCount = countDown(left, seconds, (n) => ` ${this.labels.wait.replace("{time}", duration(n, locale))}`)
      words.append(left)
    }
    if (body) words.append(element("br"), element("span", "body", body))
    this.#waiting.append(element("span", "dots"), words)
  }
}
