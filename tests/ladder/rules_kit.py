"""Folders of rules, and questions for those that ship."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from failsoft import RuleBook

STARTER = Path(str(resources.files("failsoft.ladder.rules") / "starter"))

# Wordings that stand in no rule.
UNSEEN = {
    "opening-hours": (
        "until when are you open today",
        "Are you closed on public holidays?",
        "at what time do you open?",
    ),
    "reach-a-person": (
        "can I please speak with a real human being?",
        "I'd like someone from customer service to contact me",
        "is there a phone number that I can call?",
    ),
    "document-lost": (
        "Have you received the documents I uploaded yesterday?",
        "did my documents get lost?",
        "I'm not sure my upload worked",
    ),
    "send-again": (
        "do I have to send the documents again?",
        "must I resend all my documents?",
        "do I have to start again from the beginning?",
    ),
    "message-lost": (
        "is my conversation history gone now?",
        "are my old messages lost",
        "did I lose my chat history?",
    ),
    "assistant-back": (
        "when is the assistant back?",
        "how long is the outage going to last?",
        "is the system down right now?",
    ),
    "password-reset": (
        "I've forgotten my password, what now?",
        "how to change the password of my account",
        "I need a new password for my account",
    ),
    "privacy": (
        "how safe is my personal data with you?",
        "Do you share personal data with third parties?",
        "where can I find the privacy policy?",
    ),
    "application-status": (
        "what's the status of my loan application",
        "how long will the application take?",
        "has a decision been made on my loan?",
    ),
    "which-documents": (
        "what documents are required?",
        "which papers do I need to bring with me",
        "is there a checklist for the documents?",
    ),
}

UNRELATED = """
What is the capital of France?
How do I bake bread without yeast?
Write a poem about the sea
What is the interest rate for a ten year loan?
Explain the difference between fixed and variable rates
How many people live in Berlin?
Translate 'good morning' into Italian
What is the weather like tomorrow?
Can you summarise this contract for me?
How do I reset my router?
Why is the sky blue?
Which mortgage is cheaper for me?
What is the maximum amount I can borrow?
How do I calculate compound interest?
Give me three ideas for a birthday present
What does APR mean?
Can I repay my loan early?
Write a Python function that sorts a list
How long does it take to fly to Tokyo?
Who wrote Hamlet?
What happened in the year 1989?
How much is 15 % of 240?
Should I buy or rent a house?
What is a good salary for a nurse?
Tell me a joke
How do I open a bank account for my child?
What is the best time to visit Japan?
Can I change the due date of my instalment?
What is the penalty for paying late?
Can I add my wife to the application?
How do I withdraw my application?
Why was my application rejected?
How do I cancel my account?
When does the stock exchange close?
How do I export my data to Excel?
Is my document valid in another country?
How do I save a document as PDF?
Can my boss read my chat messages at work?
""".strip().splitlines()


def write(folder: Path, name: str, text: str = "An answer.", **head: Any) -> Path:
    """Write a rule; what is no list is a text on one line."""
    lines = []
    for key, value in head.items():
        if isinstance(value, str):
            lines.append(f"{key}: {value}")
        else:
            lines += [f"{key}:", *(f"  - {each}" for each in value)]
    path = folder / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["---", *lines, "---", text, ""]), encoding="utf-8")
    return path


def name_of(book: RuleBook, question: str, **place: str) -> str | None:
    found = book.match(question, **place)
    return None if found is None else found.name
