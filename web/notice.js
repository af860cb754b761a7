/** `<failsoft-notice>`: what happened, whose move it is, and the one thing to do now. */

import { countDown, duration, element, link, look, sheet } from "./look.js"
import { direction, labelsFor } from "./words.js"

/** @typedef {import("./client.js").Notice} Notice */
/** @typedef {import("./client.js").ActionType} ActionType */

const ICONS = {
  info: "M12 11v6M12 7.2v.1",
  warning: "M12 7v6.5M12 16.8v.1",
  error: "M9 9l6 6M15 9l-6 6",
}

const style = sheet(`
:host { display: block }
.card {
  display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 0.125rem 0.75rem;
  padding: 0.875rem 1rem 1rem; border-radius: var(--radius);
  --tone: var(--info);
  background: color-mix(in oklab, var(--tone) 8%, var(--paper));
  border: 1px solid color-mix(in oklab, var(--tone) 28%, var(--paper));
}
.warning { --tone: var(--warning) }
.error { --tone: var(--error) }
svg { inline-size: 1.375rem; block-size: 1.6em; fill: none; stroke: var(--tone); stroke-width: 1.8; stroke-linecap: round }
.words, .more { grid-column: 2; overflow-wrap: anywhere }
.title { font-weight: 650 }
.title + p { margin-block-start: 0.125rem }
.more, .main, .links { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 1.125rem }
.more { margin-block-start: 0.75rem }
.main { gap: 0.5rem 0.75rem }
.more:empty, .main:empty, .links:empty { display: none }
.suggested { grid-column: 2; margin: 0.25rem 0 0; padding: 0; list-style: none; color: var(--soft) }
.wait { color: var(--soft); font-variant-numeric: tabular-nums }
.pending { display: inline-flex; align-items: center; gap: 0.625rem; min-block-size: 2.25rem; font-weight: 600 }
.pending::before {
  content: ""; inline-size: 1rem; block-size: 1rem; border-radius: 50%;
  border: 2px solid color-mix(in oklab, var(--tone) 30%, transparent); border-block-start-color: var(--tone);
  animation: turn 1.2s linear infinite;
}
.links a { display: inline-flex; align-items: center; min-block-size: 1.75rem }
.reference { grid-column: 2; margin-block-start: 0.625rem; color: var(--soft); font-size: 0.8125rem; overflow-wrap: anywhere }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
@keyframes turn { to { rotate: 1turn } }
@media (max-width: 26rem) { .main { row-gap: 0.125rem } .main, .main > button, .more > .button { inline-size: 100% } }
`)

/**
 * A notice as the service gives it. Set `notice`, and beside it `actions` (words of what else helps)
 * and `links`. The attribute `alert` has it read out at once, for a failure that is final.
 *
 * The one action dispatches `failsoft-action` (`detail.type`), once; `wait` does so by itself when
 * its countdown ends. What the action then does is the page's: `<failsoft-chat>` does it all.
 */
export class FailsoftNotice extends HTMLElement {
  /** @type {Notice | null} */
  #notice = null
  /** @type {string[]} */
  #actions = []
  /** @type {Record<string, string>} */
  #links = {}
  #acted = false
  #waiting = false
  #stop = () => {}

  constructor() {
    super()
    const root = this.attachShadow({ mode: "open" })
    root.adoptedStyleSheets = [look, style]
  }

  /** The notice that is shown; `null` shows nothing. */
  get notice() {
    return this.#notice
  }

  set notice(notice) {
    this.#notice = notice
    this.#acted = false
    this.#changed()
  }

  /** Words of what else helps; the first is what the button does, and is not shown. */
  get actions() {
    return this.#actions
  }

  set actions(actions) {
    this.#actions = actions ?? []
    this.#changed()
  }

  /** Addresses: `support`, `status_page`, `help`, `history`, `more`. */
  get links() {
    return this.#links
  }

  set links(links) {
    this.#links = links ?? {}
    this.#changed()
  }

  /** What counted down before it was taken out counts anew. */
  connectedCallback() {
    this.#changed()
  }

  disconnectedCallback() {
    this.#stop()
  }

