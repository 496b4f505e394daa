"""Files that somebody mistyped, cut short, or made to hurt: valid scenarios changed byte by byte and key by key."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from edasim.scenario.document import scalar
from tests.strategies import Data, Dice, Rolled, scenario

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = sorted((ROOT / "scenarios").glob("*.yml"))
INVALID = sorted((Path(__file__).parent / "scenarios" / "invalid").glob("*.yml"))

PIECES = (
    b"\0", b"\xff\xfe", b"\t", b"\r\n", b"\n\n", b"\n", b" ", b":", b": ", b"- ", b"-", b"#", b"&a ", b"*a",
    b"!!python/name:os.system ", b"!!binary ", b"<<: ", b"{", b"}", b"[", b"]", b"[[[[[[[[[[[[[[[[",
    b"{a: {a: {a: {a: ", b"'", b'"', b"\\", b"|", b">", b"%", b"@", b"`", b"...", b"---\n", b"? ", b"9" * 400, b"-1",
    b"1e999", b".nan", b".inf", b"0x1f", b"0o17", b"true", b"null", b"~", b"99999999999999999999",
    b"<script>alert(1)</script>", b"../../../etc/passwd", b"=cmd|' /C calc'!A0", b"$(id)", b"${HOME}", b"{{7*7}}",
    b"%s%n", b"\xc3\x28", b"\xf0\x9f\x92\xa9", b"\xe2\x80\xae", b"\x1b[2J", b"\xef\xbb\xbf", b"\x85", b"\xe2\x80\xa8",
    b"0ms", b"1000000000/s", b"100%", b"0%",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**6, 10**40, -(10**40), 0.5, float("inf"), float("nan"), 1e308, "", " ", "none",
    "NaN", "unlimited", "0s", "0/s", "0%", "100%", "101%", "1000000000/s", "3652d", "1ns", "x" * 5000, "\0", "a\nb",
    "<script>", "../..", "=1+1", "$x^2$", "🦆", [], [[]], [None], ["0s"] * 300, {}, {"": ""}, {"a": {"b": {"c": {}}}},
    {1: 2}, "batches of 1000000 at constant 1000000000/s", "exponential 1ns", "pareto 3652d shape 0.1", "every 1ns",
    "uniform over 1000000", "zipf 20 over 1000000", "payment <-> payment",
)  # fmt: skip


def mutated(seed: int) -> bytes:
    """One mutated file: a shipped one, an invalid one or a random one, changed one to six times."""
    dice = Rolled(f"file {seed}")
    content = original(dice, seed)
    for _ in range(dice.pick([1, 1, 1, 2, 3, 6])):
        content = dice.pick([by_bytes, by_bytes, by_lines, by_keys, by_keys])(content, dice)
    return content


def original(dice: Dice, seed: int) -> bytes:
    """The file to begin with."""
    kind = dice.pick(["shipped", "random", "random", "invalid"])
    if kind == "shipped":
        return b"\n".join(line for line in dice.pick(SHIPPED).read_bytes().split(b"\n") if not line.startswith(b"#"))
    if kind == "invalid":
        return dice.pick(INVALID).read_bytes()[:20_000]
    return written(scenario(Rolled(f"for file {seed}")))


def by_bytes(content: bytes, dice: Dice) -> bytes:
    """Some bytes are other ones, gone, twice, or there is something between them."""
    at = dice.whole(0, len(content))
    length = dice.pick([0, 1, 1, 2, 5, 30])
    inserted = dice.pick([b"", bytes([dice.whole(0, 255)]), dice.pick(PIECES), content[at : at + length] * 2])
    return content[:at] + inserted + content[at + length :]


def by_lines(content: bytes, dice: Dice) -> bytes:
    """Lines are gone, twice, in another place, indented otherwise, or the file ends early."""
    lines = content.split(b"\n")
    one, other = dice.whole(0, len(lines) - 1), dice.whole(0, len(lines) - 1)
    form = dice.pick(["gone", "twice", "swapped", "indented", "outdented", "cut short"])
    if form == "gone":
        del lines[one]
    elif form == "twice":
        lines.insert(other, lines[one])
    elif form == "swapped":
        lines[one], lines[other] = lines[other], lines[one]
    elif form == "indented":
        lines[one] = b"  " + lines[one]
    elif form == "outdented":
        lines[one] = lines[one].removeprefix(b"  ")
    else:
        lines = lines[: one + 1]
    return b"\n".join(lines)


def by_keys(content: bytes, dice: Dice) -> bytes:
    """A key is gone, mistyped or another one's, or a value is something else; what is no YAML stays as it is."""
    try:
        data = yaml.load(content, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        return content
    places = list(_places(data))
    if not places:
        return content
    data = copy.deepcopy(data)
    path, other = dice.pick(places), dice.pick(places)
    node = _at(data, path[:-1])
    form = dice.pick(["gone", "value", "value", "value", "name", "moved"])
    if form == "gone":
        del node[path[-1]]
    elif form == "value":
        node[path[-1]] = dice.pick(VALUES)
    elif form == "name" and isinstance(node, dict):
        value = node.pop(path[-1])
        node[dice.pick([str(path[-1])[:-1], f"{path[-1]}s", dice.pick(["", "a.b", "0", "for", "<b>"])])] = value
    else:
        node[path[-1]] = copy.deepcopy(_at(data, other))
    return written(data)


def written(data: Data) -> bytes:
    """Data as YAML, whatever it is; numbers in quotes where a file would need them to stay texts."""
    try:
        text = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)
    except (yaml.YAMLError, RecursionError):
        text = repr(data)
    return text.encode("utf-8", "surrogatepass")


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = isinstance(scalar(text), str)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)


def _places(node: Any, before: tuple[Any, ...] = (), deepest: int = 12) -> Any:
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, value in steps if len(before) < deepest else ():
        yield (*before, step)
        yield from _places(value, (*before, step))


def _at(data: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        data = data[step]
    return data
