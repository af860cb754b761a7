"""Who is signed in, which documents there are, and failsoft's routes beside them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, unquote

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, StringConstraints

from failsoft import Failsoft
from failsoft.server import router
from loan_desk.documents import Documents

__all__ = ["create_app"]

_PAGE = Path(__file__).with_name("page")
_INSTRUCTIONS = (
    "You check documents of a loan application. Say what kind of document this is, what is missing "
    "or contradicts itself, and what the officer should ask for."
)

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=100_000)]


class SignIn(BaseModel):
    """Who somebody says they are."""

    name: Name


class Submission(BaseModel):
    """A document as it is handed in."""

    title: Name
    text: Text


class Answering(BaseModel):
    """The request that answers a document."""

    request_id: str


def officer(request: Request) -> str:
    """The officer who is signed in.

    This stands in for a real sign-in: whoever gives a name is believed. An application has its own
    session here; all that failsoft needs is an id that is never given to somebody else.
    """
    name = unquote(request.cookies.get("officer", ""))
    if not name:
        raise HTTPException(401, "Sign in first.")
    return name


Officer = Annotated[str, Depends(officer)]


def create_app() -> FastAPI:
    """The application, for ``uvicorn --factory``; its settings are failsoft's."""
    ai = Failsoft()
    documents = Documents(Path(ai.settings.data_dir) / "documents.db")

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with ai:
            yield

    app = FastAPI(title="Loan desk", lifespan=lifespan)
    app.include_router(router(ai, principal=Depends(officer)))
    app.include_router(_session())
    app.include_router(_documents(documents))
    app.mount("/", StaticFiles(directory=_PAGE, html=True))
    return app


def _session() -> APIRouter:
    routes = APIRouter(prefix="/session")

    @routes.get("")
    def who(name: Officer) -> dict[str, str]:
        return {"name": name}

    @routes.put("", status_code=204)
    def sign_in(sign_in: SignIn, response: Response) -> None:
        response.set_cookie("officer", quote(sign_in.name), httponly=True, samesite="strict")

    @routes.delete("", status_code=204)
    def sign_out(response: Response) -> None:
        response.delete_cookie("officer", httponly=True, samesite="strict")

    return routes


def _documents(documents: Documents) -> APIRouter:
    routes = APIRouter(prefix="/documents")

    @routes.get("")
    def mine(name: Officer) -> list[dict[str, Any]]:
        return documents.of(name)

    @routes.get("/{key}")
    def one(key: str, name: Officer) -> dict[str, Any]:
        document = documents.find(name, key)
        if document is None:
            raise HTTPException(404, "There is no such document.")
        return document

    @routes.put("/{key}")
    def enter(key: str, submission: Submission, name: Officer) -> dict[str, Any]:
        question = json.dumps({"system": _INSTRUCTIONS, "message": submission.text})
        document = documents.enter(name, key, submission.title, question)
        if json.loads(document["question"])["message"] != submission.text:
            raise HTTPException(409, "This key is another document's; a new one needs a new key.")
        return document

    @routes.put("/{key}/request", status_code=204)
    def tie(key: str, answering: Answering, name: Officer) -> None:
        documents.tie(name, key, answering.request_id)

    return routes
