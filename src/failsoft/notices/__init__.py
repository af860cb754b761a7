"""Product copy: the words a person reads when something goes wrong, and what to do next."""

from failsoft.notices.catalogue import Catalogue
from failsoft.notices.direction import direction
from failsoft.notices.notice import Notice
from failsoft.notices.select import notice_for, suggested_actions

__all__ = ["Catalogue", "Notice", "direction", "notice_for", "suggested_actions"]
