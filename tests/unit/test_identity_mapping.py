"""The mapping engine: what its rules say, and that no rule or assertion makes it slow, large or angry."""

import string
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileus.core.errors import BadRequest, Unauthorized
from pileus.services.identity.rules import mapping
from pileus.services.identity.types.mappings import Mapped, MappedDomain, MappedGroup, MappedProject

DANA = {
    "REMOTE_USER": ["dana@acme"],
    "name": ["dana"],
    "mail": ["dana@acme.example"],
    "groups": ["staff", "eng-cloud", "eng-net"],
    "none": [],
}


def mapped(*rules: dict[str, Any], version: str = "1.0", **more: list[str]) -> Mapped:
    return mapping.apply(mapping.read(rules), DANA | more, version)


def rule(local: Any, *remote: dict[str, Any]) -> dict[str, Any]:
    return {"local": local if isinstance(local, list) else [local], "remote": list(remote)}


NAME = {"type": "name"}


def test_a_user_is_named_by_matches() -> None:
    found = mapped(rule({"user": {"name": "{0} of {1}", "id": "{1}", "email": "{1}"}}, NAME, {"type": "mail"})).user
    assert (found.name, found.unique_id, found.email) == (
        "dana of dana@acme.example",
        "dana@acme.example",
        DANA["mail"][0],
    )
    assert not found.is_local
    assert found.domain is None


def test_conditions_are_no_matches() -> None:
    local = {"user": {"name": "{0}"}}
    assert mapped(rule(local, {"type": "groups", "any_one_of": ["staff"]}, NAME)).user.name == "dana"
    assert mapped(rule(local, {"type": "groups", "not_any_of": ["guests"]}, NAME)).user.name == "dana"


@pytest.mark.parametrize(
    "remote",
    [
        {"type": "missing"},
        {"type": "none"},
        {"type": "groups", "any_one_of": ["eng"]},
        {"type": "groups", "any_one_of": ["^eng$"], "regex": True},
        {"type": "groups", "any_one_of": []},
        {"type": "groups", "not_any_of": ["staff", "guests"]},
        {"type": "groups", "not_any_of": ["^eng-"], "regex": True},
        {"type": "missing", "not_any_of": ["staff"]},
    ],
)
def test_a_rule_that_does_not_fit(remote: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized, match="No rule"):
        mapped(rule({"user": {"name": "x"}}, remote))


def test_lists_choose_among_values() -> None:
    def groups(**test: Any) -> list[str]:
        local = {"groups": "{0}", "domain": {"name": "Default"}}
        return [group.name for group in mapped(rule(local, {"type": "groups", **test})).groups]

    assert groups() == ["staff", "eng-cloud", "eng-net"]
    assert groups(whitelist=["staff", "other"]) == ["staff"]
    assert groups(blacklist=["staff"]) == ["eng-cloud", "eng-net"]
    assert groups(whitelist=["^eng-"], regex=True) == ["eng-cloud", "eng-net"]
    assert groups(blacklist=["cloud$", "^st"], regex=True) == ["eng-net"]
    assert groups(whitelist=["other"]) == []


def test_groups_in_every_form() -> None:
    acme = {"name": "acme"}
    found = mapped(
        rule({"group": {"id": "g1"}}, NAME),
        rule({"group": {"name": "g2", "domain": acme}}, NAME),
        rule({"group_ids": "{0}"}, {"type": "groups", "whitelist": ["staff"]}),
        rule({"groups": "{0}"}, {"type": "sister"}),
        sister=['JSON:{"name": "g3", "domain": {"name": "far"}}', "g4"],
    ).groups
    assert found == (
        MappedGroup(id="g1"),
        MappedGroup(name="g2", domain=MappedDomain(name="acme")),
        MappedGroup(id="staff"),
        MappedGroup(name="g3", domain=MappedDomain(name="far")),
        MappedGroup(name="g4"),
    )


def test_a_group_names_its_domain_only_where_the_mapping_does_not() -> None:
    told = 'JSON:{"name": "admins", "domain": {"name": "Default"}}'
    found = mapped(rule({"groups": "{0}", "domain": {"id": "far"}}, {"type": "sister"}), sister=[told]).groups
    assert found == (MappedGroup(name=told, domain=MappedDomain(id="far")),)


