"""The guides for those who add something: what they name is there, and what they count is so."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs").glob("adding-*.md"))
IDENTITY = ROOT / "src" / "pileus" / "services" / "identity"
MOST = 120
ROOMS = ("tables", "types", "store", "rules", "api")
RESOURCES = {
    "policy": {"policies", "PolicyRow", "policy_of_path", "list_policies"},
    "OAuth 1 consumer": {"oauth1_consumers", "ConsumerRow", "consumer_of_path", "list_consumers"},
    "region": {"regions", "RegionRow", "region_of_path", "list_regions", "create_named_region"},
    "service provider": {
        "service_providers", "ServiceProviderRow", "service_provider_of_path", "list_service_providers",
    },
}  # fmt: skip
"""What belongs to a resource, besides what has a verb and its noun for a name."""


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_files_that_are_named_are_there(guide: Path) -> None:
    named = set(re.findall(r"`((?:src|tests|docs)/[\w./-]+)`", guide.read_text()))
    assert len(named) >= 5
    assert not {name for name in named if not (ROOT / name).exists()}


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_commits_that_are_named_are_there(guide: Path) -> None:
    shallow = ["git", "rev-parse", "--is-shallow-repository"]
    if subprocess.run(shallow, cwd=ROOT, check=False, capture_output=True).stdout.strip() != b"false":
        pytest.skip("the history is not here")
    named = re.findall(r"git show\s+([0-9a-f]{7})\b", guide.read_text())
    assert named
    for commit in named:
        found = subprocess.run(["git", "cat-file", "-e", commit], cwd=ROOT, check=False, stderr=subprocess.DEVNULL)
        assert found.returncode == 0, f"{guide.name} names the commit {commit}"


def lines(resource: str) -> dict[str, int]:
    """Of its declarations, by room."""
    noun = {"policy": "policy", "OAuth 1 consumer": "consumer"}.get(resource, resource.replace(" ", "_"))
    struct = "".join(part.title() for part in noun.split("_"))
    own = {f"{verb}_{noun}" for verb in ("create", "show", "update", "delete")}
    own |= {f"{struct}Create", f"{struct}Update", *RESOURCES[resource]}
    found = dict.fromkeys(ROOMS, 0)
    for room in ROOMS:
        for file in [IDENTITY / f"{room}.py", *sorted((IDENTITY / room).glob("*.py"))]:
            for node in ast.parse(file.read_text()).body if file.exists() else []:
                if name_of(node) in own:
                    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
                    found[room] += (node.end_lineno or first) - first + 1
    return found


def name_of(node: ast.stmt) -> str:
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        return node.targets[0].id
    return str(getattr(node, "name", ""))


@pytest.mark.parametrize("resource", RESOURCES)
def test_a_resource_is_short(resource: str) -> None:
    found = lines(resource)
    assert all(found[room] for room in ("tables", "types", "api")), f"{resource} was not found: {found}"
    row = re.search(rf"^\| {resource} .*$", (ROOT / "docs" / "adding-a-resource.md").read_text(), re.M)
    assert row is not None
    *told, migration, together = (int(cell) for cell in row[0].strip("| ").split("|")[1:])
    assert together == sum(told) + migration
    assert abs(sum(told) - sum(found.values())) <= 10, f"docs/adding-a-resource.md: {resource} has {found}"
    assert sum(found.values()) + migration <= MOST
