"""Generated pages: `make_page` draws a page, `Page` holds the answer and what the picture needs."""

from training.nano.pages.make import KINDS, Page, answer_tokens, make_page

__all__ = ["KINDS", "Page", "answer_tokens", "make_page"]