def test_the_first_user_wins_and_the_rest_adds_up() -> None:
    found = mapped(
        rule([{"user": {"name": "first"}}, {"group": {"id": "a"}}], NAME),
        rule({"user": {"name": "second"}, "group": {"id": "b"}}, NAME),
        rule({"group": {"id": "c"}}, {"type": "missing"}),
    )
    assert found.user.name == "first"
    assert [group.id for group in found.groups] == ["a", "b"]


def test_without_a_name_it_is_the_one_that_the_provider_calls_by() -> None:
    assert mapped(rule({"group": {"id": "a"}}, NAME)).user.name == "dana@acme"
    with pytest.raises(Unauthorized, match="who this is"):
        mapped(rule({"group": {"id": "a"}}, NAME), REMOTE_USER=[])


def test_projects_and_the_domains_of_2_0() -> None:
    rules = [
        rule(
            {
                "user": {"name": "{0}", "domain": {"id": "far"}},
                "projects": [
                    {"name": "of {0}", "roles": [{"name": "member"}]},
                    {"name": "shared", "roles": [], "domain": {"name": "near"}},
                ],
                "domain": {"id": "other"},
            },
            NAME,
        )
    ]
    first = mapped(*rules)
    assert first.user.domain is None
    assert first.projects == (MappedProject("of dana", ("member",)), MappedProject("shared", ()))
    second = mapped(*rules, version="2.0")
    assert second.user.domain == MappedDomain(id="far")
    assert second.projects == (
        MappedProject("of dana", ("member",), MappedDomain(id="other")),
        MappedProject("shared", (), MappedDomain(name="near")),
    )


def test_a_local_user_keeps_its_domain() -> None:
    user = mapped(rule({"user": {"name": "{0}", "type": "local", "domain": {"id": "default"}}}, NAME)).user
    assert user.is_local
    assert user.domain == MappedDomain(id="default")


def test_one_name_is_needed() -> None:
    with pytest.raises(Unauthorized, match="3 values"):
        mapped(rule({"user": {"name": "{0}"}}, {"type": "groups"}))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (rule({"user": {"name": "{1}"}}, NAME), "has no match"),
        (rule({"user": {"name": "{99}"}}, NAME), "has no match"),
        (rule({"user": {"name": "{0}"}}, {"type": "name", "any_one_of": ["x"]}), "has no match"),
        (rule({"user": {"name": "x", "shoe": "42"}}, NAME), "shoe"),
        (rule({"user": {"name": "x", "type": "local"}}, NAME), "local user"),
        (rule({"user": {"name": "x", "type": "root"}}, NAME), "type"),
        (rule({"group": {"id": "x", "name": "y", "domain": {"id": "z"}}}, NAME), "by its id, or by its name"),
        (rule({"group": {"id": "x", "name": "y"}}, NAME), "by its id, or by its name"),
        (rule({"group": {"name": "y"}}, NAME), "by its id, or by its name"),
        (rule({"groups": "x", "domain": {}}, NAME), "domain is given"),
        (rule({"projects": [{"name": "x"}]}, NAME), "roles"),
        (rule({"user": {"name": "x"}}), "length"),
        (rule({}, {"any_one_of": ["x"]}), "type"),
        (rule({}, {"type": "x", "any_one_of": [1]}), "str"),
        (rule({}, {"type": "x", "any_one_of": ["a"], "not_any_of": ["b"]}), "entry of its own"),
        (rule({}, {"type": "x", "any_one_of": ["("], "regex": True}), "RE2"),
        (rule({}, {"type": "x", "any_one_of": [r"(a)\1"], "regex": True}), "RE2"),
        (rule({}, {"type": "x", "any_one_of": ["(x{100}){100}"], "regex": True}), "RE2"),
        (
            rule(
                {},
                {"type": "x", "any_one_of": ["a" * 500] * 40, "regex": True},
                {"type": "x", "whitelist": ["b"], "regex": True},
            ),
            "20001 characters",
        ),
    ],
)
def test_rules_that_can_not_be(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest, match=says):
        mapping.read([wrong])


