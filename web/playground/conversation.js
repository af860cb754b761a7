/** The chat of the page, and what is heard of it; a new conversation is a new element. */

import { $, el } from "./page.js"

const LOOK_MS = 50

export class Conversation {
  #number = 0

  /** @param {{ onRequest: (detail: any) => void, onEvent: (event: any) => void }} heard */
  constructor({ onRequest, onEvent }) {
    this.place = $("chat")
    this.place.addEventListener("failsoft-request", ({ detail }) => onRequest(detail))
    this.place.addEventListener("failsoft-event", ({ detail }) => onEvent(detail))
    this.fresh()
  }

  /** Begin a new one: what was said before is not sent with the next question. */
  fresh() {
    this.chat?.stop()
    this.chat = document.createElement("failsoft-chat")
    this.#number += 1
    // A name of its own, lest it goes on with the question that the one before it left.
    const attributes = { url: "api/chat/stream", locale: "en", name: `playground-${this.#number}` }
    for (const [name, value] of Object.entries(attributes)) this.chat.setAttribute(name, value)
    this.chat.append(el("p", { className: "greeting" }, "Ask anything, or take one of the questions below."))
    this.place.replaceChildren(this.chat)
  }

  get name() {
    return this.chat.getAttribute("name")
  }

  get busy() {
    return this.chat.busy
  }

  /** Ask; gives the text that was shown and the last event. @param {string} text */
  ask(text) {
    return this.#ended(() => this.chat.ask(text))
  }

  /** The button of the last notice, through the shadows of two elements; undefined where there is none. */
  get button() {
    const notice = [...this.chat.shadowRoot.querySelectorAll("failsoft-notice")].at(-1)
    const button = notice?.shadowRoot.querySelector("button")
    return button?.ariaDisabled === "true" ? undefined : button
  }

  /** Press it. */
  press() {
    return this.#ended(() => this.button.click())
  }

  async #ended(begin) {
    const { chat } = this
    let text = ""
    let end = null
    const heard = ({ detail }) => {
      if (detail.type === "restart") text = ""
      if (detail.type === "text") text += detail.text
    }
    const ended = ({ detail }) => (end = detail)
    chat.addEventListener("failsoft-event", heard)
    chat.addEventListener("failsoft-end", ended)
    begin()
    // Who stops an answer, or begins anew, brings about no last event.
    while (chat.busy) await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    chat.removeEventListener("failsoft-event", heard)
    chat.removeEventListener("failsoft-end", ended)
    if (!end) throw new Error("the answer was stopped.")
    return { text, end }
  }
}
