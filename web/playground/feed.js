/** The live feed of the service: server-sent events, connected again by the browser itself. */

/**
 * @param {string} url
 * @param {{ onEvent: (event: any) => void, onLink: (up: boolean) => void }} told
 */
export function watch(url, { onEvent, onLink }) {
  const source = new EventSource(url)
  source.onopen = () => onLink(true)
  source.onerror = () => {
    onLink(false)
    // A reply that is no stream (a proxy's page) ends it for good.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => watch(url, { onEvent, onLink }), 3000)
  }
  source.onmessage = ({ data }) => {
    if (data !== "[DONE]") onEvent(JSON.parse(data))
  }
}

/** The server's clock: how far it is ahead of this page's, in seconds. */
export class Clock {
  #ahead = -Infinity

  /** An event tells that it is at least so late there. @param {number} at */
  heard(at) {
    this.#ahead = Math.max(this.#ahead, at - Date.now() / 1000)
  }

  now() {
    return Date.now() / 1000 + (Number.isFinite(this.#ahead) ? this.#ahead : 0)
  }
}

/** Server-sent events of a reply to fetch. @param {Response} reply */
export async function* eventsOf(reply) {
  let rest = ""
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader()
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const blocks = (rest + value).split("\n\n")
    rest = blocks.pop() ?? ""
    for (const block of blocks) {
      const data = block.split("\n").find((line) => line.startsWith("data: "))?.slice(6)
      if (data && data !== "[DONE]") yield JSON.parse(data)
    }
  }
}
