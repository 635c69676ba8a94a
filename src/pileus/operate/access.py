"""clouds.yaml and openrc for the first administrator."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import yaml

from pileus.core.config import Settings
from pileus.operate.state import secret, write_private

CLOUD = "pileus"


def admin_password(state_dir: Path) -> str:
    return secret(state_dir / "admin-password")


def write(settings: Settings) -> Path:
    """Write STATE/clouds.yaml and STATE/openrc, and enter the cloud in the caller's own clouds.yaml."""
    entry = _entry(settings)
    own = settings.state_dir / "clouds.yaml"
    write_private(own, yaml.safe_dump({"clouds": {CLOUD: entry}}))
    write_private(settings.state_dir / "openrc", _openrc(entry))
    users = _users_file()
    known = _read(users)
    known.setdefault("clouds", {})[CLOUD] = entry
    _write_users(users, known)
    return own


def forget(state_dir: Path) -> None:
    """Take the cloud out of the caller's clouds.yaml, where it is this one."""
    users = _users_file()
    known = _read(users)
    ours = _read(state_dir / "clouds.yaml").get("clouds", {}).get(CLOUD)
    if ours is None or known.get("clouds", {}).get(CLOUD) != ours:
        return
    del known["clouds"][CLOUD]
    if known["clouds"]:
        _write_users(users, known)
    else:
        users.unlink()


def _entry(settings: Settings) -> dict[str, Any]:
    return {
        "auth": {
            "auth_url": f"{settings.url}/identity/v3",
            "username": "admin",
            "password": admin_password(settings.state_dir),
            "project_name": "admin",
            "user_domain_id": "default",
            "project_domain_id": "default",
        },
        "region_name": settings.region,
        "identity_api_version": "3",
        **({"cacert": str(settings.tls / "ca.pem")} if settings.secure and settings.certificate is None else {}),
    }


def _openrc(entry: dict[str, Any]) -> str:
    names = {
        "OS_AUTH_URL": entry["auth"]["auth_url"],
        "OS_USERNAME": entry["auth"]["username"],
        "OS_PASSWORD": entry["auth"]["password"],
        "OS_PROJECT_NAME": entry["auth"]["project_name"],
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": entry["region_name"],
        "OS_IDENTITY_API_VERSION": "3",
        **({"OS_CACERT": entry["cacert"]} if "cacert" in entry else {}),
    }
    return "".join(f"export {name}='{value}'\n" for name, value in names.items())


def _owner() -> pwd.struct_passwd:
    """Who called: under sudo, the user before it."""
    name = os.environ.get("SUDO_USER")
    return pwd.getpwnam(name) if name and os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def _users_file() -> Path:
    home = os.environ.get("HOME") if not os.environ.get("SUDO_USER") else None
    return Path(home or _owner().pw_dir) / ".config" / "openstack" / "clouds.yaml"


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_users(path: Path, known: dict[str, Any]) -> None:
    owner = _owner()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_private(path, yaml.safe_dump(known))
    if os.geteuid() == 0:
        for place in (path, path.parent):
            os.chown(place, owner.pw_uid, owner.pw_gid)
