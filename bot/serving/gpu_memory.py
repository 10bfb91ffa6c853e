"""Whether a model fits the GPUs that it is to be served on: asked before vLLM loads for minutes and then says no.

vLLM claims a share of a card's whole memory (`--gpu-memory-utilization`), and refuses to start where less is free;
weights, working space and at least one whole conversation must fit into that share. All figures are the least that
it takes, so what is refused here could not have started; what is let through may still be told so by vLLM.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.config import Serve

GIB = 1024**3
WORKING_SPACE = GIB // 2
"""Activations and the kernels' own on one card, at the least."""
SCALAR = 2
"""Bytes of a bfloat16, as keys and values are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One GPU; bytes."""

    index: str
    name: str
    total: int
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a model takes, in bytes: its *weights* in all, and *per_token* of context."""

    weights: int
    per_token: int = 0


KNOWN: Mapping[str, Needs] = {
    "openai/gpt-oss-20b": Needs(weights=13_800_000_000, per_token=12 * 8 * 64 * 2 * SCALAR),
    "openai/gpt-oss-120b": Needs(weights=65_300_000_000, per_token=18 * 8 * 64 * 2 * SCALAR),
}
"""For names that are not on this disk yet; every other layer has a sliding window. 20b: 13.8 GB on disk, 12.88 GiB
loaded (vLLM sheet §1)."""


def cards(environment: Mapping[str, str]) -> Sequence[Card] | None:
    """The GPUs that vLLM would see. None: no `nvidia-smi` here, or it cannot tell (no driver, shared memory)."""
    program = shutil.which("nvidia-smi", path=environment.get("PATH"))
    if program is None:
        return None
    query = [program, "--query-gpu=index,name,memory.total,memory.free", "--format=csv,noheader,nounits"]
    if visible := environment.get("CUDA_VISIBLE_DEVICES"):
        query.append(f"--id={visible}")
    try:
        told = subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout
        return [_card(line) for line in told.splitlines() if line.strip()]
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def _card(line: str) -> Card:
    """`0, NVIDIA L4, 23034, 22565`: MiB. Raises ValueError, also for `[N/A]`."""
    index, name, total, free = (word.strip() for word in line.split(","))
    return Card(index=index, name=name, total=int(total) * 1024**2, free=int(free) * 1024**2)


def needs(path: str, environment: Mapping[str, str] = os.environ) -> Needs | None:
    """Of a folder, or of a hub's name that is on this disk or known. None: nobody knows before the download."""
    folder = Path(path) if Path(path).is_dir() else _downloaded(path, environment)
    if folder is None:
        return KNOWN.get(path)
    weights = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    weights = weights or sum(file.stat().st_size for file in folder.glob("*.bin"))
    return Needs(weights=weights, per_token=_per_token(folder / "config.json")) if weights else KNOWN.get(path)


def _downloaded(name: str, environment: Mapping[str, str]) -> Path | None:
    """The newest snapshot in the hub's cache on this disk."""
    home = Path(environment.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(environment.get("HF_HUB_CACHE") or home / "hub")
    snapshots = [*(cache / f"models--{name.replace('/', '--')}" / "snapshots").glob("*/")]
    return max(snapshots, key=lambda each: each.stat().st_mtime, default=None)


def _per_token(config: Path) -> int:
    """Bytes of keys and values, those of layers with a sliding window left out; 0 where the file does not say."""
    try:
        told = json.loads(config.read_bytes())
        heads = told.get("num_key_value_heads") or told["num_attention_heads"]
        size = told.get("head_dim") or told["hidden_size"] // told["num_attention_heads"]
        layers = int(told["num_hidden_layers"])
        if kinds := told.get("layer_types"):
            layers = list(kinds).count("full_attention")
        return layers * int(heads) * int(size) * 2 * SCALAR
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0


def why_not(serve: Serve, present: Sequence[Card], wanted: Needs | None) -> str:
    """The first reason why vLLM could not start, with the next step; empty: nothing speaks against it."""
    ranks = serve.tensor_parallel_size
    if len(present) < ranks:
        return (
            f"model.serve.tensor_parallel_size is {ranks}, and {len(present)} GPUs are visible here: lower it, or "
            "correct CUDA_VISIBLE_DEVICES"
        )
    for card in present[:ranks]:
        share = int(card.total * serve.gpu_memory_utilization)
        if card.free < share:
            return (
                f"GPU {card.index} ({card.name}) has {_gib(card.free)} of {_gib(card.total)} free, and "
                f"model.serve.gpu_memory_utilization = {serve.gpu_memory_utilization:g} claims {_gib(share)}: stop "
                f"what uses it (nvidia-smi shows it), or set {max(card.free / card.total - 0.01, 0.01):.2f}"
            )
        taken = _taken(wanted, serve) if wanted else 0
        if taken > share:
            return (
                f"{serve.path} with model.serve.max_model_len = {serve.max_model_len} takes at least {_gib(taken)} "
                f"on each of {ranks} GPUs, {_gib(taken - share)} more than GPU {card.index} ({card.name}) gives: "
                "use a larger one, a larger model.serve.tensor_parallel_size, a shorter max_model_len, or a "
                "smaller or quantised model"
            )
    return ""


def _taken(wanted: Needs, serve: Serve) -> int:
    """On each card."""
    conversation = wanted.per_token * serve.max_model_len
    return (wanted.weights + conversation) // serve.tensor_parallel_size + WORKING_SPACE


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
