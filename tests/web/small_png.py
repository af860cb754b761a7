"""Pictures for the documentation, with a palette: a third of what a browser writes."""

import base64
import struct
import zlib
from collections import Counter

from playwright.async_api import Page

# Squares of differences: what is nearer is one colour.
_ALIKE = 48

_PIXELS = """async url => {
  const image = new Image()
  image.src = url
  await image.decode()
  const { width, height } = image
  const drawn = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d")
  drawn.drawImage(image, 0, 0)
  let bytes = ""
  const { data } = drawn.getImageData(0, 0, width, height)
  for (let at = 0; at < data.length; at += 32768)
    bytes += String.fromCharCode(...data.subarray(at, at + 32768))
  return { width, height, rgba: btoa(bytes) }
}"""


async def small_png(page: Page, png: bytes) -> bytes:
    """The picture in 256 colours, frequent ones and unlike each other; ``page`` draws it."""
    url = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    drawn = await page.evaluate(_PIXELS, url)
    raw = base64.b64decode(drawn["rgba"])
    pixels = [raw[at : at + 3] for at in range(0, len(raw), 4)]
    counts = Counter(pixels)
    palette = _palette(counts)
    index = {colour: _nearest(colour, palette) for colour in counts}
    width, height = drawn["width"], drawn["height"]
    rows = b"".join(
        b"\0" + bytes(index[pixel] for pixel in pixels[row * width : (row + 1) * width])
        for row in range(height)
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = (b"IHDR", head), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(rows, 9))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in (*parts, (b"IEND", b"")))


def _palette(counts: Counter[bytes]) -> list[bytes]:
    found: list[bytes] = []
    for colour, _ in counts.most_common():
        if len(found) < 256 and all(_apart(colour, other) > _ALIKE for other in found):
            found.append(colour)
    return found


def _nearest(colour: bytes, palette: list[bytes]) -> int:
    return min(range(len(palette)), key=lambda number: _apart(colour, palette[number]))


def _apart(one: bytes, two: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, two, strict=True))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
