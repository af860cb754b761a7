/** How the elements look: their colours, which a page may set, and what both of them use. */

/** @param {string} css */
export function sheet(css) {
  const made = new CSSStyleSheet()
  made.replaceSync(css)
  return made
}

/** Colours and measures. What begins with --failsoft- is the page's to set; see docs/browser.md. */
export const look = sheet(`
:host {
  color-scheme: light dark;
  --ink: var(--failsoft-ink, light-dark(#1c2126, #e7e9ec));
  --soft: var(--failsoft-soft, light-dark(#57606a, #a5aeb8));
  --paper: var(--failsoft-paper, light-dark(#ffffff, #15181c));
  --raised: var(--failsoft-raised, light-dark(#f1f3f5, #23282e));
  --edge: var(--failsoft-edge, light-dark(#828b95, #7a848f));
  --accent: var(--failsoft-accent, light-dark(#0b5cad, #86bdff));
  --on-accent: var(--failsoft-on-accent, light-dark(#ffffff, #0b1a2b));
  --info: var(--failsoft-info, light-dark(#0b5cad, #86bdff));
  --warning: var(--failsoft-warning, light-dark(#8a4b00, #f0b35a));
  --error: var(--failsoft-error, light-dark(#b3161f, #ff9c9c));
  --radius: var(--failsoft-radius, 0.875rem);
  font: var(--failsoft-font, 400 1rem/1.6 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif);
  color: var(--ink);
  text-align: start;
}
:host([theme="light"]) { color-scheme: light }
:host([theme="dark"]) { color-scheme: dark }
:host([hidden]), [hidden] { display: none !important }
*, ::before, ::after { box-sizing: border-box }
p { margin: 0 }
a { color: var(--accent); text-underline-offset: 0.2em }
button, .button {
  display: inline-flex; align-items: center; justify-content: center; gap: 0.5rem;
  min-block-size: 2.75rem; padding: 0.4rem 1.1rem;
  font: inherit; font-weight: 600; line-height: 1.3; text-align: center; text-decoration: none;
  color: var(--on-accent); background: var(--accent);
  border: 1px solid transparent; border-radius: calc(var(--radius) * 0.7); cursor: pointer;
  transition: background-color 0.15s, color 0.15s, opacity 0.15s;
}
button:hover, .button:hover { background: color-mix(in oklab, var(--accent), var(--ink) 18%) }
button[aria-disabled="true"] { color: var(--soft); background: color-mix(in oklab, var(--ink) 8%, transparent); cursor: default }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.unseen {
  position: absolute; inline-size: 1px; block-size: 1px; margin: -1px; padding: 0;
  overflow: hidden; clip-path: inset(50%); white-space: nowrap; border: 0;
}
@media (prefers-reduced-motion: reduce) {
  *, ::before, ::after { animation: none !important; transition: none !important; scroll-behavior: auto !important }
}
`)

/**
 * An element with text in it: text only, whatever it looks like.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} [className]
 * @param {string} [text]
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text) made.textContent = text
  return made
}

/**
 * A link to an address that is safe to open: http, https or mailto; `null` for any other.
 * @param {string | undefined} address
 * @param {string} text
 * @param {string} [className]
 */
export function link(address, text, className) {
  if (!address || !URL.canParse(address)) return null
  if (!["http:", "https:", "mailto:"].includes(new URL(address).protocol)) return null
  const made = element("a", className, text)
  made.href = address
  made.target = "_blank"
  made.rel = "noopener noreferrer"
  return made
}

/**
 * Seconds as a person says them: "27 sec", "5 min".
 * @param {number} seconds
 * @param {string} locale
 */
export function duration(seconds, locale) {
  const [n, unit] = seconds <= 90 ? [seconds, "second"] : seconds <= 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"]
  return new Intl.NumberFormat(known(locale), { style: "unit", unit, unitDisplay: "short" }).format(Math.ceil(n))
}

/** @param {string} locale of a notice: whatever a service has sent */
function known(locale) {
  try {
    return Intl.getCanonicalLocales(locale)
  } catch {
    return []
  }
}

/**
 * Count down in an element, for eyes only: it is not read out. Gives what stops it.
 * @param {HTMLElement} place
 * @param {number} seconds
 * @param {(seconds: number) => string} words
 * @param {() => void} [ended]
 */
export function countDown(place, seconds, words, ended) {
  const until = Date.now() + seconds * 1000
  place.setAttribute("aria-hidden", "true")
  const tick = () => {
    const left = Math.max(0, Math.ceil((until - Date.now()) / 1000))
    place.textContent = left ? words(left) : ""
    if (left) return
    stop()
    ended?.()
  }
  const timer = setInterval(tick, 250)
  const stop = () => clearInterval(timer)
  tick()
  return stop
}
