import pickle
import socket

import pytest

from failsoft.config.settings import ServerSettings, Settings
from failsoft.errors import SettingError
from failsoft.server.responses import WRITE_SECONDS
from failsoft.server.serve import _config, _listen, serve


def test_an_address_in_use_is_told_with_the_way_out():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = Settings(server=ServerSettings(port=port))
        with pytest.raises(SettingError, match=f"port {port}: .*another with --port") as caught:
            serve(settings, on_ready=lambda _: pytest.fail("it said it was ready"))
    assert caught.value.setting == "server.port"


def test_nothing_is_opened_to_the_world_without_keys():
    settings = Settings(server=ServerSettings(host="0.0.0.0", port=0))
    with pytest.raises(SettingError, match="FAILSOFT_API_KEYS"):
        serve(settings, on_ready=lambda _: pytest.fail("it said it was ready"))


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="only Linux has it")
def test_the_kernel_drops_who_takes_nothing():
    with (
        _listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as connection,
    ):
        patience = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert patience == WRITE_SECONDS * 1000


def test_workers_can_be_given_their_settings(monkeypatch):
    monkeypatch.setattr("logging.config.dictConfig", lambda _: None)
    settings = Settings(api_keys=("secret",), server=ServerSettings(workers=2))
    config = pickle.loads(pickle.dumps(_config(settings)))
    assert config.app.args == (settings,)
