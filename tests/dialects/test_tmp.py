from hypothesis import given, settings, HealthCheck, Phase
from dialect_bodies import *
from failsoft.dialects.chat_format import *
from failsoft.dialects.chat_request import *
from failsoft.dialects.messages_request import *
import copy
S=settings(max_examples=200, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None)
@S
@given(messages_bodies)
def test_rt(body):
    before=copy.deepcopy(body)
    back = messages_request(chat_request(body, ChatFormat()).body)
    form = normal_form(body)
    assert body==before
    assert back.body == form
    assert normal_form(form)==form
    assert messages_request(chat_request(form, ChatFormat()).body).body==form
@S
@given(broken(messages_bodies))
def test_broken(body):
    try: chat = chat_request(body, ChatFormat()).body
    except Unfit as u:
        assert u.field; return
    try: messages_request(chat)
    except Unfit as u: assert u.field
@S
@given(broken(messages_bodies.map(lambda b: chat_request(b, ChatFormat()).body)))
def test_broken2(chat):
    try: messages_request(chat)
    except Unfit as u: assert u.field
@S
@given(broken(messages_bodies))
def test_broken3(b):
    without_unsigned_thinking(b)
