"""Flavors, keys, servers and what an operator looks at, as the `openstack` command does them."""

import base64
from pathlib import Path

import pytest

from tests.cli.conftest import Client

pytestmark = pytest.mark.slow


def test_flavors(openstack: Client) -> None:
    made = openstack("flavor create --vcpus 1 --ram 64 --disk 1 --property a=b --private f1")
    assert (made["vcpus"], made["ram"], made["disk"], made["properties"]) == (1, 64, 1, {"a": "b"})
    assert made["id"] != "auto"
    assert {"m1.nano", "m1.tiny"} <= {one["Name"] for one in openstack("flavor list")}
    assert {"ID", "Name", "RAM", "Disk", "Ephemeral", "VCPUs", "Is Public"} == set(openstack("flavor list --all")[0])
    openstack.text("flavor set --property c=d --description x --project admin f1")
    shown = openstack("flavor show f1")
    assert shown["properties"] == {"a": "b", "c": "d"}
    assert len(shown["access_project_ids"]) == 1
    openstack.text("flavor unset --property a --project admin f1")
    openstack.text("flavor delete f1")
    openstack.refused("flavor show f1")


def test_keypairs(openstack: Client, tmp_path: Path) -> None:
    private, public = tmp_path / "key", tmp_path / "key.pub"
    openstack(f"keypair create --private-key {private} k1")
    assert "PRIVATE KEY" in private.read_text()
    public.write_text(openstack.text("keypair show --public-key k1"))
    assert openstack(f"keypair create --public-key {public} k2")["fingerprint"]
    assert {"k1", "k2"} == {one["Name"] for one in openstack("keypair list")}
    shown = openstack("keypair show k2")
    assert {"created_at", "fingerprint", "id", "name", "type", "user_id"} <= set(shown)
    openstack.text("keypair delete k1 k2")
    assert openstack("keypair list") == []


def test_a_server_with_every_option(openstack: Client, image: str, network: str, tmp_path: Path) -> None:
    key, data = tmp_path / "key", tmp_path / "data"
    openstack(f"keypair create --private-key {key} k3")
    data.write_text("#!/bin/sh\necho hello\n")
    openstack("security group create web")
    (zone,) = [
        one["Zone Name"] for one in openstack("availability zone list --compute") if one["Zone Name"] != "internal"
    ]
    host = openstack("compute service list --service nova-compute")[0]["Host"]
    made = openstack(
        f"server create --image {image} --flavor m1.nano --nic net-id={network},v4-fixed-ip=10.5.0.77 --key-name k3 --user-data {data} --config-drive true --security-group web --property colour=blue --description x --availability-zone {zone} --host {host} --tag t --hostname web --os-compute-api-version 2.90 --wait full",
    )
    assert made["status"] == "ACTIVE"
    shown = openstack("--os-compute-api-version 2.90 server show full")
    assert shown["addresses"] == {network: ["10.5.0.77"]}
    assert shown["flavor"]["name"] == "m1.nano"
    assert shown["image"].startswith(image)
    assert (shown["key_name"], shown["properties"], shown["description"]) == ("k3", {"colour": "blue"}, "x")
    assert (shown["OS-EXT-AZ:availability_zone"], shown["OS-EXT-SRV-ATTR:host"]) == (zone, host)
    assert shown["OS-EXT-STS:power_state"] == 1
    assert base64.b64decode(shown["OS-EXT-SRV-ATTR:user_data"]).startswith(b"#!/bin/sh")
    assert [one["name"] for one in shown["security_groups"]] == ["web"]
    assert shown["config_drive"]
    openstack.text("server delete --wait full")
    openstack.refused("server show full")
    openstack.text("keypair delete k3")
    openstack.text("security group delete web")


def test_servers_by_port_and_by_number(openstack: Client, image: str, network: str) -> None:
    port = openstack(f"port create --network {network} p")
    openstack(f"server create --image {image} --flavor m1.nano --port p --wait one")
    assert openstack("port show p")["status"] == "ACTIVE"
    assert openstack("server show one")["addresses"] == {network: [port["fixed_ips"][0]["ip_address"]]}
    openstack(f"server create --image {image} --flavor m1.nano --network {network} --min 2 --max 2 --wait some")
    listed = openstack("server list")
    assert {"ID", "Name", "Status", "Networks", "Image", "Flavor"} == set(listed[0])
    assert {"one", "some-1", "some-2"} <= {one["Name"] for one in listed}
    assert {one["Name"] for one in openstack("server list --name some --status ACTIVE --all-projects")} == {
        "some-1",
        "some-2",
    }
    long = openstack("server list --long")[0]
    assert {"Task State", "Power State", "Availability Zone", "Host", "Properties"} <= set(long)
    openstack.text("server delete --wait one some-1 some-2")
    openstack.text("port delete p")


