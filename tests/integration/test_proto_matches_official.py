"""Our trimmed livekit.proto says the same as LiveKit's own package: every
message, field number, type and enum value."""
from __future__ import annotations

import shutil
import subprocess

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from livekit.protocol import agent, models, room, rtc  # noqa: F401  (fills the pool)

from .servers import ROOT

PROTO = ROOT / "host" / "livekit" / "livekit.proto"


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> descriptor_pb2.FileDescriptorProto:
    if not shutil.which("protoc-c"):
        pytest.skip("protoc-c is not installed")
    out = tmp_path_factory.mktemp("proto") / "livekit.bin"
    subprocess.run(["protoc-c", f"--descriptor_set_out={out}", f"--proto_path={PROTO.parent}",
                    PROTO.name], check=True, cwd=PROTO.parent)
    return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file[0]


def find(kind: str, name: str):
    pool = descriptor_pool.Default()
    try:
        return getattr(pool, f"Find{kind}TypeByName")(name)
    except KeyError:
        return None


def type_name(field) -> str:
    """Of an official field, as protoc writes it."""
    kind = field.message_type or field.enum_type
    return f".{kind.full_name}" if kind else ""


def field_differences(name: str, message) -> list[str]:
    official, wrong = find("Message", name), []
    if official is None:
        return [f"{name}: not in the official package"]
    for f in message.field:
        o = official.fields_by_number.get(f.number)
        if o is None:
            wrong.append(f"{name}.{f.name} = {f.number}: no such number")
        elif (o.name, o.type) != (f.name, f.type) or type_name(o) != f.type_name \
                or o.is_repeated != (f.label == f.LABEL_REPEATED):
            wrong.append(f"{name}.{f.name} = {f.number}: official {o.name} {o.type} "
                         f"{type_name(o)}")
    return wrong


def enum_differences(name: str, enum) -> list[str]:
    official = find("Enum", name)
    if official is None:
        return [f"{name}: not in the official package"]
    numbers = {v.name: v.number for v in official.values}
    return [f"{name}.{v.name} = {v.number}: official {numbers.get(v.name)}"
            for v in enum.value if numbers.get(v.name) != v.number]


def differences(prefix: str, messages, enums) -> tuple[int, list[str]]:
    count, wrong = 0, []
    for e in enums:
        count += len(e.value)
        wrong += enum_differences(f"{prefix}.{e.name}", e)
    for m in messages:
        name = f"{prefix}.{m.name}"
        count += len(m.field)
        wrong += field_differences(name, m)
        n, inner = differences(name, m.nested_type, m.enum_type)
        count, wrong = count + n, wrong + inner
    return count, wrong


def test_every_field_and_value_is_the_official_one(ours):
    count, wrong = differences("livekit", ours.message_type, ours.enum_type)
    assert count > 200, "the comparison saw nothing"
    assert not wrong, "\n".join(wrong)


def test_a_difference_would_be_seen(ours):
    changed = descriptor_pb2.FileDescriptorProto.FromString(ours.SerializeToString())
    message = next(m for m in changed.message_type if m.name == "TrackInfo")
    message.field[0].number = 77
    message.field[1].type = message.field[1].TYPE_BYTES
    changed.enum_type[0].value[1].number = 9
    _, wrong = differences("livekit", changed.message_type, changed.enum_type)
    assert len(wrong) == 3
