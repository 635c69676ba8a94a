"""OpenAPI documents are made from the routes alone."""

from pileus.core.errors import plain_shape
from pileus.core.http import Service
from pileus.core.openapi import document
from pileus.core.version import Version
from tests.unit.test_http import api


def test_the_document_has_every_route() -> None:
    made = document(api)
    assert set(made["paths"]) == {
        "/toy/v1/cookie",
        "/toy/v1/things",
        "/toy/v1/things/{thing_id}",
        "/toy/v1/things/{thing_id}/action",
        "/toy/v1/things/{thing_id}/stream",
    }
    create = made["paths"]["/toy/v1/things"]["post"]
    (schema,) = create["requestBody"]["content"]["application/json"]["schema"]["oneOf"]
    assert schema["required"] == ["thing"]
    assert "ThingCreate" in made["components"]["schemas"]
    names = [parameter["name"] for parameter in made["paths"]["/toy/v1/things"]["get"]["parameters"]]
    assert names == ["tag", "limit"]


def test_a_version_can_be_chosen() -> None:
    assert document(api, Version(2, 3))["info"]["version"] == "2.3"


def test_paths_name_their_parameters_alone() -> None:
    pages = Service("pages", "/pages", plain_shape)
    pages.get("/{page:path}")(lambda page: {"page": page})
    assert list(document(pages)["paths"]) == ["/pages/{page}"]
