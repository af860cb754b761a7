/** The same question through an SDK alone, as its user would see it. */

import { $, el } from "./page.js"
import { eventsOf } from "./feed.js"

export class Bare {
  #leaving = new AbortController()

  /** @param {string} name of the SDK, with its version */
  constructor(name) {
    $("bare-name").textContent = `Without it: ${name}`
    $("bare-on").onchange = () => this.show($("bare-on").checked)
    this.show(false)
  }

  get on() {
    return $("bare-on").checked
  }

  /** @param {boolean} on */
  show(on) {
    $("bare-on").checked = on
    $("bare").hidden = $("ours-title").hidden = !on
    $("sides").classList.toggle("two", on)
    if (!on) this.#leaving.abort()
    if (on) $("bare-said").replaceChildren(el("p", { className: "soft" }, "Ask something: the same question goes to the best model by the SDK and its own retries."))
  }

  /** Ask, where it is shown. @param {string} message @param {string} key of the intent */
  async ask(message, key) {
    this.key = key
    if (!this.on) return
    this.#leaving.abort()
    const leaving = (this.#leaving = new AbortController())
    const text = el("p", { className: "bare-text" })
    const state = el("p", { className: "soft", role: "status" }, "Asked. No word yet.")
    $("bare-said").replaceChildren(el("p", { className: "bare-asked" }, message), text, state)
    let began = performance.now()
    const spent = () => `${((performance.now() - began) / 1000).toFixed(1)} s`
    const begin = () => (began = performance.now())
    const ticking = setInterval(() => (state.textContent = `${text.textContent ? "Waiting for more words" : "Still no word"}: ${spent()}.`), 1000)
    try {
      await this.#read(message, leaving.signal, { text, state, ticking, spent, begin })
    } catch (error) {
      if (!leaving.signal.aborted) state.textContent = String(error.message)
    } finally {
      clearInterval(ticking)
    }
  }

  async #read(message, signal, { text, state, ticking, spent, begin }) {
    const reply = await fetch("playground/sdk", { method: "POST", signal, headers: { "content-type": "application/json" }, body: JSON.stringify({ message }) })
    if (!reply.ok) throw new Error((await reply.json()).detail)
    for await (const event of eventsOf(reply)) {
      if (event.type === "start") begin()
      if (event.type === "text") text.append(event.text)
      if (event.type === "raised") {
        clearInterval(ticking)
        state.textContent = `After ${spent()} the program has this, and the person at most this:`
        state.after(el("pre", {}, `${event.error}: ${event.message}`))
      }
      if (event.type === "end") {
        clearInterval(ticking)
        state.textContent = text.textContent ? `Ended after ${spent()}.` : `Ended after ${spent()} without a word, and without an error.`
      }
    }
  }
}
