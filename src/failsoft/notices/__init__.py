"""Product copy: the texts a person reads when something goes wrong, and what to do next."""

from failsoft.notices.catalogue import Catalogue, notice_for, suggested_actions
from failsoft.notices.locale_file import direction
from failsoft.notices.notice import Notice

__all__ = ["Catalogue", "Notice", "direction", "notice_for", "suggested_actions"]
