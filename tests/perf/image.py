"""The image's compressed size, without an image: the files of the packages
that Dockerfile.job installs, and of all they depend on, as this machine has
them, with the stripped binary and the clinics; tar and gzip. An estimate: the
base's own packages are taken as "essential or required, and apt".
"""
from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from .rig import BIN, ROOT

# What Debian's slim images leave out.
NOT = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/info/", "/usr/share/locale/",
       "/usr/share/lintian/", "/usr/share/linda/", "/usr/share/groff/", "/var/cache/")


def _installed() -> dict[str, dict]:
    fields = "${Package}\t${Essential}\t${Priority}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
    out = subprocess.run(["dpkg-query", "-W", "-f", fields], capture_output=True, text=True,
                         check=True).stdout
    table = {}
    for line in out.splitlines():
        name, essential, priority, depends, provides = line.split("\t")
        table[name] = {"base": essential == "yes" or priority == "required",
                       "depends": depends, "provides": provides}
    return table


def _wanted() -> list[str]:
    last = (ROOT / "Dockerfile.job").read_text().split("\nFROM ")[-1]
    text = re.search(r"--no-install-recommends(.*?)&&", last, re.S).group(1)
    return re.findall(r"[a-z0-9][a-z0-9+.-]+", text)


def _closure(table: dict, wanted: list[str]) -> tuple[set[str], list[str]]:
    provided = {p: n for n, t in table.items() for p in re.findall(r"[a-z0-9][\w+.-]+",
                                                                    t["provides"])}
    todo = [n for n, t in table.items() if t["base"]] + ["apt"] + wanted
    seen, missing = set(), []
    while todo:
        name = todo.pop()
        name = name if name in table else provided.get(name, name)
        if name not in table:
            missing.append(name)
        elif name not in seen:
            seen.add(name)
            for group in table[name]["depends"].split(","):
                names = re.findall(r"([a-z0-9][a-z0-9+.-]+)(?::any)?\s*(?:\(.*?\))?", group)
                here = [n for n in names if n in table or n in provided]
                todo += here[:1]
    return seen, missing


def _files(packages: set[str]) -> list[str]:
    out = subprocess.run(["dpkg", "-L", *sorted(packages)], capture_output=True, text=True).stdout
    kept = set()
    for line in out.splitlines():
        path = Path(line)
        if line.startswith("/") and not line.startswith(NOT) and (
                path.is_symlink() or path.is_file()):
            kept.add(line)
    return sorted(kept)


def image_mb() -> tuple[float, str]:
    packages, missing = _closure(_installed(), _wanted())
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "frontdesk"
        subprocess.run(["strip", "-o", str(binary), str(BIN / "frontdesk")], check=True)
        names = Path(folder) / "names"
        files = _files(packages) + [str(binary), str(ROOT / "scripts/clinics")]
        names.write_text("\n".join(files))
        done = subprocess.run(f"tar -cf - -T {names} 2>/dev/null | gzip -6 | wc -c", shell=True,
                              capture_output=True, text=True, check=True)
        size = binary.stat().st_size / 1e6
    note = f"binary {size:.1f} MB, {len(packages)} packages"
    return int(done.stdout) / 1e6, note + (f", not here: {' '.join(missing)}" if missing else "")
