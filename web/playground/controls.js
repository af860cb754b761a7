/** What goes wrong, model by model, in the simulator of the demo. */

import { $, call, el } from "./page.js"
import { modelOf, providerOf } from "./sentences.js"

/** Each condition and the faults it is made of; `healthy` keeps out those of all models. */
export const CONDITIONS = {
  began: ["as the demo began", () => null],
  healthy: ["healthy", () => ["healthy"]],
  overloaded: ["overloaded (529)", (share) => [`529@${share / 100}`, "healthy"]],
  limited: ["rate limit: one in 10 s", () => ["rate_limit;per_second=0.1", "healthy"]],
  slow: ["slow: 6 s to the first word", () => ["latency;first_content_ms=6000;between_events_ms=80", "healthy"]],
  hang: ["hangs: never a word", () => ["hang"]],
  cut: ["cut off in mid-answer", () => ["cut;after=12", "healthy"]],
  refusal: ["refuses to answer", () => ["refusal"]],
  key: ["bad key", () => ["bad_key"]],
}
const DOWN = ["503"]
/** How a whole provider fails: every model of it, by one fault of all its names. */
export const OUTAGES = {
  down: ["turned away (529)", ["529"]],
  hang: ["never a word", ["hang"]],
  reset: ["connection dropped", ["reset"]],
}
const API = "playground/simulator"

export class Controls {
  /** What is sent is sent one after the other, so that the last click is the last to arrive. */
  #sending = Promise.resolve()

  /** @param {string[]} targets @param {{ off: boolean, problem: string }} redis */
  static async of(targets, redis) {
    const { models: now, began, providers } = await call("GET", API)
    return new Controls(targets, now, began, providers, redis)
  }

  constructor(targets, now, began, providers, redis) {
    this.began = began
    this.redis = redis
    this.rows = new Map(targets.map((target) => [modelOf(target), this.#row(target)]))
    this.providers = new Map([...new Set(targets.map(providerOf))].map((name) => [name, this.#provider(name, providers[name])]))
    for (const [name, { field }] of this.providers) field.append(...this.#of(name).map((row) => row.field))
    $("models").replaceChildren(...[...this.providers.values()].map((each) => each.field))
    this.#adopt(now)
    $("all-down").onclick = () => this.told(this.allDown(!this.isDown))
    $("redis-off").onclick = () => this.told(this.redisOff(!this.isRedisOff))
    $("redis-off").ariaPressed = String(redis.off)
    $("redis-off").disabled = Boolean(redis.problem)
    $("redis-none").textContent = redis.problem
    $("redis-none").hidden = !redis.problem
    $("restore").onclick = () => this.told(this.restore())
  }

  get isDown() {
    return $("all-down").ariaPressed === "true"
  }

  get isRedisOff() {
    return $("redis-off").ariaPressed === "true"
  }

  /** What is set, to be given back to {@link put}. */
  get state() {
    const models = [...this.rows].map(([model, { pick, share }]) => [model, [pick.value, Number(share.value)]])
    const outages = [...this.providers].map(([name, { outage }]) => [name, outage])
    return { down: this.isDown, redisOff: this.isRedisOff, models: Object.fromEntries(models), outages: Object.fromEntries(outages) }
  }

  /** @param {{ down: boolean, redisOff: boolean, models: Record<string, [string, number]>, outages: Record<string, string> }} state */
  async put({ down, redisOff, models, outages }) {
    if (redisOff !== this.isRedisOff) await this.redisOff(redisOff)
    $("all-down").ariaPressed = String(down)
    for (const [name, outage] of Object.entries(outages)) this.#turn(name, outage)
    for (const [model, [condition, share]] of Object.entries(models)) this.#show(model, condition, share)
    await this.#sendAll()
  }

  /** One condition for all models, others for some. @param {string} every @param {Record<string, [string, number]>} [some] */
  async set(every, some = {}) {
    const models = Object.fromEntries([...this.rows.keys()].map((model) => [model, some[model] ?? [every, 20]]))
    await this.put({ ...this.state, down: false, models, outages: Object.fromEntries([...this.providers.keys()].map((name) => [name, ""])) })
  }

  /** A whole provider fails so, or is as its models are. @param {string} name @param {string} outage one of OUTAGES, or "" */
  async providerDown(name, outage) {
    await this.put({ ...this.state, down: false, outages: { ...this.state.outages, [name]: outage } })
    return outage ? `All of ${name} is down. Each call: ${OUTAGES[outage][0]}.` : `The models of ${name} are as set.`
  }

  /** @param {boolean} down */
  async allDown(down) {
    await this.put({ ...this.state, down })
    return down ? "All models are down." : "The models are as set above."
  }

  /** @param {boolean} off */
  async redisOff(off) {
    const told = await this.#inTurn(() => call("PUT", "playground/redis", { off }))
    $("redis-off").ariaPressed = String(told.off)
    return off ? "The Redis is cut off. Ask something: nobody waits for it." : "The Redis is let through again."
  }

  /** Faults, breakers, benches and the Redis as the demo began. */
  async restore() {
    const { models } = await this.#inTurn(() => call("DELETE", API))
    $("redis-off").ariaPressed = "false"
    this.#adopt(models)
    return "Everything is as it began."
  }

  #of(provider) {
    return [...this.rows.values()].filter((row) => row.provider === provider)
  }

  /** One provider: a switch for all its models at once, where they have a name in common. */
  #provider(name, models) {
    const how = el("select", { ariaLabel: `What becomes of a call while all of ${name} is down` })
    how.append(...Object.entries(OUTAGES).map(([value, [said]]) => el("option", { value }, said)))
    const down = el("button", { type: "button", ariaPressed: "false" }, "Whole provider down")
    const said = el("p", { className: "soft" })
    const legend = el("legend", { id: `provider-${name}` }, name)
    down.setAttribute("aria-describedby", legend.id)
    const each = { models, how, down, said, outage: "" }
    down.onclick = () => this.told(this.providerDown(name, each.outage ? "" : how.value))
    how.onchange = () => each.outage && this.told(this.providerDown(name, how.value))
    const switches = models ? [el("div", { className: "whole" }, down, how), said] : []
    return Object.assign(each, { field: el("fieldset", { className: "provider" }, legend, ...switches) })
  }

  #turn(name, outage) {
    const { down, how, said, field } = Object.assign(this.providers.get(name), { outage })
    down.ariaPressed = String(Boolean(outage))
    if (outage) how.value = outage
    said.textContent = outage ? "Down, whatever is set below." : "Up: each model as set below."
    field.classList.toggle("down", Boolean(outage))
  }

  #row(target) {
    const model = modelOf(target)
    const pick = el("select", { id: `pick-${model}` })
    pick.append(...Object.entries(CONDITIONS).map(([value, [name]]) => el("option", { value }, name)))
    const share = el("input", { type: "range", min: "0", max: "100", step: "5", value: "20", ariaLabel: `Share of calls to ${model} that are turned away` })
    const said = el("output", {})
    const sharing = el("div", { className: "share" }, share, said)
    const tell = () => {
      share.hidden = pick.value !== "overloaded"
      said.textContent = share.hidden ? "" : `${share.value} % turned away`
      if (pick.value === "began") said.textContent = inWords([...(this.began[model] ?? []), ...(this.began["*"] ?? [])])
      sharing.hidden = !said.textContent
    }
    const change = () => {
      tell()
      this.told(this.#changed(model))
    }
    pick.onchange = share.onchange = change
    share.oninput = tell
    tell()
    const label = el("label", { htmlFor: pick.id }, model)
    return { provider: providerOf(target), pick, share, tell, field: el("div", { className: "model" }, label, pick, sharing) }
  }

  async #changed(model) {
    if (this.isDown) $("all-down").ariaPressed = "false"
    this.#turn(this.rows.get(model).provider, "")
    await this.#sendAll()
    return `${model}: ${this.rows.get(model).pick.selectedOptions[0].text}.`
  }

  #sendAll() {
    return this.#inTurn(() => Promise.all([...[...this.providers.values()].map((each) => this.#sendWhole(each)), ...[...this.rows.keys()].map((model) => this.#send(model))]))
  }

  async #sendWhole({ models, outage }) {
    if (models) await put(models, outage ? OUTAGES[outage][1] : (this.began[models] ?? []))
  }

  #inTurn(send) {
    const sent = this.#sending.then(send)
    this.#sending = sent.catch(() => {})
    return sent
  }

