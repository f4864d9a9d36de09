"""Values in templates: an output is a function of its inputs, and no rendering changes another."""

from __future__ import annotations

import datetime as dt
import locale

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kahnd.render.data.ordering import UnorderedError, in_order, instants
from render.workshop import Workshop

HEAD = """\
---
naive: 2020-01-02 10:00:00
zoned: 2020-01-02T10:00:00+01:00
day: 2020-01-02
---
"""


def _write(shop: Workshop, text: str) -> None:
    shop.write_all({"docs/a.md": HEAD + text, "docs/b.md": "# Bee\n", "data/x.json": '{"q": 1}'})


@pytest.mark.parametrize(
    "expression",
    [
        "{{ THING }}",
        "{{ [THING] }}",
        "{{ {'k': [THING]} }}",
        "{{ THING ~ '' }}",
        "{{ '%s' % THING }}",
        "{{ '%s %s' % (1, THING) }}",
        "{{ '%s' | format(THING) }}",
        "{{ '{}'.format(THING) }}",
        "{{ '{0[0]}'.format([THING]) }}",
        "{{ '{a!r}'.format(a=THING) }}",
        "{{ '{a}'.format_map({'a': THING}) }}",
        "{{ [THING] | join }}",
        "{{ [[THING]] | join }}",
        "{{ 'a' | replace('a', THING) }}",
        "{{ ('a' | safe).replace('a', THING) }}",
        "{{ ('a' | safe).join([THING]) }}",
        "{{ ('%s' | safe) % THING }}",
        "{{ {'k': THING} | xmlattr }}",
        "{{ {'k': THING} | urlencode }}",
        "{% set x %}{{ THING }}{% endset %}{{ x }}",
        "{% macro m(x) %}{{ x }}{% endmacro %}{{ m(THING) }}",
        *(f"{{{{ THING | {name} }}}}" for name in ("string", "pprint", "tojson", "urlencode", "e", "upper", "trim")),
    ],
)
@pytest.mark.parametrize(
    "thing", ["'a'.upper", "cycler", "page.day.replace", "range(3)", "namespace(a=1)", "data('/data/x.json').keys()"]
)
def test_what_is_no_value_never_becomes_text(shop: Workshop, expression: str, thing: str) -> None:
    _write(shop, "\n" + expression.replace("THING", thing))
    problem = shop.problem("docs/a.md")
    assert (problem.file, problem.line) == ("docs/a.md", 7)
    assert problem.remedy
    assert " 0x" not in str(problem)


@pytest.mark.parametrize("thing", ["page", "page('b.md')", "output('b.md')"])
def test_a_page_and_an_output_in_a_list_have_no_text(shop: Workshop, thing: str) -> None:
    _write(shop, f"{{{{ [{thing}] }}}}")
    shop.write("site/b.html", "")
    assert "map(attribute=" in shop.problem("docs/a.md").remedy


def test_what_is_undefined_in_a_list_or_shown_in_full_is_told(shop: Workshop) -> None:
    for expression in ("[nothing]", "nothing | pprint", "nothing | tojson"):
        _write(shop, f"{{{{ {expression} }}}}")
        assert shop.problem("docs/a.md").message == "'nothing' is undefined"


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("[{'n': 'a'}, {'n': 'b'}] | map(attribute='n')", "['a', 'b']"),
        ("[1, 2] | reverse", "[2, 1]"),
        ("[1, 2, 3] | batch(2)", "[[1, 2], [3]]"),
        ("[1, 1] | unique", "[1]"),
        ("[0, 1] | select", "[1]"),
        ("'abc' | reverse", "cba"),
        ("([0] | select) is true or ([0] | select | length)", "0"),
    ],
)
def test_what_filters_list_is_a_list(shop: Workshop, expression: str, text: str) -> None:
    _write(shop, f"{{{{ {expression} }}}}")
    assert f"<p>{text}</p>" in shop.text("docs/a.md")


