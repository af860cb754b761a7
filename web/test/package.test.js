import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { build } from "esbuild"
import { expect, test } from "vitest"
import { direction, labelsFor, locales, outagesFor } from "../words.js"

const WEB = fileURLToPath(new URL("..", import.meta.url))
const said = JSON.parse(readFileSync(join(WEB, "package.json"), "utf8"))

test("the client is 6 KB at most, minified and compressed, with its words", async () => {
  const { outputFiles } = await build({
    stdin: { contents: 'export * from "./client.js"', resolveDir: WEB },
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
  })
  expect(gzipSync(outputFiles[0].contents, { level: 9 }).length).toBeLessThanOrEqual(6 * 1024)
})

test("types hold, and those that are published are fresh", () => {
  const fresh = mkdtempSync(join(tmpdir(), "types-"))
  execFileSync(process.execPath, [join(WEB, "node_modules", "typescript", "bin", "tsc"), "--outDir", fresh], { cwd: WEB })
  const all = (folder) => Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]))
  expect(all(join(WEB, "types"))).toEqual(all(fresh))
  rmSync(fresh, { recursive: true })
}, 30_000)

test("nothing is needed to use it, and all that is imported is published", () => {
  expect(said.dependencies).toBeUndefined()
  for (const file of said.files.filter((name) => name.endsWith(".js"))) {
    const imported = [...readFileSync(join(WEB, file), "utf8").matchAll(/^import .*?"(.+?)"/gm)].map(([, name]) => name)
    for (const name of imported) expect(said.files).toContain(name.replace("./", ""))
  }
})

test("the lock file names no place to fetch from", () => {
  const lock = readFileSync(join(WEB, "package-lock.json"), "utf8")
  expect(lock).not.toContain('"resolved"')
  expect(lock).toContain('"integrity"')
})

test("every language has every word", () => {
  expect(locales).toEqual(["en", "es", "de", "fr", "ja", "ar"])
  for (const words of [labelsFor, outagesFor]) {
    for (const locale of locales) {
      expect(Object.keys(words(locale))).toEqual(Object.keys(words("en")))
      expect(Object.values(words(locale)).flat()).not.toContain("")
    }
  }
  for (const locale of locales) expect(labelsFor(locale).wait).toContain("{time}")
})

test("a language that is not there is English, a dialect is its language", () => {
  expect(labelsFor("de-AT")).toBe(labelsFor("de"))
  expect(outagesFor("de-AT")).toEqual(outagesFor("de"))
  for (const locale of ["tlh", "constructor", "", null, undefined]) {
    expect(labelsFor(locale)).toBe(labelsFor("en"))
    expect(outagesFor(locale).locale).toBe("en")
  }
  expect(["ar-EG", "he", "en", "arn", ""].map(direction)).toEqual(["rtl", "rtl", "ltr", "ltr", "ltr"])
})