  async #send(model) {
    const { provider, pick, share } = this.rows.get(model)
    // A model's own faults would come before those of its provider.
    const alone = this.providers.get(provider).outage ? [] : CONDITIONS[pick.value][1](Number(share.value))
    const faults = this.isDown ? DOWN : alone
    await put(model, faults ?? this.began[model] ?? [])
  }

  #show(model, condition, share) {
    const row = this.rows.get(model)
    row.pick.value = condition
    row.share.value = String(share)
    row.tell()
  }

  /** Show what the simulator does; what was not set from here is shown as it began. */
  #adopt(now) {
    $("all-down").ariaPressed = "false"
    for (const [name, { models }] of this.providers) this.#turn(name, outageOf(now[models]))
    for (const model of this.rows.keys()) this.#show(model, ...conditionOf(now[model], this.began[model]))
    const down = [...this.rows.keys()].every((model) => String(now[model]) === String(DOWN))
    if (down) $("all-down").ariaPressed = "true"
  }

  /** Say what comes of it. @param {Promise<string>} doing */
  async told(doing) {
    try {
      $("controls-said").textContent = await doing
    } catch (error) {
      $("controls-said").textContent = error.message
    }
  }
}

const put = (model, faults) => call("PUT", `${API}/${encodeURIComponent(model)}`, { faults })

/** @param {string[]} [faults] */
const outageOf = (faults) => Object.keys(OUTAGES).find((name) => String(OUTAGES[name][1]) === String(faults)) ?? ""

/** What of the faults at the beginning a person would notice. @param {string[]} faults */
function inWords(faults) {
  const slow = /first_content_ms=(\d{4,})/.exec(faults.find((each) => each.startsWith("latency")) ?? "")
  const share = /^\d+@([\d.]+)/.exec(faults.find((each) => /^\d/.test(each)) ?? "")
  const said = [slow && `${Number(slow[1]) / 1000} s to the first word`, share && `${Math.round(Number(share[1]) * 100)} % turned away`]
  return said.filter(Boolean).join(", ")
}

/** @returns {[string, number]} */
function conditionOf(faults = [], began = []) {
  if (String(faults) === String(began)) return ["began", 20]
  const share = /^529(?:@([\d.]+))?,healthy$/.exec(String(faults))
  if (share) return ["overloaded", Math.round(Number(share[1] ?? 1) * 100)]
  const found = Object.entries(CONDITIONS).find(([, [, make]]) => String(make(0)) === String(faults))
  return [found?.[0] ?? "began", 20]
}
