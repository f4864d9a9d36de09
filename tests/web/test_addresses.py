"""The addresses that browsers ask for, and the paths of outputs that they mean."""

from __future__ import annotations

import posixpath
from pathlib import Path
from urllib.parse import quote, urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.web.addresses import OutputAddress, RefusedAddress, output_address, shown_path

NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\\x7f"), min_size=1, max_size=12)
NAMES = st.lists(NAME.filter(lambda name: name not in {".", ".."}), min_size=1, max_size=4)

FOLDER = st.sampled_from(["", "/"])


def address(target: str) -> OutputAddress:
    found = output_address(target)
    assert isinstance(found, OutputAddress), found
    return found


@pytest.mark.parametrize(
    ("target", "file"),
    [
        ("/", "index.html"),
        ("/a.html", "a.html"),
        ("/posts/", "posts/index.html"),
        ("/posts/first/?page=2", "posts/first/index.html"),
        ("/caf%C3%A9.html", "café.html"),
        ("/100%25.html", "100%.html"),
        ("/a%20b/c%3Fd.html", "a b/c?d.html"),
        ("/...", "..."),
        ("/.well-known/x", ".well-known/x"),
    ],
)
def test_an_address_means_a_file_in_the_output_folder(target: str, file: str) -> None:
    assert address(target).file == file


@pytest.mark.parametrize(
    "target",
    [
        "",
        "*",
        "http://127.0.0.1/a.html",
        "//evil.example/",
        "/a//b",
        "/../kahnd.toml",
        "/a/../../kahnd.toml",
        "/./a",
        "/%2e%2e/kahnd.toml",
        "/a/%2E%2E/b",
        "/a%2Fb.html",
        "/..%2fkahnd.toml",
        "/..%5ckahnd.toml",
        "/a%5Cb",
        "/a\\b",
        "/a%00.html",
        "/a%0d%0aSet-Cookie:x",
        "/a\tb",
        "/caf\xe9",
        "/%",
        "/%zz",
        "/a%2",
        "/%ff%fe",
        "/a#b",
        "/?x\r\ny",
        "/" + "x" * 20_000,
        f"/{'a' * 4_090}",
    ],
)
def test_an_address_that_could_mean_something_else_is_refused(target: str) -> None:
    assert isinstance(output_address(target), RefusedAddress)


@pytest.mark.parametrize("target", ["/%252e%252e/kahnd.toml", "/%252fetc/passwd", "/%25252e%25252e/x"])
def test_an_address_is_decoded_once(target: str) -> None:
    """What is still encoded then is a name, and no file of that name is published."""
    assert ".." not in address(target).file
    assert "%" in address(target).file


@given(NAMES, FOLDER)
def test_every_name_of_an_output_has_an_address(names: list[str], folder: str) -> None:
    path = "/".join(names) + (f"{folder}index.html" if folder else "")
    assert address(f"/{quote(path)}").file == path
    assert address(f"/{shown_path(path)}").file == path


@given(st.text(max_size=60).map(lambda text: f"/{text}"))
def test_no_address_leads_out_of_the_output_folder(target: str) -> None:
    escapes_nowhere(target)


PIECES = ["/", "..", ".", "%2e", "%2E", "%2f", "%5c", "\\", "%00", "%25", "a", "%", "//", "?", "#", "%c0%ae", "~", ";"]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(lambda each: f"/{''.join(each)}"))
def test_no_trick_leads_out_of_the_output_folder(target: str) -> None:
    escapes_nowhere(target)


def escapes_nowhere(target: str) -> None:
    found = output_address(target)
    if isinstance(found, OutputAddress):
        for path in (found.file, found.index):
            assert posixpath.normpath(f"/site/{path}").startswith("/site/")
            assert Path(f"/site/{path}").resolve().is_relative_to("/site")
            assert "\0" not in path
            assert "\\" not in path


@pytest.mark.parametrize("base", ["http://127.0.0.1:8300", "https://docs.example/team/preview"])
@pytest.mark.parametrize(
    ("target", "leads_to"),
    [
        ("/posts", "/posts/"),
        ("/a/b?x=1", "/a/b/?x=1"),
        ("/a:b", "/a:b/"),
        ("/caf%C3%A9", "/caf%C3%A9/"),
        ("/javascript:alert(1)", "/javascript:alert(1)/"),
    ],
)
def test_a_folder_is_shown_with_its_slash_below_any_base_path(base: str, target: str, leads_to: str) -> None:
    assert urljoin(base + target, address(target).as_folder) == base + leads_to


@given(NAMES, FOLDER)
def test_the_way_to_the_top_leads_there_from_every_address(names: list[str], folder: str) -> None:
    top = "https://docs.example/team/preview/"
    target = quote("/".join(names)) + folder
    assert urljoin(top + target, address(f"/{target}").base + "_kahnd/") == f"{top}_kahnd/"
