/** The drawing of one request: a lane a model, its breaker, its calls and waits, and the deadline. */

import { CATEGORIES, modelOf, providerOf, reason, seconds } from "./sentences.js"
import { $, el } from "./page.js"

const SCALES = [2, 4, 8, 15, 30, 60, 120, 600]
const STATES = { closed: "breaker closed", open: "breaker open", half_open: "half open: one tries" }

export class Lanes {
  /** @param {string[]} targets @param {number} deadline seconds */
  constructor(targets, deadline) {
    this.deadline = deadline
    this.health = new Map()
    this.rows = new Map(targets.map((target) => [target, this.#row(target)]))
    $("lanes").replaceChildren(...[...this.rows.values()].map((row) => row.lane))
    this.axis = el("p", { className: "axis", ariaHidden: "true" })
    $("lanes").append(this.axis)
  }

  #row(target) {
    const chip = el("span", { className: "chip" })
    const track = el("div", { className: "track" })
    const said = el("span", { className: "unseen" })
    const name = el("span", { className: "lane-name" }, el("span", {}, `${providerOf(target)} / `), modelOf(target))
    return { chip, track, said, bars: new Map(), lane: el("div", { className: "lane" }, el("div", { className: "lane-head" }, name, chip), track, said) }
  }

  /** Keep what the service says of its models. @param {any[]} targets @param {number} now page's clock, seconds */
  knows(targets, now) {
    for (const each of targets) {
      const wait = each.recovery_in_seconds
      this.health.set(each.target, { ...each, until: wait === null ? null : now + wait })
    }
  }

  /** @param {number} now page's clock, seconds */
  drawBreakers(now) {
    for (const [target, { chip, lane }] of this.rows) {
      const known = this.health.get(target)
      if (!known) continue
      const left = known.until === null ? 0 : Math.ceil(known.until - now)
      const out = !known.available && left > 0
      const held = { bench: "left alone, as it asked", park: "parked until mended", ramp: "coming back slowly" }[known.held]
      const state = known.state === "open" && left <= 0 ? "half_open" : known.state
      const kind = held && out ? "held" : state
      setText(chip, (held && out ? held : STATES[state]) + (out ? ` · ${left} s` : ""))
      chip.className = `chip ${kind}`
      lane.classList.toggle("out", out)
    }
  }

  /** @param {import("./story.js").Told | null} told @param {number} now server's clock */
  draw(told, now) {
    if (told !== this.told) {
      for (const row of this.rows.values()) clear(row)
      $("legend").replaceChildren()
    }
    legend(told)
    this.told = told
    const spent = told ? Math.max(0, (told.end ? told.at + told.end.duration_seconds : now) - told.at) : 0
    this.#deadline(told, told ? untilWords(told, spent) : 0)
    const scale = SCALES.find((each) => each >= spent * 1.05) ?? 600
    setText(this.axis, `0 … ${scale} s`)
    if (!told) return
    const share = (at) => `${Math.min(100, Math.max(0, ((at - told.at) / scale) * 100))}%`
    for (const attempt of told.attempts) this.#bar(attempt, share, now)
    for (const [index, wait] of told.waits.entries()) this.#wait(wait, index, share, now)
    for (const row of this.rows.values()) if (told.attempts.length < row.bars.size) prune(row, told)
  }

  #bar(attempt, share, now) {
    const row = this.rows.get(attempt.target)
    if (!row) return
    const bar = row.bars.get(attempt.number) ?? add(row, attempt.number, el("div", {}, String(attempt.number)))
    const kind = attempt.outcome === "failure" ? attempt.category : attempt.outcome || "running"
    bar.className = `bar ${kind}`
    bar.title = attempt.outcome === "failure" ? reason(attempt.reason) : attempt.outcome || "under way"
    bar.style.setProperty("--first", first(attempt))
    place(bar, share(attempt.from), share(attempt.to ?? now))
    setText(row.said, [...row.bars.values()].map((each) => `Call ${each.textContent}: ${each.title}.`).join(" "))
  }

  #wait(wait, index, share, now) {
    const row = this.rows.get(wait.target)
    if (!row) return
    const key = `wait ${index}`
    const bar = row.bars.get(key) ?? add(row, key, el("div", { className: "bar waiting" }))
    bar.title = `waits ${seconds(wait.seconds)}`
    place(bar, share(wait.at), share(Math.min(now, wait.at + wait.seconds)))
  }

  #deadline(told, spent) {
    const part = Math.min(1, spent / this.deadline)
    const bar = $("deadline-bar")
    bar.firstElementChild.style.inlineSize = `${part * 100}%`
    bar.classList.toggle("late", part > 0.8)
    const whole = `Deadline: ${this.deadline} s to the first words, whatever is tried.`
    setText($("deadline-said"), told ? `${whole} Used: ${seconds(Math.round(spent * 10) / 10)}.` : whole)
  }
}

/** The colours of a drawing, in words. @param {import("./story.js").Told | null} told */
function legend(told) {
  const failed = new Set(told?.attempts.map((each) => each.category))
  const kinds = [["success early", "no word yet"], ["success", "words"]]
  for (const [kind, [name]] of Object.entries(CATEGORIES)) if (failed.has(kind)) kinds.push([kind, name.toLowerCase()])
  if (told?.waits.length) kinds.push(["waiting", "a wait"])
  if ($("legend").childElementCount === kinds.length) return
  $("legend").replaceChildren(...kinds.map(([kind, name]) => el("li", {}, el("i", { className: `bar ${kind}` }), name)))
}

/** Seconds until the first words: what the deadline is about. */
function untilWords(told, spent) {
  if (told.spokeAt) return told.spokeAt - told.at
  return told.end?.first_content_seconds ?? spent
}

/** The part of a call that went by without a word. */
function first({ outcome, first_content_seconds: first, duration_seconds: whole }) {
  return outcome === "success" && first && whole ? `${(first / whole) * 100}%` : "0%"
}

const add = (row, key, bar) => {
  row.bars.set(key, bar)
  return row.track.appendChild(bar)
}

const place = (bar, from, to) => {
  bar.style.insetInlineStart = from
  bar.style.inlineSize = `max(1.35rem, calc(${to} - ${from}))`
}

function clear(row) {
  row.bars.clear()
  row.track.replaceChildren()
  row.said.textContent = ""
}

function prune(row, told) {
  if (!told.attempts.length) clear(row)
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text
}