def test_the_life_of_a_server(openstack: Client, image: str, network: str) -> None:
    openstack(f"server create --image {image} --flavor m1.nano --network {network} --wait life")
    openstack.text("server set --name lives --property a=b --tag t --description x life")
    assert openstack("server show lives")["properties"] == {"a": "b"}
    openstack.text("server unset --property a lives")
    for verb, status in (
        ("stop", "SHUTOFF"), ("start", "ACTIVE"), ("pause", "PAUSED"), ("unpause", "ACTIVE"),
        ("suspend", "SUSPENDED"), ("resume", "ACTIVE"),
    ):  # fmt: skip
        openstack.text(f"server {verb} lives")
        openstack.server("lives", status)
    openstack.text("server reboot --soft --wait lives")
    openstack.text("server reboot --hard --wait lives")
    openstack.text("server lock --reason holidays lives")
    assert openstack("server show lives")["locked"] is True
    openstack.text("server unlock lives")
    openstack.text(f"server rebuild --image {image} --wait lives")
    assert openstack.server("lives", "ACTIVE")["name"] == "lives"
    openstack.server("lives", "ACTIVE")
    assert openstack("console url show lives")["url"].startswith("http://")
    openstack.text("console log show lives")
    events = openstack("server event list lives")
    assert {"create", "stop", "start", "reboot", "rebuild"} <= {one["Action"] for one in events}
    request = events[-1]["Request ID"]
    assert openstack(f"server event show lives {request}")["action"] == "create"
    openstack.text("server delete --wait lives")


def test_what_is_plugged_into_a_server(openstack: Client, image: str, network: str) -> None:
    openstack(f"server create --image {image} --flavor m1.nano --network {network} --wait plugs")
    openstack("network create second")
    openstack("subnet create --network second --subnet-range 10.8.0.0/24 second")
    openstack("port create --network second extra")
    openstack("security group create extra")

    address = openstack("floating ip create public")["floating_ip_address"]
    openstack.text(f"server add floating ip plugs {address}")
    assert address in openstack("server show plugs")["addresses"][network]
    openstack.text(f"server remove floating ip plugs {address}")
    assert address not in openstack("server show plugs")["addresses"][network]
    openstack.text(f"floating ip delete {address}")

    def networks() -> set[str]:
        return set(openstack("server show plugs")["addresses"])

    openstack.text("server add port plugs extra")
    openstack.until(networks, lambda found: "second" in found)
    openstack.text("server remove port plugs extra")
    openstack.until(networks, lambda found: "second" not in found)
    openstack.text("server add network plugs second")
    openstack.until(networks, lambda found: "second" in found)
    openstack.text("server remove network plugs second")
    openstack.until(networks, lambda found: "second" not in found)
    openstack.text("server add security group plugs extra")
    assert {"default", "extra"} == {one["name"] for one in openstack("server show plugs")["security_groups"]}
    openstack.text("server remove security group plugs extra")
    openstack.text("server delete --wait plugs")
    openstack.text("port delete extra")
    openstack.text("security group delete extra")
    openstack.text("network delete second")


def test_what_an_operator_looks_at(openstack: Client, image: str, network: str) -> None:
    openstack(f"server create --image {image} --flavor m1.nano --network {network} --wait seen")
    hypervisor = openstack("hypervisor list")[0]
    assert {"ID", "Hypervisor Hostname", "Hypervisor Type", "Host IP", "State"} <= set(hypervisor)
    assert openstack(f"hypervisor show {hypervisor['Hypervisor Hostname']}")["status"] == "enabled"
    assert openstack("hypervisor stats show")["count"] == 1
    assert "nova-compute" in {one["Binary"] for one in openstack("compute service list")}
    host = hypervisor["Hypervisor Hostname"]
    openstack.text(f"compute service set --disable --disable-reason x {host} nova-compute")
    openstack.text(f"compute service set --enable {host} nova-compute")
    assert {"Zone Name", "Zone Status"} == set(openstack("availability zone list")[0])
    used = {one["Name"]: one["Value"] for one in openstack("limits show --absolute")}
    assert used["total_instances_used"] >= 1 if "total_instances_used" in used else used["totalInstancesUsed"] >= 1
    quota = {one["Resource"]: one["Limit"] for one in openstack("quota show")}
    assert {"cores", "ram", "instances", "networks", "ports"} <= set(quota)
    openstack.text("quota set --cores 33 --networks 44 admin")
    quota = {one["Resource"]: one["Limit"] for one in openstack("quota show admin")}
    assert (quota["cores"], quota["networks"]) == (33, 44)
    assert openstack("quota list --compute")
    assert openstack("usage list") is not None
    provider = openstack("resource provider list")[0]
    assert {"uuid", "name", "generation"} <= set(provider)
    inventory = {
        one["resource_class"]: one for one in openstack(f"resource provider inventory list {provider['uuid']}")
    }
    assert {"VCPU", "MEMORY_MB", "DISK_GB"} == set(inventory)
    usage = {
        one["resource_class"]: one["usage"] for one in openstack(f"resource provider usage show {provider['uuid']}")
    }
    assert usage["VCPU"] >= 1
    assert openstack(f"resource provider show {provider['uuid']}")["name"] == provider["name"]
    openstack.text("server delete --wait seen")


def test_groups_and_aggregates(openstack: Client) -> None:
    assert openstack("server group create --policy anti-affinity apart")["name"] == "apart"
    assert [one["Name"] for one in openstack("server group list")] == ["apart"]
    openstack.text("server group delete apart")
    openstack("aggregate create --property a=b rack")
    host = openstack("hypervisor list")[0]["Hypervisor Hostname"]
    openstack(f"aggregate add host rack {host}")
    assert openstack("aggregate show rack")["hosts"] == [host]
    openstack(f"aggregate remove host rack {host}")
    openstack.text("aggregate delete rack")
