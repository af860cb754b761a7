/** The ladder, the steps in words, and everybody's questions. */

import { $, el } from "./page.js"
import { seconds, sentence } from "./sentences.js"
import { fate } from "./story.js"

const LEVELS = [
  ["full", "A model answers"],
  ["cached", "A saved answer"],
  ["rule", "A prepared answer"],
  ["minimal", "Plain words"],
]
const FATES = {
  open: "under way",
  answered: "answered at the first try",
  rescued: "answered by another try",
  instead: "given a saved or prepared answer",
  cut: "cut short",
  notice: "given a notice",
  cancelled: "stopped",
}
const MOST_DOTS = 80

/** @param {import("./story.js").Told | null} told */
export function drawLevels(told) {
  const end = told?.end
  const served = end && end.outcome !== "cancelled" ? end.level : ""
  const cut = end?.interrupted
  const at = cut ? -1 : LEVELS.findIndex(([level]) => level === served)
  const items = LEVELS.map(([level, name], index) => {
    const state = at < 0 ? index === 0 && told ? (cut ? "cut" : end ? "" : "trying") : "" : index < at ? "passed" : index === at ? "lit" : ""
    const word = { lit: "served", passed: "not possible", trying: "trying …", cut: "cut short" }[state] ?? ""
    return el("li", { className: `${level} ${state}` }, el("b", {}, name), el("span", {}, word))
  })
  $("levels").replaceChildren(...items)
}

/** Every step of a request, each with its explanation. */
export class Ledger {
  #told = null
  #shown = 0

  /** @param {import("./story.js").Told | null} told */
  draw(told) {
    const list = $("ledger")
    if (told !== this.#told || (told?.events.length ?? 0) < this.#shown) {
      list.replaceChildren()
      this.#shown = 0
    }
    this.#told = told
    $("ledger-none").hidden = Boolean(told)
    for (const event of told?.events.slice(this.#shown) ?? []) {
      const said = sentence(event)
      if (said) list.append(line(said, event.at - told.at))
    }
    this.#shown = told?.events.length ?? 0
  }
}

function line({ says, tone, why }, after) {
  const more = el("details", {}, el("summary", {}, "Explain this"), el("p", {}, why))
  return el("li", { className: tone }, el("time", {}, seconds(Math.max(0, after))), el("div", {}, el("p", {}, says), more))
}

/** @param {Iterable<import("./story.js").Told>} requests */
export function drawEveryone(requests) {
  const fates = [...requests].slice(-MOST_DOTS).map(fate)
  $("everyone").hidden = fates.length < 2
  const counts = Object.keys(FATES).map((name) => [name, fates.filter((each) => each === name).length])
  const words = counts.filter(([, n]) => n).map(([name, n]) => `${n} ${FATES[name]}`).join(", ")
  $("dots").replaceChildren(...fates.map((name) => el("i", { className: name, title: FATES[name] })))
  $("dots").ariaLabel = words
  $("dots-said").textContent = `${words}.`
}

/** What all processes share, and whether it is there. @param {{ name: string, up: boolean }[]} stores */
export function drawStore(stores) {
  const shared = stores.find(({ name }) => name === "shared_state")
  $("store").hidden = !shared
  if (!shared || $("store").dataset.up === String(shared.up)) return
  $("store").dataset.up = String(shared.up)
  const state = shared.up ? "shared by all processes" : "out of reach: each process goes on by itself"
  const chip = el("span", { className: `chip ${shared.up ? "closed" : "open"}` }, state)
  $("store").replaceChildren(el("span", { className: "lane-name" }, "Redis"), " ", chip)
}
