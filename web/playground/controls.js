/** What goes wrong, model by model, in the simulator of the demo. */

import { $, call, el } from "./page.js"

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
const API = "playground/simulator"

export class Controls {
  /** What is sent is sent one after the other, so that the last click is the last to arrive. */
  #sending = Promise.resolve()

  /** @param {string[]} models @param {{ off: boolean, problem: string }} redis */
  static async of(models, redis) {
    const { models: now, began } = await call("GET", API)
    return new Controls(models, now, began, redis)
  }

  constructor(models, now, began, redis) {
    this.began = began
    this.redis = redis
    this.rows = new Map(models.map((model) => [model, this.#row(model)]))
    $("models").replaceChildren(...[...this.rows.values()].map((row) => row.field))
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
    return { down: this.isDown, redisOff: this.isRedisOff, models: Object.fromEntries(models) }
  }

  /** @param {{ down: boolean, redisOff: boolean, models: Record<string, [string, number]> }} state */
  async put({ down, redisOff, models }) {
    if (redisOff !== this.isRedisOff) await this.redisOff(redisOff)
    $("all-down").ariaPressed = String(down)
    for (const [model, [condition, share]] of Object.entries(models)) this.#show(model, condition, share)
    await this.#sendAll()
  }

  /** One condition for all models, others for some. @param {string} every @param {Record<string, [string, number]>} [some] */
  async set(every, some = {}) {
    const models = Object.fromEntries([...this.rows.keys()].map((model) => [model, some[model] ?? [every, 20]]))
    await this.put({ ...this.state, down: false, models })
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

  #row(model) {
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
    return { pick, share, tell, field: el("div", { className: "model" }, label, pick, sharing) }
  }

  async #changed(model) {
    if (this.isDown) $("all-down").ariaPressed = "false"
    await this.#sendAll()
    return `${model}: ${this.rows.get(model).pick.selectedOptions[0].text}.`
  }

  #sendAll() {
    return this.#inTurn(() => Promise.all([...this.rows.keys()].map((model) => this.#send(model))))
  }

  #inTurn(send) {
    const sent = this.#sending.then(send)
    this.#sending = sent.catch(() => {})
    return sent
  }

  async #send(model) {
    const { pick, share } = this.rows.get(model)
    const faults = this.isDown ? DOWN : CONDITIONS[pick.value][1](Number(share.value))
    await call("PUT", `${API}/${encodeURIComponent(model)}`, { faults: faults ?? this.began[model] ?? [] })
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
