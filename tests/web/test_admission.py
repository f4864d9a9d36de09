"""Who may ask the preview, by a request's head."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.web.admission import Entrance, Head, refusal, shows_token

HERE = "127.0.0.1:8300"
TOKEN = "t0ken"  # noqa: S105 - of nothing
LOCAL = Entrance(frozenset({"localhost", "127.0.0.1", "[::1]"}), 8300, TOKEN)
LOCKED = replace(LOCAL, is_locked=True)
READ = Head("GET", (HERE,))
FROM_HERE = (f"http://{HERE}",)
POST = Head("POST", (HERE,), FROM_HERE, "same-origin", tokens=(TOKEN,))
UPGRADE = Head("GET", (HERE,), FROM_HERE, is_upgrade=True, tokens=(TOKEN,))


def status(head: Head, entrance: Entrance = LOCAL) -> int:
    """The status of the refusal; 200 if it is admitted."""
    found = refusal(head, entrance)
    return found.status if found else HTTPStatus.OK


@pytest.mark.parametrize("host", [HERE, "localhost:8300", "LOCALHOST:8300", "[::1]:8300"])
def test_this_machines_names_are_admitted(host: str) -> None:
    assert status(replace(READ, hosts=(host,))) == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8300", "127.0.0.1", "localhost:8301", "127.0.0.2:8300", "localhost.:8300", "0:8300"],
)
def test_a_name_that_was_pointed_here_is_refused(host: str) -> None:
    """DNS rebinding: the browser believes that the page and the preview are of one origin."""
    assert status(replace(READ, hosts=(host,))) == 403


@pytest.mark.parametrize(
    "hosts", [(), ("",), (HERE, "evil.example"), ("a b",), ("[::1",), ("x:99999999",), ("user@" + HERE,), ("\x00",)]
)
@pytest.mark.parametrize("entrance", [LOCAL, LOCKED])
def test_a_host_that_is_none_is_a_bad_request(hosts: tuple[str, ...], entrance: Entrance) -> None:
    assert status(replace(READ, hosts=hosts), entrance) == 400


@pytest.mark.parametrize("head", [READ, POST, UPGRADE])
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://evil.example:8300",
        "http://192.168.0.7:8300",
        "http://127.0.0.1:8301",
        "http://127.0.0.1",
        "https://127.0.0.1:8300",
        "http://localhost:8300",
        "http://[::1]:8300",
        "file://",
        "chrome-extension://abcdef",
        "null",
    ],
)
def test_a_foreign_origin_is_refused(head: Head, origin: str) -> None:
    assert status(replace(head, origins=(origin,))) == 403


@pytest.mark.parametrize("head", [READ, POST, UPGRADE])
@pytest.mark.parametrize(
    "origins", [("",), ("x",), ("http://",), ("http://a/b",), ("http://a b",), (*FROM_HERE, "null")]
)
def test_an_origin_that_is_none_is_refused(head: Head, origins: tuple[str, ...]) -> None:
    assert status(replace(head, origins=origins)) in {400, 403}


def test_garbage_in_the_origin_is_a_bad_request() -> None:
    assert status(replace(READ, origins=("gar bage",))) == 400
    assert status(replace(READ, origins=(*FROM_HERE, *FROM_HERE))) == 400


@pytest.mark.parametrize("site", ["cross-site", "same-site", "whatever"])
@pytest.mark.parametrize("dest", ["script", "style", "image", "empty", "worker", "audio", "object", "embed"])
def test_a_page_of_another_site_can_load_nothing(site: str, dest: str) -> None:
    for mode in ("no-cors", "cors", "navigate" if dest in {"object", "embed"} else "no-cors"):
        assert status(replace(READ, fetch_site=site, fetch_mode=mode, fetch_dest=dest)) == 403


def test_a_link_on_another_site_leads_here() -> None:
    visit = replace(READ, fetch_site="cross-site", fetch_mode="navigate", fetch_dest="document")
    assert status(visit) == 200
    assert status(replace(visit, method="POST", origins=FROM_HERE, tokens=(TOKEN,))) == 403
    assert status(replace(visit, is_upgrade=True, origins=FROM_HERE, tokens=(TOKEN,))) == 403


@pytest.mark.parametrize("head", [POST, UPGRADE])
def test_an_upgrade_and_a_change_need_the_origin_and_the_token(head: Head) -> None:
    assert status(head) == 200
    assert status(replace(head, origins=())) == 403
    assert status(replace(head, tokens=())) == 403
    assert status(replace(head, tokens=("wrong",))) == 403
    assert status(replace(head, tokens=(), cookie=TOKEN), LOCKED) == 403, "a cookie is sent by foreign pages, too"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "FOO"])
def test_other_methods_are_refused(method: str) -> None:
    assert status(replace(POST, method=method)) == 405


@pytest.mark.parametrize("host", [HERE, "docs.example", "192.168.0.7:8300"])
def test_what_other_machines_can_reach_needs_the_token_and_no_name(host: str) -> None:
    asked = replace(READ, hosts=(host,))
    assert status(asked, LOCKED) == 401
    assert status(replace(asked, cookie="wrong"), LOCKED) == 401
    assert status(replace(asked, cookie=TOKEN), LOCKED) == 200
    assert status(replace(asked, tokens=(TOKEN,)), LOCKED) == 200


@pytest.mark.parametrize(
    "proxied",
    [
        replace(UPGRADE, hosts=("docs.example",)),
        replace(UPGRADE, hosts=("127.0.0.1:8300",), forwarded_host="docs.example"),
        replace(UPGRADE, hosts=("127.0.0.1:8300",), fetch_site="same-origin"),
    ],
)
def test_behind_a_proxy_the_origin_is_that_of_the_proxy(proxied: Head) -> None:
    upgrade = replace(proxied, origins=("https://docs.example",))
    assert status(upgrade, LOCKED) == 200
    assert status(replace(upgrade, origins=("https://evil.example",), fetch_site="cross-site"), LOCKED) == 403
    assert status(replace(upgrade, tokens=()), LOCKED) == 403


def test_without_a_lock_no_header_stands_for_the_host() -> None:
    rebound = replace(READ, hosts=("evil.example",), forwarded_host=HERE, fetch_site="same-origin", tokens=(TOKEN,))
    assert status(rebound) == 403
    assert status(replace(READ, origins=("http://evil.example",), forwarded_host="evil.example")) == 403


def test_a_token_in_the_address_is_told_from_one_in_the_cookie() -> None:
    assert shows_token(replace(READ, tokens=("x", TOKEN)), LOCKED)
    assert not shows_token(replace(READ, cookie=TOKEN), LOCKED)


TEXT = st.text(max_size=20) | st.sampled_from([HERE, f"http://{HERE}", "null", "same-origin", "cross-site", TOKEN])


@given(
    st.builds(
        Head,
        st.sampled_from(["GET", "HEAD", "POST", "PUT"]),
        st.lists(TEXT, max_size=2),
        st.lists(TEXT, max_size=2),
        TEXT,
        TEXT,
        TEXT,
        TEXT,
        st.booleans(),
        st.lists(TEXT, max_size=2),
        TEXT,
    ),
    st.sampled_from([LOCAL, LOCKED]),
)
def test_any_head_is_decided_on(head: Head, entrance: Entrance) -> None:
    """Whatever the headers hold, nothing is raised, and what changes something shows the token and an origin."""
    found = refusal(head, entrance)
    if found is None and (head.is_upgrade or head.method == "POST"):
        assert shows_token(head, entrance)
        assert head.origins