def test_what_a_filter_lists_can_be_gone_through_twice(shop: Workshop) -> None:
    _write(shop, "{% set x = [1, 2] | select %}{% for i in x %}{{ i }}{% endfor %}{% for i in x %}{{ i }}{% endfor %}")
    assert "<p>1212</p>" in shop.text("docs/a.md")


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("none ~ true ~ 1.5", "NoneTrue1.5"),
        ("page.day ~ ' ' ~ page.zoned", "2020-01-02 2020-01-02 10:00:00+01:00"),
        ("page('b.md') ~ [page('b.md')] | join", "BeeBee"),
        ("'%s %d' % ('a', 2)", "a 2"),
        ("'{:>3}|{:%Y}'.format('a', page.day)", "a|2020"),
        ("{'a': (1, 'b')}", "{'a': (1, 'b')}"),
    ],
)
def test_plain_values_become_text(shop: Workshop, expression: str, text: str) -> None:
    _write(shop, f"{{{{ {expression} }}}}")
    assert f"{text}</p>" in shop.text("docs/a.md")


@pytest.mark.parametrize("name", sorted(vars(dict).keys() - {n for n in vars(dict) if n.startswith("_")}))
def test_a_key_is_its_value_whatever_methods_there_are(shop: Workshop, name: str) -> None:
    shop.write_all(
        {
            "data/x.json": f'{{"in": {{"{name}": ["v"]}}, "without": {{"k": 1}}}}',
            "data/x.csv": f"n,{name}\na,2\nb,1\n",
            "docs/b.md": f"---\n{name}: v\nin:\n  {name}: w\n---\n",
            "docs/a.md": f"""\
{{% set x = data("/data/x.json") %}}{{% set rows = data("/data/x.csv") %}}
{{{{ x["in"].{name}[0] }}}} {{{{ rows[0].{name} }}}} {{{{ page("b.md")["in"].{name} }}}}
{{{{ rows | map(attribute="{name}") | join }}}} {{{{ (rows | sort(attribute="{name}"))[0].n }}}}
{{{{ x.without.{name} is defined }}}} {{{{ rows | selectattr("{name}", "eq", "2") | map(attribute="n") | first }}}}
""",
        }
    )
    assert "<p>v 2 w\n21 b\nFalse a</p>" in shop.text("docs/a.md")


def test_front_matter_has_keys_named_like_methods(shop: Workshop) -> None:
    shop.write(
        "docs/a.md", "---\nitems: [1]\nvalues: v\ncount: 3\n---\n{{ page.items }} {{ page.values }} {{ page.count }}"
    )
    assert "<p>[1] v 3</p>" in shop.text("docs/a.md")


def test_methods_of_mappings_are_called_whatever_the_keys(shop: Workshop) -> None:
    shop.write("data/x.json", '{"items": [1], "get": 2, "keys": 3}')
    shop.write("docs/a.md", '{% set x = data("/data/x.json") %}{% for k, v in x.items() %}{{ k }}={{ v }} {% endfor %}'
               '{{ x.get("none", "-") }} {{ x.keys() | join("+") }}')  # fmt: skip
    assert "<p>items=[1] get=2 keys=3 - items+get+keys</p>" in shop.text("docs/a.md")


def test_a_column_that_is_not_there_is_told_with_those_that_are(shop: Workshop) -> None:
    shop.write_all({"data/x.csv": "name,price\na,1\n", "docs/a.md": '{{ data("/data/x.csv")[0].preis }}'})
    assert shop.problem("docs/a.md").message == "there is no `preis` among the keys: name, price"


def test_a_column_named_by_a_number_can_be_summed(shop: Workshop) -> None:
    shop.write_all(
        {"data/x.json": '[{"2026": 1}, {"2026": 2}]', "docs/a.md": '{{ data("/data/x.json") | sum("2026") }}'}
    )
    assert "<p>3</p>" in shop.text("docs/a.md")


@pytest.mark.parametrize(
    "expression",
    [
        *("naive.now()", "naive.today()", "naive.utcnow()", "naive.fromtimestamp(0)", "day.today()"),
        *("naive.astimezone()", "zoned.astimezone()", "naive.timestamp()", "naive.strptime('1', '%d')"),
        *("naive.date().today()", "naive['now']()", "naive | attr('now')", "day.strftime('%s')", "day.strftime('%-s')"),
        *("zoned.tzinfo.fromutc(page.zoned)", "day.max.today()"),
    ],
)
def test_a_date_tells_nothing_of_the_machine(shop: Workshop, expression: str) -> None:
    _write(shop, f"\n{{{{ page.{expression} }}}}")
    assert (shop.problem("docs/a.md").file, shop.problem("docs/a.md").line) == ("docs/a.md", 7)


