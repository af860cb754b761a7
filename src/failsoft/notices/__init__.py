"""Product copy: the words a person reads when something goes wrong, and what to do next."""

from failsoft.notices.catalogue import Catalogue
from failsoft.notices.notice import Notice
from failsoft.notices.select import notice_for, suggested_actions

__all__ = ["Catalogue", "Notice", "notice_for", "suggested_actions"]
