/** Runs a tour: says a step, does it, goes on; can be stopped, and sets everything back. */

import { $, calm, el } from "./page.js"

const PACE = Number(new URLSearchParams(location.search).get("pace") ?? 1)
const WORD_MS = 260
const narrow = matchMedia("(max-width: 1100px)")

export class Tours {
  #leaving = null

  /** @param {any[]} tours @param {any} stage what a tour acts on */
  constructor(tours, stage) {
    this.stage = stage
    this.buttons = tours.map((tour) => el("button", { type: "button", onclick: ({ currentTarget }) => this.run(tour, currentTarget) }, el("b", {}, tour.name), el("span", {}, tour.about)))
    $("tour-list").replaceChildren(...this.buttons.map((button) => el("li", {}, button)))
    $("guide-stop").onclick = () => this.#leaving?.abort()
    $("tours").hidden = false
  }

  /** @param {any} tour @param {HTMLElement} button that began it */
  async run(tour, button) {
    if (this.#leaving) return
    const leaving = (this.#leaving = new AbortController())
    const before = this.stage.begin()
    this.#open(tour)
    try {
      await tour.run(new Guide(this.stage, leaving.signal, tour.steps))
    } catch (error) {
      if (!leaving.signal.aborted) await new Guide(this.stage, leaving.signal, 0).say(`The tour could not go on: ${error.message}`).catch(() => {})
    }
    await this.stage.end(before).catch(() => {})
    this.#close(leaving.signal.aborted, button)
  }

  #open(tour) {
    for (const button of this.buttons) button.disabled = true
    document.body.classList.add("touring")
    $("guide-name").textContent = tour.name
    $("guide").hidden = false
    $("guide").dataset.state = "running"
    $("guide-stop").focus({ preventScroll: true })
  }

  #close(stopped, button) {
    this.#leaving = null
    // Who has gone on to something else meanwhile is left there.
    const had = $("guide").contains(document.activeElement)
    for (const button of this.buttons) button.disabled = false
    document.body.classList.remove("touring")
    $("guide").hidden = true
    $("guide").dataset.state = stopped ? "stopped" : "ended"
    if (had) button.focus({ preventScroll: true })
  }
}

/** On a narrow screen only a part of the page is seen. @param {string} where */
function show(where) {
  if (narrow.matches) $(where).scrollIntoView({ behavior: calm.matches ? "instant" : "smooth" })
}

/** What a tour can say and do; all of it ends when the tour is stopped. */
class Guide {
  #step = 0

  constructor(stage, signal, steps) {
    this.stage = stage
    this.signal = signal
    this.steps = steps
  }

  /** Say it, and leave time to read it. @param {string} text @param {"break" | "ask" | "inside"} [where] to look */
  async say(text, where = "ask") {
    show(where)
    this.#step += 1
    $("guide-count").textContent = this.steps ? `${this.#step} of ${this.steps}` : ""
    $("guide-said").textContent = text
    await this.pause(Math.max(2500, text.split(" ").length * WORD_MS))
  }

  /** @param {number} ms at the usual pace */
  pause(ms) {
    return this.#or(new Promise((resolve) => setTimeout(resolve, ms * PACE)))
  }

  /** Set what goes wrong. @param {string} every @param {any} [some] */
  set(every, some) {
    return this.#or(this.stage.controls.set(every, some))
  }

  down() {
    return this.#or(this.stage.controls.allDown(true))
  }

  /** Ask in a new conversation; gives what became of it. @param {string} text */
  ask(text) {
    this.stage.talk.fresh()
    return this.#or(this.stage.ask(text))
  }

  /** Let others ask, too; gives how each was served. @param {number} many */
  others(many) {
    return this.#or(this.stage.others(many))
  }

  /** Send the last question once more, as a second click does. */
  again() {
    return this.#or(this.stage.again())
  }

  /** Press the button of the notice. */
  retry() {
    return this.#or(this.stage.retry())
  }

  /** @param {() => boolean} what @param {number} seconds at most */
  until(what, seconds) {
    return this.#or(this.stage.until(what, seconds))
  }

  /** @template T @param {Promise<T>} doing @returns {Promise<T>} */
  async #or(doing) {
    this.signal.throwIfAborted()
    let stop = () => {}
    const stopped = new Promise((_, reject) => {
      stop = () => reject(this.signal.reason)
      this.signal.addEventListener("abort", stop)
    })
    try {
      return await Promise.race([doing, stopped])
    } finally {
      this.signal.removeEventListener("abort", stop)
    }
  }
}