def test_a_date_is_formatted(shop: Workshop) -> None:
    _write(
        shop, "{{ page.naive.strftime('%d %B %Z%%s') }} {{ page.zoned.strftime('%H%z') }} {{ page.zoned.timestamp() }}"
    )
    assert "<p>02 January %s 10+0100 1577955600.0</p>" in shop.text("docs/a.md")


def test_a_locale_that_a_plug_in_set_is_no_input(shop: Workshop) -> None:
    others = [each for each in ("de_DE.UTF-8", "fr_FR.UTF-8") if _has_locale(each)]
    if not others:
        pytest.skip("no other locale is installed")
    locale.setlocale(locale.LC_TIME, others[0])
    try:
        _write(shop, "{{ page.day.strftime('%B') }}")
        assert "<p>January</p>" in shop.text("docs/a.md")
        assert locale.setlocale(locale.LC_TIME) == others[0]
    finally:
        locale.setlocale(locale.LC_TIME, "C")


def _has_locale(name: str) -> bool:
    before = locale.setlocale(locale.LC_TIME)
    try:
        locale.setlocale(locale.LC_TIME, name)
    except locale.Error:
        return False
    locale.setlocale(locale.LC_TIME, before)
    return True


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "cycler.reset(cycler)",
            "cycler.reset(namespace)",
            "joiner.x(joiner)",
            "dict.update(data('/data/x.json'), a=1)",
        ),
        *("data('/data/x.json').update({'a': 1})", "data('/data/x.json') | attr('pop')", "range.index(range(2), 1)"),
    ],
)
def test_nothing_is_changed_that_other_renderings_see(shop: Workshop, expression: str) -> None:
    _write(shop, f"{{{{ {expression} }}}}")
    shop.write("docs/c.md", "{{ cycler.pos is defined }} {{ namespace.pos is defined }} {{ data('/data/x.json') }}")
    before = shop.text("docs/c.md")
    assert shop.problem("docs/a.md").line == 6
    assert shop.text("docs/c.md") == before


@pytest.mark.parametrize("expression", ["10 ** 5000", "range(10 ** 9)", "'a' * -1 ~ 10 ** 9999"])
def test_what_goes_too_far_is_told_with_its_line(shop: Workshop, expression: str) -> None:
    _write(shop, f"\n{{{{ {expression} }}}}")
    assert (shop.problem("docs/a.md").file, shop.problem("docs/a.md").line) == ("docs/a.md", 7)


# order

DATES = [
    "2025-12-31 10:00:00 +0100",
    "2026-1-5",
    "2026-01-10",
    "2026-01-10T10:00:00Z",
    "2026/01/11",
    "2026-02-01 23:00",
]


def _dated(shop: Workshop, dates: list[str], quote: str = "") -> None:
    for number, date in enumerate(dates):
        shop.write(f"docs/p/{number}.md", f"---\ntitle: P{number}\ndate: {quote}{date}{quote}\n---\n")
    shop.write(
        "docs/a.md",
        '{{ pages("p/*.md", sort="-date") | join }} {{ pages("p/*.md") | sort(attribute="date") | join }}',
    )


@pytest.mark.parametrize("quote", ["", '"'])
def test_dates_sort_by_what_they_mean(shop: Workshop, quote: str) -> None:
    _dated(shop, DATES, quote)
    assert "<p>P5P4P3P2P1P0 P0P1P2P3P4P5</p>" in shop.text("docs/a.md", "docs/p/*.md")


@pytest.mark.parametrize(
    "value", ["tomorrow", "5 janvier 2026", "2026", "[2026-01-01]", "{a: 1}", '"2026-13-45"', "yes"]
)
def test_what_is_no_date_fails_among_dates_with_its_line(shop: Workshop, value: str) -> None:
    _dated(shop, ["2026-01-01", value])
    problem = shop.problem("docs/a.md", "docs/p/*.md")
    assert (problem.file, problem.line) == ("docs/p/1.md", 3)
    assert "no date" in problem.message


def test_numbers_come_before_texts_and_what_lacks_the_key_comes_last(shop: Workshop) -> None:
    for number, value in enumerate(["7", "'text'", "0.5", "true", "null", "Big"]):
        shop.write(f"docs/p/{number}.md", f"---\nk: {value}\n---\n")
    shop.write("docs/a.md", '{{ pages("p/*.md", sort="k") | join(" ") }}')
    assert "<p>2 3 0 5 1 4</p>" in shop.text("docs/a.md", "docs/p/*.md")


