/** The playground: joins its parts. */

import "../chat.js"
import { Bare } from "./bare.js"
import { Controls } from "./controls.js"
import { Conversation } from "./conversation.js"
import { Clock, watch } from "./feed.js"
import { itineraries } from "./itineraries.js"
import { Lanes } from "./lanes.js"
import { Ledger, drawEveryone, drawLevels, drawStore } from "./levels.js"
import { $, call, calm, el } from "./page.js"
import { modelOf } from "./sentences.js"
import { Stage } from "./stage.js"
import { Story } from "./story.js"
import { Tours } from "./tours.js"

const SAMPLES = ["What does a payslip prove?", "Which documents do I need?", "How does a fixed interest rate work?"]
const CALM_MS = 500

class Inside {
  /** Whose request is drawn: the last of this page, else the last of all. */
  #own = ""
  #last = null
  /** Whether the feed was there before. */
  #was = false

  constructor({ health, deadline_seconds: deadline }) {
    this.story = new Story()
    this.clock = new Clock()
    this.ledger = new Ledger()
    this.lanes = new Lanes(health.targets.map((each) => each.target), deadline)
    this.knows(health)
    this.#drawSteps()
  }

  /** @param {any} health */
  knows(health) {
    this.targets = health.targets
    this.lanes.knows(health.targets, Date.now() / 1000)
    this.story.knows(health.stores)
    drawStore(health.stores)
  }

  /** @param {any} event of the feed */
  take(event) {
    if (event.type === "Health") return this.knows(event)
    if (event.at) this.clock.heard(event.at)
    const told = this.story.take(event)
    if (told && event.type === "RequestStarted") this.#last = told
    this.#drawSteps()
  }

  /** @param {boolean} up whether the feed is there */
  linked(up) {
    link(up)
    if (up && this.#was) {
      this.story.interrupted()
      if (!this.#last?.end) this.#last = null
    }
    this.#was = true
    this.#drawSteps()
  }

  /** The page has asked this one. @param {string} id */
  follow(id) {
    this.#own = id
    this.#drawSteps()
  }

  /** The page's own question has its first words. */
  spoke() {
    const told = this.shown
    if (told && !told.spokeAt) told.spokeAt = this.clock.now()
  }

  get shown() {
    return (this.#own && this.story.find(this.#own)) || (this.#own ? null : this.#last)
  }

  /** Draw what moves, as often as the screen does, or twice a second where it should be calm. */
  move() {
    this.lanes.drawBreakers(Date.now() / 1000)
    this.lanes.draw(this.shown ?? null, this.clock.now())
    if (calm.matches) setTimeout(() => this.move(), CALM_MS)
    else requestAnimationFrame(() => this.move())
  }

  #drawSteps() {
    const told = this.shown ?? null
    drawLevels(told)
    this.ledger.draw(told)
    drawEveryone(this.story.requests.values())
  }
}

function link(up) {
  $("link").textContent = up ? "Live" : "Not connected; trying again …"
  $("link").classList.toggle("up", up)
}

async function open() {
  const setup = await call("GET", "playground/setup")
  const inside = new Inside(setup)
  watch("playground/events", { onEvent: (event) => inside.take(event), onLink: (up) => inside.linked(up) })
  inside.move()
  const stage = perform(setup, inside)
  if (setup.simulator) await openControls(setup, stage)
  else $("break-none").hidden = false
}

/** The chat, and what hears it. */
function perform(setup, inside) {
  const bare = compare(setup)
  const talk = new Conversation({
    onRequest(detail) {
      stage.asked = detail
      inside.follow(detail.requestId)
      // The same key again is no new question.
      if (detail.key !== bare?.key) bare?.ask(detail.message, detail.key)
    },
    onEvent: (event) => event.type === "text" && inside.spoke(),
  })
  const stage = new Stage(talk, inside)
  const samples = SAMPLES.map((text) => el("button", { type: "button", className: "plain", onclick: () => talk.chat.ask(text) }, text))
  $("samples").replaceChildren(...samples, el("button", { type: "button", className: "plain", onclick: () => talk.fresh() }, "New conversation"))
  return stage
}

async function openControls(setup, stage) {
  const targets = setup.health.targets.map((each) => each.target)
  stage.controls = await Controls.of(targets, setup.redis)
  $("controls").hidden = false
  $("burst").onclick = async () => {
    $("burst").disabled = true
    await stage.controls.told(stage.others(20).then(() => "20 others have asked."))
    $("burst").disabled = false
  }
  new Tours(itineraries(targets.map(modelOf)), stage)
}

function compare(setup) {
  $("bare-none").hidden = !setup.simulator || setup.sdk !== null
  $("bare-switch").hidden = !setup.sdk
  return setup.sdk ? new Bare(setup.sdk) : null
}

open().catch((error) => {
  $("link").textContent = error.message
})
