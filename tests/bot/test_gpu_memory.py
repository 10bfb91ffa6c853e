"""`frontdesk model` and the GPUs: what does not fit is said before vLLM loads, and how it would."""

import json
from pathlib import Path

import pytest

from bot.config import Serve
from bot.serving import gpu_memory, serve_model
from bot.serving.gpu_memory import GIB, Card, Needs, needs, why_not


def nvidia_smi(folder: Path, answer: str, *, code: int = 0) -> dict[str, str]:
    """An environment in which it says *answer*."""
    told = folder / "answer"
    told.write_text(answer)
    program = folder / "nvidia-smi"
    program.write_text(f'#!/bin/sh\necho "$@" > {folder}/asked\n/bin/cat {told}\nexit {code}\n')
    program.chmod(0o700)
    return {"PATH": str(folder)}


def card(total: float, free: float | None = None, index: str = "0") -> Card:
    return Card(index=index, name="GPU", total=int(total * GIB), free=int((total if free is None else free) * GIB))


def test_cards_are_read_as_nvidia_smi_tells_them(tmp_path: Path) -> None:
    told = "0, NVIDIA L4, 23034, 22565\n1, NVIDIA H200, 143771, 143300\n"
    found = gpu_memory.cards(nvidia_smi(tmp_path, told))
    assert found == [
        Card(index="0", name="NVIDIA L4", total=23034 * 1024**2, free=22565 * 1024**2),
        Card(index="1", name="NVIDIA H200", total=143771 * 1024**2, free=143300 * 1024**2),
    ]


def test_only_the_cards_that_vllm_may_use_are_asked_for(tmp_path: Path) -> None:
    gpu_memory.cards(nvidia_smi(tmp_path, "") | {"CUDA_VISIBLE_DEVICES": "2,3"})
    assert "--id=2,3" in (tmp_path / "asked").read_text()


@pytest.mark.parametrize(
    ("answer", "code"), [("0, NVIDIA GB10, [N/A], [N/A]", 0), ("no devices were found", 0), ("", 9), ("1,2", 0)]
)
def test_what_cannot_be_read_is_nobodys_fault_and_said(tmp_path: Path, answer: str, code: int) -> None:
    environment = nvidia_smi(tmp_path, answer, code=code)
    assert gpu_memory.cards(environment) is None
    memory = serve_model.memory(Serve(), environment)
    assert not memory.problem
    assert "not checked" in memory.remark


def test_a_machine_without_nvidia_smi_is_served_unchecked(tmp_path: Path) -> None:
    assert "not checked" in serve_model.memory(Serve(), {"PATH": str(tmp_path)}).remark


def test_gpt_oss_20b_fits_a_card_of_16_gib_and_none_of_12() -> None:
    wanted = needs("openai/gpt-oss-20b", {"HF_HOME": "/nowhere"})
    assert wanted
    assert why_not(Serve(), [card(16)], wanted) == ""
    problem = why_not(Serve(), [card(12)], wanted)
    assert "tensor_parallel_size" in problem
    assert "max_model_len" in problem


def test_two_cards_carry_what_one_cannot() -> None:
    wanted = Needs(weights=30 * GIB)
    assert why_not(Serve(), [card(24)], wanted)
    assert why_not(Serve(tensor_parallel_size=2), [card(24), card(24)], wanted) == ""


def test_more_cards_than_there_are_is_said() -> None:
    assert "tensor_parallel_size is 2, and 1" in why_not(Serve(tensor_parallel_size=2), [card(80)], None)


def test_a_card_in_use_is_named_with_a_share_that_works() -> None:
    problem = why_not(Serve(), [card(80, free=40)], None)
    assert "GPU 0" in problem
    share = float(problem.rsplit("set ", 1)[1])
    assert why_not(Serve(gpu_memory_utilization=share), [card(80, free=40)], None) == ""


def test_a_long_context_counts() -> None:
    wanted = Needs(weights=10 * GIB, per_token=100_000)
    assert why_not(Serve(max_model_len=16_384), [card(24)], wanted) == ""
    assert "max_model_len = 131072" in why_not(Serve(max_model_len=131_072), [card(24)], wanted)


def test_a_folders_weights_and_configuration_are_read(tmp_path: Path) -> None:
    for name in ("model-1.safetensors", "model-2.safetensors", "ignored.txt"):
        (tmp_path / name).write_bytes(b"x" * 1000)
    shape = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 64}
    (tmp_path / "config.json").write_text(json.dumps(shape))
    assert needs(str(tmp_path)) == Needs(weights=2000, per_token=2 * 2 * 16 * 2 * 2)


def test_layers_with_a_sliding_window_keep_little(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x")
    kinds = ["sliding_attention", "full_attention"] * 3
    shape = {"num_hidden_layers": 6, "num_attention_heads": 4, "head_dim": 8, "layer_types": kinds}
    (tmp_path / "config.json").write_text(json.dumps(shape))
    assert needs(str(tmp_path)) == Needs(weights=1, per_token=3 * 4 * 8 * 2 * 2)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"num_hidden_layers": "many", "num_attention_heads": 0}'])
def test_a_configuration_that_says_nothing_is_no_obstacle(tmp_path: Path, text: str) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x")
    (tmp_path / "config.json").write_text(text)
    assert needs(str(tmp_path)) == Needs(weights=1)


def test_a_name_on_the_hub_is_found_in_the_cache(tmp_path: Path) -> None:
    snapshot = tmp_path / "hub" / "models--some--model" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").write_bytes(b"x" * 7)
    assert needs("some/model", {"HF_HOME": str(tmp_path)}) == Needs(weights=7)
    assert needs("unknown/model", {"HF_HOME": str(tmp_path)}) is None


def test_the_check_can_be_turned_off(tmp_path: Path) -> None:
    environment = nvidia_smi(tmp_path, "0, small, 100, 100")
    assert serve_model.memory(Serve(), environment).problem
    assert not serve_model.memory(Serve(check_memory=False), environment).problem


def test_enough_memory_is_said_too(tmp_path: Path) -> None:
    assert (
        "enough on 0 (NVIDIA L4)"
        in serve_model.memory(Serve(), nvidia_smi(tmp_path, "0, NVIDIA L4, 23034, 22565")).remark
    )
