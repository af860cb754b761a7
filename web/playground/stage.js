/** What a tour acts on: the chat, the others who ask, and what was seen of both. */

import { storedIntent } from "../client.js"
import { eventsOf } from "./feed.js"
import { call } from "./page.js"
import { fate } from "./story.js"

const LOOK_MS = 100

export class Stage {
  /** @type {import("./controls.js").Controls | undefined} */
  controls

  /** The last question of the page: its requestId, key and message. @type {any} */
  asked = null

  /** @param {import("./conversation.js").Conversation} talk @param {any} inside */
  constructor(talk, inside) {
    this.talk = talk
    this.inside = inside
  }

  /** Begin a tour; gives what {@link end} sets back. */
  begin() {
    return this.controls.state
  }

  /** Whatever a tour left open or broken is over. */
  async end(before) {
    if (this.talk.busy) this.talk.fresh()
    await this.controls.restore()
    await this.controls.put(before)
  }

  /** Ask in the chat; gives the text that was shown and the last event. @param {string} text */
  ask(text) {
    this.asked = null
    return this.talk.ask(text)
  }

  /** Press the notice's button, once it can be pressed. */
  async retry() {
    await this.until(() => this.talk.button && !this.talk.busy, 15)
    return this.talk.press()
  }

  /** Send the question under way once more, with its key; gives its text, and the calls for both. */
  async again() {
    await this.until(() => this.asked, 5)
    const { key, requestId } = this.asked
    const { url, body } = storedIntent({ name: this.talk.name })
    const headers = { "content-type": "application/json", "idempotency-key": key }
    const reply = await fetch(url, { method: "POST", headers, body })
    if (!reply.ok) throw new Error((await reply.json()).detail)
    let text = ""
    for await (const event of eventsOf(reply)) if (event.type === "text") text += event.text
    const told = () => this.inside.story.find(requestId)
    await this.until(() => told()?.end, 5)
    return { text, calls: told()?.attempts.length }
  }

  /** Others ask at the same time, each something else; gives how many were served how. @param {number} count */
  async others(count) {
    const { request_ids: ids } = await call("POST", "playground/others", { count })
    const told = () => ids.map((id) => this.inside.story.find(id))
    await this.until(() => told().every((each) => each?.end), 3)
    const fates = told().filter(Boolean).map(fate)
    const many = (...names) => fates.filter((name) => names.includes(name)).length
    return { full: many("answered", "rescued"), rescued: many("rescued"), notice: many("notice") }
  }

  /** Whether the best model may be called, if only to try. */
  ready() {
    const [best] = this.inside.lanes.health.values()
    return best.available || best.until === null || best.until <= Date.now() / 1000
  }

  /** How many breakers are open. */
  open() {
    return [...this.inside.lanes.health.values()].filter((each) => each.state === "open").length
  }

  /** Wait for it. @param {() => any} what @param {number} seconds at most */
  async until(what, seconds) {
    for (let left = (seconds * 1000) / LOOK_MS; left > 0 && !what(); left -= 1) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }
}
