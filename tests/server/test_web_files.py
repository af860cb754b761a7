import pytest
from server_kit import call, service

from failsoft.server.static_files import PAGE_POLICY, web_folder

FILES = {
    "client.js": "text/javascript; charset=utf-8",
    "chat.js": "text/javascript; charset=utf-8",
    "notice.js": "text/javascript; charset=utf-8",
    "words.js": "text/javascript; charset=utf-8",
    "chat.css": "text/css; charset=utf-8",
    "chat.html": "text/html; charset=utf-8",
}


async def get(path: str, app=None, **headers: str):
    return await call(app or service("Hi."), path, method="GET", headers=headers)


@pytest.mark.parametrize("name", FILES)
async def test_the_package_is_served_as_it_is(name):
    reply = await get(f"/web/{name}")
    assert reply.status == 200
    assert reply.headers["content-type"] == FILES[name]
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.body == (web_folder() / name).read_bytes()


async def test_what_a_browser_has_is_not_sent_again():
    app = service("Hi.")
    tag = (await get("/web/client.js", app)).headers["etag"]
    for sent in (tag, f'"another", W/{tag}'):
        reply = await get("/web/client.js", app, **{"if-none-match": sent})
        assert (reply.status, reply.body, reply.headers["etag"]) == (304, b"", tag)
    assert (await get("/web/chat.js", app, **{"if-none-match": tag})).status == 200


async def test_a_page_runs_nothing_but_files_of_the_service():
    reply = await get("/web/chat.html")
    assert reply.headers["content-security-policy"] == PAGE_POLICY
    assert b"<style" not in reply.body
    assert b"style=" not in reply.body
    assert reply.body.count(b"<script") == reply.body.count(b'<script type="module" src=') == 1


@pytest.mark.parametrize(
    "path",
    [
        "",
        "package.json",
        "package-lock.json",
        "test/client.test.js",
        "node_modules/vitest/package.json",
        "types/client.d.ts",
        "../pyproject.toml",
        "..%2fpyproject.toml",
        "//etc/passwd",
        "client.js/",
        "CLIENT.JS",
    ],
)
async def test_nothing_else_of_the_folder_can_be_had(path):
    reply = await get(f"/web/{path}")
    assert reply.status == 404
    assert reply.headers["content-type"] == "application/problem+json"
