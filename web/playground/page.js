/** The little that every part of the page needs to put text on it. */

/** @param {string} id */
export const $ = (id) => /** @type {any} */ (document.getElementById(id))

/**
 * An element with text and children; never HTML.
 * @param {string} tag
 * @param {Record<string, any>} [more] properties
 * @param {...(Node | string)} inside
 * @returns {any}
 */
export function el(tag, more = {}, ...inside) {
  const made = Object.assign(document.createElement(tag), more)
  made.append(...inside)
  return made
}

/** Whether the person asked for little movement. */
export const calm = matchMedia("(prefers-reduced-motion: reduce)")

/**
 * JSON to and from the service; an Error has the service's own words.
 * @param {string} method
 * @param {string} url
 * @param {any} [body]
 */
export async function call(method, url, body) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }
  const reply = await fetch(url, { method, ...sent })
  // What stands between may say anything, in whatever form.
  const told = await reply.json().catch(() => null)
  if (!reply.ok || !told) throw new Error(told?.detail ?? `The service said ${reply.status}.`)
  return told
}
