"""Which commands of the openstack client a file of tests runs, and which it passes over."""

import re
from importlib.metadata import entry_points
from pathlib import Path


def not_run(group: str, file: Path) -> set[str]:
    """Of a group of the client's entry points, those that no line of the file gives to a Client."""
    commands = {each.name.replace("_", " ") for each in entry_points(group=group)}
    text = file.read_text()
    return {name for name in commands if not re.search(rf'(openstack|text|refused|user)\(\s*f?"{name}[ "]', text)}
