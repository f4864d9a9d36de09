"""What a browser is told: as conversations with a subscription."""

from __future__ import annotations

from kahnd.web.messages import Changed, Known, Show
from kahnd.web.subscription import MAX_PATHS, MAX_TABS, Subscription, Told

NOTHING = Told((), (), frozenset())


class Published:
    """What is published now."""

    def __init__(self, **hashes: str) -> None:
        self.hashes = {name.replace("_", "."): digest for name, digest in hashes.items()}
        self.recent: set[str] = set()

    def lookup(self, path: str) -> str | None:
        return self.hashes.get(path)

    def is_recent(self, path: str) -> bool:
        return path in self.recent


def shown(browser: Subscription, published: Published, show: Show) -> Told:
    browser.show(show, published.lookup, published.is_recent)
    return browser.take()


def test_a_tab_that_shows_what_is_published_is_told_nothing_but_its_problems() -> None:
    told = shown(Subscription(), Published(a_html="1"), Show("tab", "a.html", "1"))
    assert told == Told((), ("a.html",), frozenset({"a.html"}))


def test_a_tab_that_shows_another_version_is_told() -> None:
    told = shown(Subscription(), Published(a_html="2"), Show("tab", "a.html", "1"))
    assert told.messages == (Changed("a.html", "2", "page"),)


def test_a_page_that_is_published_no_more_and_one_that_is_published_at_last_are_changes() -> None:
    browser, published = Subscription(), Published()
    assert shown(browser, published, Show("one", "a.html", "1")).messages == (Changed("a.html", None, "page"),)
    shown(browser, published, Show("two", "b.html", None))
    browser.compare("b.html", "5")
    assert browser.take().messages == (Changed("b.html", "5", "page"),)


def test_nothing_is_told_twice() -> None:
    browser, published = Subscription(), Published(a_html="1")
    shown(browser, published, Show("tab", "a.html", "1"))
    browser.compare("a.html", "2")
    browser.compare("a.html", "2")
    assert len(browser.take().messages) == 1
    browser.compare("a.html", "2")
    assert not browser.is_due
    assert browser.take() == NOTHING


def test_of_several_changes_of_a_path_only_the_last_is_told() -> None:
    browser, published = Subscription(), Published(a_html="1")
    shown(browser, published, Show("tab", "a.html", "1"))
    for digest in ("2", "3", "4"):
        browser.compare("a.html", digest)
    assert browser.take().messages == (Changed("a.html", "4", "page"),)


def test_of_two_tabs_with_one_page_the_older_one_is_told() -> None:
    browser, published = Subscription(), Published(a_html="2")
    shown(browser, published, Show("new", "a.html", "2"))
    assert shown(browser, published, Show("old", "a.html", "1")).messages == (Changed("a.html", "2", "page"),)


def test_an_asset_of_unknown_hash_is_what_is_published_and_its_hash_is_told() -> None:
    browser, published = Subscription(), Published(a_html="1", a_css="7")
    told = shown(browser, published, Show("tab", "a.html", "1", {"a.css": None}))
    assert told.messages == (Known({"a.css": "7"}),)
    browser.compare("a.css", "8")
    assert browser.take().messages == (Changed("a.css", "8", "style"),)


def test_an_asset_that_changed_while_the_page_was_loading_is_told() -> None:
    browser, published = Subscription(), Published(a_html="1", a_css="7")
    published.recent.add("a.css")
    told = shown(browser, published, Show("tab", "a.html", "1", {"a.css": None}))
    assert told.messages == (Changed("a.css", "7", "style"),)


def test_what_is_published_between_two_sessions_is_not_known_and_nothing_is_told_until_it_is() -> None:
    browser = Subscription()
    browser.show(Show("tab", "a.html", "1", {"a.css": "7"}), None, lambda _: False)
    assert browser.take().messages == ()
    browser.compare("a.html", "1")
    browser.compare("a.css", "8")
    assert browser.take().messages == (Changed("a.css", "8", "style"),)


def test_a_tab_that_has_gone_is_told_nothing_more() -> None:
    browser, published = Subscription(), Published(a_html="1")
    shown(browser, published, Show("tab", "a.html", "1"))
    browser.compare("a.html", "2")
    browser.gone("tab")
    assert browser.take() == NOTHING
    assert browser.paths == set()


def test_a_path_that_no_tab_has_named_is_never_told() -> None:
    browser, published = Subscription(), Published(a_html="1")
    shown(browser, published, Show("tab", "a.html", "1"))
    browser.compare("b.html", "2")
    browser.judge("b.html")
    assert browser.take() == NOTHING


def test_problems_are_asked_for_by_a_new_tab_and_judged_after_a_change() -> None:
    browser, published = Subscription(), Published(a_html="1")
    assert shown(browser, published, Show("one", "a.html", "1")).asked == {"a.html"}
    assert shown(browser, published, Show("one", "a.html", "1")).judged == ()
    browser.judge("a.html")
    assert browser.take() == Told((), ("a.html",), frozenset())
    assert shown(browser, published, Show("two", "a.html", "1")).asked == {"a.html"}


def test_an_asset_is_never_judged() -> None:
    browser, published = Subscription(), Published(a_html="1", a_css="7")
    shown(browser, published, Show("tab", "a.html", "1", {"a.css": "7"}))
    browser.judge("a.css")
    assert browser.take() == NOTHING


def test_only_pages_in_view_are_looked_at() -> None:
    browser, published = Subscription(), Published()
    shown(browser, published, Show("one", "a.html", "1"))
    shown(browser, published, Show("two", "b.html", "1", visible=False))
    assert browser.looked_at == {"a.html"}


def test_what_waits_for_a_browser_is_bounded_whatever_it_names() -> None:
    browser, published = Subscription(), Published()
    for number in range(MAX_TABS + 50):
        assets: dict[str, str | None] = dict.fromkeys((f"{number}-{each}.css" for each in range(100)), "1")
        browser.show(Show(f"tab {number}", f"{number}.html", "1", assets), published.lookup, published.is_recent)
    assert len(browser.paths) <= MAX_PATHS + MAX_TABS
    assert len(browser.take().messages) <= MAX_PATHS + MAX_TABS
