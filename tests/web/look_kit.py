"""Screenshots, compared loosely: a broken layout is found, another font is not."""

import base64
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from playwright.async_api import Browser, Page

LOOKS = Path(__file__).parent / "looks"

# Kept at an eighth, small and still to be recognised; compared by cells of 24 pixels.
SHRUNK = 8
BLOCK = 3

# So far may the colour of a cell be from what is kept (of 255), and so many cells farther.
# Measured: a serif or a typewriter's font comes to 0.16 at most, missing styles to 0.24 and more.
COLOUR = 20
SHARE = 0.17

_SHRINK = """async ([url, by]) => {
  const image = new Image()
  image.src = url
  await image.decode()
  const made = (width, height) => Object.assign(document.createElement("canvas"), { width, height })
  const whole = made(image.width, image.height).getContext("2d", { willReadFrequently: true })
  whole.drawImage(image, 0, 0)
  const from = whole.getImageData(0, 0, image.width, image.height)
  const [width, height] = [image.width, image.height].map(each => Math.floor(each / by))
  const small = made(width, height)
  const to = new ImageData(width, height)
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) for (let c = 0; c < 4; c++) {
    let sum = 0
    for (let dy = 0; dy < by; dy++) for (let dx = 0; dx < by; dx++)
      sum += from.data[((y * by + dy) * image.width + x * by + dx) * 4 + c]
    to.data[(y * width + x) * 4 + c] = Math.round(sum / by / by)
  }
  small.getContext("2d").putImageData(to, 0, 0)
  return { width, height, rgba: [...to.data], url: small.toDataURL("image/png") }
}"""


@dataclass(frozen=True, kw_only=True)
class Look:
    """A screenshot at an eighth of its size."""

    width: int
    height: int
    rgba: list[int]
    url: str

    def cells(self) -> list[tuple[float, ...]]:
        """The mean colours of its cells, row by row."""
        columns, rows = range(self.width // BLOCK), range(self.height // BLOCK)
        return [self._mean(x * BLOCK, y * BLOCK) for y, x in product(rows, columns)]

    def _mean(self, left: int, top: int) -> tuple[float, ...]:
        pixels = [
            ((top + y) * self.width + left + x) * 4 for y, x in product(range(BLOCK), range(BLOCK))
        ]
        return tuple(sum(self.rgba[at + c] for at in pixels) / len(pixels) for c in range(3))

    def keep(self, name: str) -> None:
        """Keep it as what is to be seen from now on."""
        LOOKS.mkdir(exist_ok=True)
        _path(name).write_bytes(base64.b64decode(self.url.partition(",")[2]))

    def unlike(self, kept: "Look") -> float:
        """The share of cells whose colour is another one; 1 where not even the size is the same."""
        if (self.width, self.height) != (kept.width, kept.height):
            return 1.0
        pairs = list(zip(self.cells(), kept.cells(), strict=True))
        far = [max(abs(a - b) for a, b in zip(*pair, strict=True)) > COLOUR for pair in pairs]
        return sum(far) / len(far)


class Looks:
    """Takes and reads them, in a page of its own."""

    def __init__(self, page: Page) -> None:
        self._page = page

    @classmethod
    async def of(cls, browser: Browser) -> "Looks":
        return cls(await browser.new_page())

    async def taken(self, page: Page) -> Look:
        """How a page looks now."""
        return await self._shrunk(await page.screenshot(animations="disabled"), SHRUNK)

    async def kept(self, name: str) -> Look:
        """How it is to look."""
        return await self._shrunk(_path(name).read_bytes(), 1)

    async def _shrunk(self, png: bytes, by: int) -> Look:
        url = f"data:image/png;base64,{base64.b64encode(png).decode()}"
        return Look(**await self._page.evaluate(_SHRINK, [url, by]))

    async def close(self) -> None:
        await self._page.close()


# What is missing, has no size, is beside the screen, is covered, or is over what stands beside it.
# What has been scrolled away is nowhere: that is no fault.
_ASTRAY = """names => {
  const up = each => each.assignedSlot ?? each.parentNode ?? each.host
  const holds = (one, two) => Boolean(two) && (one === two || holds(one, up(two)))
  const inside = root => [root, ...[...root.querySelectorAll("*")]
    .flatMap(each => each.shadowRoot ? inside(each.shadowRoot) : [])]
  const roots = inside(document)
  const at = (x, y, root = document) => {
    const found = root.elementFromPoint(x, y)
    const deeper = found?.shadowRoot && found.shadowRoot !== root
    return deeper ? at(x, y, found.shadowRoot) ?? found : found
  }
  const seen = each => {
    let { left, right, top, bottom } = each.getBoundingClientRect()
    for (let by = up(each); by; by = up(by)) {
      if (!(by instanceof Element) || getComputedStyle(by).overflowY === "visible") continue
      const clip = by.getBoundingClientRect()
      top = Math.max(top, clip.top)
      bottom = Math.min(bottom, clip.bottom)
    }
    return { left, right, top: Math.max(top, 0), bottom: Math.min(bottom, innerHeight) }
  }
  const wrong = []
  const boxes = names.flatMap(name => {
    const all = roots.flatMap(root => [...root.querySelectorAll(name)]).filter(each =>
      each.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
    if (!all.length) wrong.push(`${name} is not there`)
    return all.map(each => ({ name, each, ...seen(each) }))
  }).filter(({ top, bottom }) => bottom > top)
  for (const { name, each, left, right, top, bottom } of boxes) {
    if (right - left < 24 || each.offsetHeight < 16) wrong.push(`${name} is small`)
    if (left < -1 || right > innerWidth + 1) wrong.push(`${name} is beside the screen`)
    const found = at((left + right) / 2, (top + bottom) / 2)
    if (!holds(each, found) && !holds(found, each)) wrong.push(`${name} is covered`)
    for (const two of boxes) {
      if (holds(each, two.each) || holds(two.each, each)) continue
      const wide = Math.min(right, two.right) - Math.max(left, two.left)
      const high = Math.min(bottom, two.bottom) - Math.max(top, two.top)
      if (wide > 1 && high > 1) wrong.push(`${name} is over ${two.name}`)
    }
  }
  return [...new Set(wrong)]
}"""


async def astray(page: Page, *names: str) -> list[str]:
    """What is wrong with the boxes of these selectors, through all shadow roots; [] for nothing."""
    return await page.evaluate(_ASTRAY, names)


def _path(name: str) -> Path:
    return LOOKS / f"{name}.png"
