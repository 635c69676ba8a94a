"""Networks, subnets, routers, ports, security groups and floating IPs, as the `openstack` command does them."""

import pytest

from tests.cli.conftest import Client

pytestmark = pytest.mark.slow


def test_networks_and_subnets(openstack: Client) -> None:
    made = openstack("network create --description x --mtu 1300 --tag t n1")
    assert {"admin_state_up", "availability_zones", "id", "mtu", "name", "port_security_enabled", "project_id",
            "provider:network_type", "router:external", "shared", "status", "subnets", "tags"} <= set(made)  # fmt: skip
    assert (made["status"], made["mtu"]) == ("ACTIVE", 1300)
    subnet = openstack(
        "subnet create --network n1 --subnet-range 10.6.0.0/24 --gateway 10.6.0.1 --allocation-pool start=10.6.0.10,end=10.6.0.99 --dns-nameserver 9.9.9.9 --host-route destination=10.4.0.0/16,gateway=10.6.0.7 s1",
    )
    assert (subnet["cidr"], subnet["gateway_ip"], subnet["enable_dhcp"]) == ("10.6.0.0/24", "10.6.0.1", True)
    assert subnet["allocation_pools"] == [{"start": "10.6.0.10", "end": "10.6.0.99"}]
    six = openstack(
        "subnet create --network n1 --ip-version 6 --subnet-range fd00:6::/64 --ipv6-ra-mode slaac --ipv6-address-mode slaac s6",
    )
    assert (six["ip_version"], six["ipv6_ra_mode"]) == (6, "slaac")
    (listed,) = [one for one in openstack("network list") if one["Name"] == "n1"]
    assert sorted(listed["Subnets"]) == sorted([subnet["id"], six["id"]])
    assert {"ID", "Name", "Network", "Subnet"} == set(openstack("subnet list")[0])
    openstack.text("network set --name n2 --disable --no-share n1")
    assert openstack("network show n2")["admin_state_up"] is False
    openstack.text("subnet set --name s2 --no-dhcp --dns-nameserver 1.1.1.1 s1")
    shown = openstack("subnet show s2")
    assert (shown["enable_dhcp"], sorted(shown["dns_nameservers"])) == (False, ["1.1.1.1", "9.9.9.9"])
    for noun, name in (("subnet", "s2"), ("subnet", "s6"), ("network", "n2")):
        openstack.text(f"{noun} delete {name}")
        openstack.refused(f"{noun} show {name}")


def test_routers_ports_and_floating_ips(openstack: Client, network: str) -> None:
    assert openstack("router create r1")["status"] == "ACTIVE"
    openstack("network create n3")
    openstack("subnet create --network n3 --subnet-range 10.7.0.0/24 s3")
    openstack.text("router add subnet r1 s3")
    openstack.text("router set --external-gateway public --name r2 r1")
    shown = openstack("router show r2")
    assert shown["external_gateway_info"]["enable_snat"] is True
    assert [one["ip_address"] for one in shown["interfaces_info"]] == ["10.7.0.1"]
    assert "r2" in {one["Name"] for one in openstack("router list")}

    port = openstack(
        "port create --network n3 --fixed-ip subnet=s3,ip-address=10.7.0.50 --description x web",
    )
    assert port["fixed_ips"][0]["ip_address"] == "10.7.0.50"
    assert {"admin_state_up", "binding_vnic_type", "device_id", "mac_address", "port_security_enabled",
            "security_group_ids", "status"} <= set(port)  # fmt: skip
    openstack.text("port set --name web2 --allowed-address ip-address=10.7.0.60 web")
    assert openstack("port show web2")["allowed_address_pairs"][0]["ip_address"] == "10.7.0.60"
    assert {"ID", "Name", "MAC Address", "Fixed IP Addresses", "Status"} == set(openstack("port list")[0])

    floating = openstack("floating ip create --port web2 public")
    address = floating["floating_ip_address"]
    assert floating["fixed_ip_address"] == "10.7.0.50"
    (listed,) = [one for one in openstack("floating ip list") if one["Floating IP Address"] == address]
    assert listed["Port"] == port["id"]
    openstack.text(f"floating ip unset --port {address}")
    openstack.text(f"floating ip set --port web2 {address}")
    assert openstack(f"floating ip show {address}")["port_id"] == port["id"]
    openstack.text(f"floating ip delete {address}")

    openstack.text("port delete web2")
    openstack.text("router unset --external-gateway r2")
    assert openstack("router show r2")["external_gateway_info"] is None
    openstack.text("router remove subnet r2 s3")
    openstack.text("router delete r2")
    openstack.text("network delete n3")


def test_security_groups(openstack: Client) -> None:
    made = openstack("security group create --description x g1")
    assert len(made["rules"]) == 2
    rule = openstack(
        "security group rule create --protocol tcp --dst-port 22 --remote-ip 10.0.0.0/8 --description ssh g1",
    )
    assert (rule["direction"], rule["ether_type"], rule["port_range_min"]) == ("ingress", "IPv4", 22)
    openstack("security group rule create --protocol icmp --remote-group g1 g1")
    openstack(
        "security group rule create --egress --ethertype IPv6 --protocol udp --dst-port 1:9 g1",
    )
    assert len(openstack("security group rule list g1")) == 5
    assert openstack(f"security group rule show {rule['id']}")["description"] == "ssh"
    openstack.text(f"security group rule delete {rule['id']}")
    openstack.text("security group set --name g2 --description y g1")
    assert openstack("security group show g2")["description"] == "y"
    assert "g2" in {one["Name"] for one in openstack("security group list")}
    openstack.text("security group delete g2")


def test_what_there_is(openstack: Client) -> None:
    assert openstack("network agent list")
    assert "router" in {one["Alias"] for one in openstack("extension list --network")}
    assert openstack("quota show --network") is not None