  /** Show it once, however many properties are set one after another. */
  #changed() {
    if (this.#waiting) return
    this.#waiting = true
    queueMicrotask(() => {
      this.#waiting = false
      this.#render()
    })
  }

  #render() {
    this.#stop()
    if (!this.isConnected) return
    const root = /** @type {ShadowRoot} */ (this.shadowRoot)
    const notice = this.#notice
    if (!notice) return root.replaceChildren()
    const card = element("div", `card ${notice.severity in ICONS ? notice.severity : "info"}`)
    card.part.add("notice")
    card.lang = notice.locale
    card.dir = direction(notice.locale)
    const words = element("div", "words")
    if (this.hasAttribute("alert")) words.setAttribute("role", "alert")
    words.append(element("p", "title", notice.title), element("p", "", notice.body))
    card.append(icon(notice.severity), words, ...this.#suggested(), this.#row(notice), ...this.#reference(notice))
    root.replaceChildren(card)
  }

  #suggested() {
    if (this.#actions.length < 2) return []
    const list = element("ul", "suggested")
    list.append(...this.#actions.slice(1).map((text) => element("li", "", text)))
    return [list]
  }

  /** @param {Notice} notice */
  #row(notice) {
    const { primary_action_type: type, primary_action_label: label, locale } = notice
    const labels = labelsFor(locale)
    const row = element("div", "more")
    const links = element("div", "links")
    const main =
      type === "contact_support" ? link(this.#links.support, label, "button") : this.#action(notice, labels)
    if (main) row.append(main)
    for (const name of /** @type {const} */ (["more", "status_page", "help", "history", "support"])) {
      const unasked = name === "status_page" && !notice.show_status_page_link
      const again = name === "support" && type === "contact_support"
      const found = unasked || again ? null : link(this.#links[name], labels[name])
      if (found) links.append(found)
    }
    if (links.firstChild) row.append(links)
    return row
  }

  /**
   * @param {Notice} notice
   * @param {import("./words.js").Labels} labels
   */
  #action({ primary_action_type: type, primary_action_label: label, retry_countdown_seconds: seconds, locale }, labels) {
    const main = element("div", "main")
    const wait = element("span", "wait")
    const say = (/** @type {number} */ left) => labels.wait.replace("{time}", duration(left, locale))
    if (type === "wait" && seconds) {
      this.#stop = countDown(wait, seconds, say, () => this.#act(type))
      main.append(element("span", "pending", label), wait)
      return main
    }
    const button = element("button", "", label)
    button.type = "button"
    button.part.add("action")
    button.onclick = () => button.ariaDisabled !== "true" && this.#act(type, button)
    main.append(button)
    // A second click must not take the focus from where the first one has led.
    button.onmousedown = (event) => this.#acted && event.preventDefault()
    if (!seconds) return main
    main.append(wait)
    button.ariaDisabled = "true"
    this.#stop = countDown(wait, seconds, say, () => {
      button.ariaDisabled = "false"
    })
    return main
  }

  /**
   * @param {ActionType} type
   * @param {HTMLButtonElement} [button]
   */
  #act(type, button) {
    if (this.#acted) return
    this.#acted = true
    if (button) button.ariaDisabled = "true"
    this.dispatchEvent(new CustomEvent("failsoft-action", { detail: { type }, bubbles: true, composed: true }))
  }

  /** @param {Notice} notice */
  #reference({ reference, locale }) {
    if (!reference) return []
    const line = element("p", "reference", `${labelsFor(locale).reference} `)
    const code = element("code", "", reference)
    code.dir = "ltr"
    line.append(code)
    return [line]
  }
}

/** @param {Notice["severity"]} severity */
function icon(severity) {
  const drawn = document.createElementNS("http://www.w3.org/2000/svg", "svg")
  drawn.setAttribute("viewBox", "0 0 24 24")
  drawn.setAttribute("aria-hidden", "true")
  const path = document.createElementNS(drawn.namespaceURI, "path")
  path.setAttribute("d", `M21.5 12a9.5 9.5 0 1 1-19 0 9.5 9.5 0 0 1 19 0${ICONS[severity] ?? ICONS.info}`)
  drawn.append(path)
  return drawn
}

customElements.get("failsoft-notice") ?? customElements.define("failsoft-notice", FailsoftNotice)
