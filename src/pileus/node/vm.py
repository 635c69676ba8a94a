"""A guest as libvirt's domain XML (https://libvirt.org/formatdomain.html). Pure."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from pileus.node.desired import GuestSpec, Nic
from pileus.node.disk import extras

INTEGRATION_BRIDGE = "br-int"
PREFIX = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd"}
_OFF = {"csum": "off", "gso": "off", "tso4": "off", "tso6": "off", "ecn": "off", "ufo": "off"}


class Machine(NamedTuple):
    """What of the host shapes its guests."""

    accelerator: str
    """kvm or tcg."""
    userspace_datapath: bool
    """Open vSwitch reads the taps itself and can't finish a checksum that a guest left to hardware."""
    bridge: str = INTEGRATION_BRIDGE


def domain_xml(guest: GuestSpec, folder: Path, image: Path, machine: Machine) -> str:
    domain = ET.Element("domain", type="kvm" if machine.accelerator == "kvm" else "qemu")
    _text(domain, "name", guest.domain_name)
    _text(domain, "uuid", guest.id)
    _text(domain, "title", guest.name[:255])
    _text(domain, "memory", str(guest.memory_mb), unit="MiB")
    _text(domain, "vcpu", str(guest.vcpus))
    system = ET.SubElement(ET.SubElement(domain, "sysinfo", type="smbios"), "system")
    for name, value in (
        ("manufacturer", "Pileus"),
        ("product", "OpenStack Compute"),
        ("serial", guest.id),
        ("uuid", guest.id),
    ):
        _text(system, "entry", value, name=name)
    os = ET.SubElement(domain, "os")
    _text(os, "type", "hvm", arch="x86_64", machine=guest.properties.get("hw_machine_type", "pc"))
    ET.SubElement(os, "smbios", mode="sysinfo")
    features = ET.SubElement(domain, "features")
    ET.SubElement(features, "acpi")
    ET.SubElement(features, "apic")
    if machine.accelerator == "kvm":
        ET.SubElement(domain, "cpu", mode="host-model")
    ET.SubElement(domain, "clock", offset="utc")
    _text(domain, "on_poweroff", "destroy")
    _text(domain, "on_reboot", "restart")
    _text(domain, "on_crash", "destroy")
    _devices(ET.SubElement(domain, "devices"), guest, folder, image, machine)
    return ET.tostring(domain, encoding="unicode")


def _devices(devices: ET.Element, guest: GuestSpec, folder: Path, image: Path, machine: Machine) -> None:
    names = _Names()
    bus = guest.root.bus
    if bus == "scsi":
        ET.SubElement(devices, "controller", type="scsi", model=guest.properties.get("hw_scsi_model", "virtio-scsi"))
    if guest.root.image_format == "iso":
        _disk(devices, image, names.next("ide"), "ide", device="cdrom", boot=2, kind="raw")
    _disk(devices, folder / "disk.qcow2", names.next(bus), bus, boot=1)
    for name in extras(guest):
        _disk(devices, folder / name, names.next(bus), bus)
    if guest.config_drive:
        _disk(devices, folder / "config.iso", names.next("ide"), "ide", device="cdrom", kind="raw")
    for nic in guest.nics:
        devices.append(interface(guest.id, nic, machine))
    serial = ET.SubElement(devices, "serial", type="pty")
    ET.SubElement(serial, "log", file=str(folder / "console.log"), append="on")
    ET.SubElement(serial, "target", port="0")
    ET.SubElement(ET.SubElement(devices, "console", type="pty"), "target", type="serial", port="0")
    graphics = ET.SubElement(devices, "graphics", type="vnc", port="-1", autoport="yes")
    ET.SubElement(graphics, "listen", type="address", address="127.0.0.1")
    ET.SubElement(ET.SubElement(devices, "video"), "model", type=guest.properties.get("hw_video_model", "vga"))
    rng = ET.SubElement(devices, "rng", model="virtio")
    _text(rng, "backend", "/dev/urandom", model="random")
    ET.SubElement(devices, "memballoon", model="virtio")


