"""The difference between what is and what should be, for any rows."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from pileus.services.network.ovn.rows import Row, Rows, applied, diff

NAMES = st.sampled_from("abcde")
COLUMNS = st.dictionaries(
    st.sampled_from(["name", "enabled", "tag", "addresses", "options"]),
    st.one_of(
        st.text(min_size=1, max_size=3),
        st.booleans(),
        st.integers(0, 3),
        st.frozensets(NAMES, min_size=1),
        st.dictionaries(NAMES, NAMES, min_size=1),
    ),
)


@st.composite
def databases(draw: st.DrawFn) -> Rows:
    """Rows that refer only to rows that are there, as OVSDB has them."""
    rows = Rows()
    for table in ("Logical_Switch_Port", "ACL", "Port_Group"):
        for name in draw(st.sets(NAMES)):
            rows[table, name] = Row(table, name, draw(COLUMNS))
    for (table, _), row in rows.items():
        if table == "Port_Group":
            for column, child in (("ports", "Logical_Switch_Port"), ("acls", "ACL")):
                names = sorted(name for other, name in rows if other == child)
                if names and (members := draw(st.sets(st.sampled_from(names)))):
                    row.refs[column] = members
    return rows


@settings(deadline=None)
@given(databases(), databases())
def test_the_difference_applied_gives_what_is_wanted(before: Rows, after: Rows) -> None:
    assert applied(diff(before, after), before) == after


@settings(deadline=None)
@given(databases())
def test_there_is_no_difference_to_oneself(rows: Rows) -> None:
    assert not diff(rows, rows)


@settings(deadline=None)
@given(databases(), databases())
def test_after_the_change_nothing_is_left_to_do(before: Rows, after: Rows) -> None:
    assert not diff(applied(diff(before, after), before), after)


@settings(deadline=None)
@given(databases(), databases(), st.randoms())
def test_the_order_of_rows_does_not_matter(before: Rows, after: Rows, random: Random) -> None:
    items = list(before.items())
    random.shuffle(items)
    wanted = list(after.items())
    random.shuffle(wanted)
    assert applied(diff(Rows(items), Rows(wanted)), Rows(items)) == after


@settings(deadline=None)
@given(databases(), databases())
def test_what_is_deleted_is_referred_to_by_nobody_afterwards(before: Rows, after: Rows) -> None:
    changes = diff(before, after)
    gone = set(changes.delete)
    for row in applied(changes, before).values():
        for column, child in (("ports", "Logical_Switch_Port"), ("acls", "ACL")):
            assert not {(child, name) for name in row.refs.get(column, ())} & gone
