/** A service made of HTTP alone: each test says how it answers, request by request. */

import { createServer } from "node:http"
import { onTestFinished } from "vitest"

export const ID = "req_0123456789abcdef"

/** @param {number} id @param {object} data */
export const frame = (id, data) => `id: ${id}\ndata: ${JSON.stringify(data)}\n\n`

/** The frames of an answer of these words, from `start` to `done`. */
export function answer(...texts) {
  const events = [{ type: "start", request_id: ID }, ...texts.map((text) => ({ type: "text", text }))]
  events.push({ type: "done", level: "full", tokens: texts.length, finish: "complete" })
  return events.map((data, n) => frame(n + 1, data))
}

/** One service for one test; `steps` answer one request each, the last one all that follow. */
export async function service(...steps) {
  const seen = []
  const server = createServer(async (request, reply) => {
    let body = ""
    for await (const part of request) body += part
    const { method, url, headers } = request
    seen.push({ method, url, headers, body })
    if (method === "DELETE") return reply.end("{}")
    const step = steps.length > 1 ? steps.shift() : steps[0]
    await step(reply, seen.at(-1))
  })
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address()
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return { seen, url: `http://127.0.0.1:${port}/api/chat/stream` }
}

const head = { "content-type": "text/event-stream; charset=utf-8", "x-request-id": ID }

/** Send these frames and end; without an end among them that is a connection lost politely. */
export const sends = (...frames) => (reply) => {
  reply.writeHead(200, head)
  reply.end(`${frames.join("")}data: [DONE]\n\n`)
}

/** Send so much, then reset the connection. */
export const breaks = (...frames) => (reply) => {
  reply.writeHead(200, head)
  reply.write(frames.join("") || ": \n\n", () => setImmediate(() => reply.socket?.resetAndDestroy()))
}

/** Reset the connection before any reply. */
export const resets = () => (reply) => reply.socket.resetAndDestroy()

/** Send so much, then nothing, for ever. */
export const stalls = (...frames) => (reply) => {
  reply.writeHead(200, head)
  reply.write(frames.join("") || ": \n\n")
}

/** Go on after `Last-Event-ID`, as the service does. */
export const resumes = (frames, after = sends) => (reply, request) => {
  const last = Number(request.headers["last-event-id"] ?? 0)
  return after(...frames.filter((each) => Number(/^id: (\d+)/.exec(each)[1]) > last))(reply, request)
}

/** @param {number} status @param {object} body @param {Record<string, string>} [headers] */
export const says = (status, body, headers = {}) => (reply) => {
  reply.writeHead(status, { "content-type": "application/json", ...headers })
  reply.end(status === 204 ? undefined : JSON.stringify(body))
}

/** A storage as a browser has it. */
export function storage() {
  const kept = new Map()
  return {
    kept,
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => void kept.set(name, value),
    removeItem: (name) => void kept.delete(name),
  }
}