def test_expressions_that_are_slow_elsewhere() -> None:
    """Each takes longer than the universe has been there in an engine that goes back and forth."""
    long = "a" * 50_000 + "!"
    for text in (
        "(a+)+$",
        "(a|aa)+$",
        "(.*)*b",
        "(a|a?)+b",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "(x+x+)+y",
        ".*.*.*.*.*.*.*=.*",
    ):
        with pytest.raises(Unauthorized):
            mapped(rule({}, {"type": "long", "any_one_of": [text], "regex": True}), long=[long])


def test_large_rules_stay_small() -> None:
    """Hundreds of expressions that want memory."""
    patterns = [f"[a-z]{{1,40}}{index}(foo|bar|baz){{1,20}}$" for index in range(500)]
    raw = [rule({"user": {"name": "x"}}, NAME), rule({}, {"type": "many", "whitelist": patterns, "regex": True})]
    tracemalloc.start()
    try:
        mapped(*raw, many=[f"value{index}" for index in range(20)])
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_values_do_not_multiply_without_end() -> None:
    many = [f"v{index}" for index in range(40)]
    remote = [{"type": name} for name in ("a", "b", "c")]
    with pytest.raises(Unauthorized, match="64000 values"):
        mapped(rule({"groups": "{0}{1}{2}", "domain": {"id": "x"}}, *remote), a=many, b=many, c=many)
    with pytest.raises(Unauthorized, match="characters"):
        mapped(rule({"user": {"name": "{0}" * 300}}, NAME), name=["x" * 1000])


words = st.text(string.ascii_lowercase + "{}0123é;^$.*+?()[]|\\", max_size=12)
templates = st.one_of(words, st.sampled_from(["{0}", "{1}", "{0} {1}", "{{0}}"]))
domains = st.none() | st.fixed_dictionaries({}, optional={"id": templates, "name": templates})
locals_ = st.fixed_dictionaries(
    {},
    optional={
        "user": st.fixed_dictionaries(
            {},
            optional={
                "name": templates,
                "id": templates,
                "email": templates,
                "domain": domains,
                "type": st.sampled_from(["local", "ephemeral"]),
            },
        ),
        "group": st.fixed_dictionaries({}, optional={"id": templates, "name": templates, "domain": domains}),
        "groups": templates,
        "group_ids": templates,
        "domain": domains,
        "projects": st.lists(
            st.fixed_dictionaries(
                {"name": templates, "roles": st.lists(st.fixed_dictionaries({"name": templates}), max_size=2)}
            ),
            max_size=2,
        ),
    },
)
remotes = st.fixed_dictionaries(
    {"type": st.sampled_from(["a", "b", "c"])},
    optional={
        "regex": st.booleans(),
        **{name: st.lists(words, max_size=3) for name in ("any_one_of", "not_any_of", "whitelist", "blacklist")},
    },
)
any_rules = st.lists(
    st.fixed_dictionaries(
        {"local": st.lists(locals_, max_size=3), "remote": st.lists(remotes, min_size=1, max_size=3)}
    ),
    min_size=1,
    max_size=3,
)
assertions = st.dictionaries(st.sampled_from(["a", "b", "REMOTE_USER"]), st.lists(words, max_size=3), max_size=3)


@settings(max_examples=400)
@given(any_rules, assertions, st.sampled_from(mapping.SCHEMA_VERSIONS))
def test_any_rules_end_in_a_refusal_or_a_user(
    raw: list[dict[str, Any]], said: dict[str, list[str]], version: str
) -> None:
    try:
        rules = mapping.read(raw)
    except BadRequest:
        return
    try:
        found = mapping.apply(rules, said, version)
    except Unauthorized:
        return
    assert found.user.name
    assert found.user.unique_id
    assert mapping.apply(rules, said, version) == found


@given(st.text(min_size=1, max_size=40), st.text(max_size=40))
def test_what_is_said_is_data_and_never_a_template(name: str, other: str) -> None:
    """A name of {1} stays {1}."""
    said = {"name": [name], "other": [other]}
    raw = [rule({"user": {"name": "<{0}>"}}, NAME, {"type": "other"})]
    assert mapping.apply(mapping.read(raw), said).user.name == f"<{name}>"