def interface(guest_id: str, nic: Nic, machine: Machine) -> ET.Element:
    """One NIC; libvirt makes its tap, puts it into the integration bridge and names the port to OVN."""
    element = ET.Element("interface", type="bridge")
    ET.SubElement(element, "mac", address=nic.mac)
    ET.SubElement(element, "source", bridge=machine.bridge)
    port = ET.SubElement(element, "virtualport", type="openvswitch")
    ET.SubElement(port, "parameters", interfaceid=nic.port_id)
    ET.SubElement(element, "target", dev=tap_name(guest_id, nic.port_id))
    ET.SubElement(element, "model", type=nic.model)
    if nic.model == "virtio" and machine.userspace_datapath:
        driver = ET.SubElement(element, "driver", name="qemu")
        ET.SubElement(driver, "host", _OFF | {"mrg_rxbuf": "off"})
        ET.SubElement(driver, "guest", {name: value for name, value in _OFF.items() if name != "gso"})
    ET.SubElement(element, "mtu", size=str(nic.mtu))
    ET.SubElement(element, "alias", name=alias(nic.port_id))
    return element


def alias(port_id: str) -> str:
    """libvirt's name of a port's device; what a client names itself begins with ua-."""
    return f"ua-{port_id}"


def tap_name(guest_id: str, port_id: str) -> str:
    """At most 15 characters, as the kernel has it. Of the guest too: the guest that had the port before may not have
    released its own tap yet."""
    return f"tap{port_id[:8]}{guest_id[:4]}"


class Live(NamedTuple):
    """What a domain's XML tells of it as it is."""

    nics: tuple[str, ...]
    leaving: tuple[str, ...]
    """Ports of devices that the guest still has and that its configuration does not have any more."""
    vnc_port: int | None


def read_live(xml: str, configuration: str) -> Live:
    """From libvirt's XML of the domain as it is, and as it will be when it starts next."""
    root = ET.fromstring(xml)
    has, kept = taps(xml), taps(configuration)
    graphics = root.find("./devices/graphics[@type='vnc']")
    port = int(graphics.get("port", "-1")) if graphics is not None else -1
    return Live(
        nics=tuple(nic for nic in has if nic in kept),
        leaving=tuple(nic for nic in has if nic not in kept),
        vnc_port=port if port > 0 else None,
    )


def taps(xml: str) -> dict[str, str]:
    """Port id -> its tap, in the order of the domain's interfaces."""
    found = {}
    for element in ET.fromstring(xml).iterfind("./devices/interface"):
        parameters, target = element.find("./virtualport/parameters"), element.find("./target")
        if parameters is not None:
            found[parameters.get("interfaceid", "")] = target.get("dev", "") if target is not None else ""
    return found


class _Names:
    """vda, vdb, ... for each bus."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}

    def next(self, bus: str) -> str:
        prefix = PREFIX[bus]
        index = self._used.get(prefix, 0)
        self._used[prefix] = index + 1
        return prefix + chr(ord("a") + index)


def _disk(
    devices: ET.Element,
    path: Path,
    name: str,
    bus: str,
    device: str = "disk",
    boot: int | None = None,
    kind: str = "qcow2",
) -> None:
    disk = ET.SubElement(devices, "disk", type="file", device=device)
    driver = ET.SubElement(disk, "driver", name="qemu", type=kind)
    if device == "disk":
        driver.set("discard", "unmap")
    ET.SubElement(disk, "source", file=str(path))
    ET.SubElement(disk, "target", dev=name, bus=bus)
    if device == "cdrom":
        ET.SubElement(disk, "readonly")
    if boot is not None:
        ET.SubElement(disk, "boot", order=str(boot))


def _text(parent: ET.Element, tag: str, text: str, /, **attributes: str) -> None:
    ET.SubElement(parent, tag, attributes).text = text