@pytest.mark.parametrize("value", ["[1]", "{a: 1}", ".nan"])
def test_what_has_no_order_is_told_with_its_line(shop: Workshop, value: str) -> None:
    shop.write_all({"docs/p/1.md": f"---\nx: 1\nk: {value}\n---\n", "docs/a.md": '{{ pages("p/*.md", sort="k") }}'})
    problem = shop.problem("docs/a.md", "docs/p/*.md")
    assert (problem.file, problem.line) == ("docs/p/1.md", 3)


OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
MOMENTS = st.datetimes(timezones=st.none() | OFFSETS).map(lambda moment: moment.replace(microsecond=0))


@given(st.lists(MOMENTS | st.dates(), min_size=1))
def test_a_written_date_means_what_the_date_means(dates: list[dt.date]) -> None:
    assert instants([str(each) for each in dates]) == instants(dates) == in_order(dates)


@pytest.mark.parametrize(
    "text",
    [
        *("Jan 5, 2026", "January 5th, 2026", "5 Jan 2026", "05-jan-2026", "Jan. 5 2026"),
        *("Mon, 05 Jan 2026 00:00:00 GMT", "Mon, 05 Jan 2026 01:00 +0100", "2026-01-05T00:00", "2026-01-04T19:00-05"),
    ],
)
def test_a_date_is_read_by_what_it_means(text: str) -> None:
    assert instants([text]) == [dt.datetime(2026, 1, 5, tzinfo=dt.UTC)]


@pytest.mark.parametrize(
    "text",
    [
        *("2026-02-30", "26-01-05", "05.01.2026", "1/5/2026", "1/5/26", "Feb 30, 2026", "2026-01-05/2026-01-09"),
        *("2026-01-05T24:30", "2026-01-05T10:00 PST", "2026-01-05T10:00:00+25:00"),
    ],
)
def test_a_text_that_looks_like_a_date_and_is_none_is_not_sorted_as_text(text: str, shop: Workshop) -> None:
    with pytest.raises(UnorderedError, match="is no date"):
        in_order(["2026-01-01", text])
    shop.write("docs/a.md", f'x\n\n{{{{ [{{"d": "Jan 5, 2026"}}, {{"d": "{text}"}}] | sort(attribute="d") }}}}\n')
    problem = shop.problem("docs/a.md")
    assert (problem.file, problem.line) == ("docs/a.md", 3)
    assert f"`{text}` is no date".lower() in problem.message.lower()


def test_texts_of_which_one_is_no_date_are_texts() -> None:
    assert instants(["2026-01-05", "soon"]) is None
    assert in_order(["1.10.2", "1.9"]) == [(1, 0, "1.10.2"), (1, 0, "1.9")]


def test_the_difference_of_two_mappings_keys_is_in_their_order(shop: Workshop) -> None:
    keys = [f"k{number}" for number in range(40)]
    mapping = ", ".join(f'"{key}": 1' for key in keys)
    _write(shop, f'{{{{ ({{{mapping}}}.keys() - {{"k7": 1}}.keys()) | join(" ") }}}}\n')
    keys.remove("k7")
    assert f"<p>{' '.join(keys)}</p>" in shop.text("docs/a.md")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('["2026-1-5", "2026-1-15"] | max', "2026-1-15"),
        ('["2026-1-15", "2026-1-5"] | min', "2026-1-5"),
        ('[page.day, "2020-1-15"] | max', "2020-1-15"),
        ("[page.naive, page.zoned, page.day] | min", "2020-01-02"),
        ('[{"d": "2026-1-5"}, {"d": "2026-1-15"}] | max(attribute="d")', "{'d': '2026-1-15'}"),
        ('[{"d": "2026-1-15"}, {"d": "2026-1-5"}] | groupby("d") | map("first") | list', "['2026-1-5', '2026-1-15']"),
        ('["b", "A"] | min', "A"),
        ("[3, 10] | max", "10"),
    ],
)
def test_dates_are_compared_by_time_in_filters(shop: Workshop, expression: str, expected: str) -> None:
    _write(shop, f"{{{{ {expression} }}}}\n")
    assert f"<p>{expected}</p>" in shop.text("docs/a.md")


def test_there_is_no_latest_of_none(shop: Workshop) -> None:
    _write(shop, "{{ [] | max | default('none') }}\n")
    assert "<p>none</p>" in shop.text("docs/a.md")
