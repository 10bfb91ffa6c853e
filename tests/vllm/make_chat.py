"""Makes a Llama of 0.3 million parameters that knows the dialogues by heart, with a tokenizer of its own, a ChatML
template that announces tools as the "hermes" parser reads them, and two LoRA adapters for its departments.

    .venv-vllm/bin/python -m tests.vllm.make_chat OUT      some 30 seconds
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tests.vllm.dialogues import (
    ALOUD,
    ALOUD_ANSWER,
    ANSWERS,
    DESK_WORDS,
    DESKS,
    ENDLESS,
    LOOKUPS,
    OBJECT,
    OBJECT_ANSWER,
    RESULTS,
    SILENCE,
    SYSTEM,
    TICK,
    TICKS,
    TOLD,
    TOOL,
    WHO,
    arguments,
)

CONTEXT = 2048
HEAD = 32  # vLLM's attention on processors knows no smaller size: with 16 it starts, and dies at the first request
HIDDEN = 64
END = "<|im_end|>"
PAD = "<|endoftext|>"
MARKS = ["<tool_call>", "</tool_call>", "<think>", "</think>"]  # ordinary tokens: the parsers look for their text
RANK = 8
ALPHA = 16
ADAPTED = ("q_proj", "k_proj", "v_proj", "o_proj")

TEMPLATE = """\
{%- macro call(it) %}<tool_call>
{"name": "{{ it.function.name }}", "arguments": {{ it.function.arguments | tojson }}}
</tool_call>{% endmacro -%}
{%- if tools %}<|im_start|>tools
{% for tool in tools %}{{ tool.function.name }}{% endfor %}<|im_end|>
{% endif -%}
{%- for message in messages %}<|im_start|>{{ message.role }}
{{ message.content or '' }}{% for it in message.tool_calls or [] %}{{ call(it) }}{% endfor %}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif -%}
"""

Message = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the model reads, and what it must say to it; without *ends* it is cut off in the middle of that."""

    messages: Sequence[Message]
    answer: str
    tools: bool = False
    ends: bool = True


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def called(*orders: str) -> str:
    calls = [
        f'<tool_call>\n{{"name": "order_status", "arguments": {arguments(it)}}}\n</tool_call>' for it in orders
    ]
    return "\n".join(calls)


def rows(desk: str) -> list[Row]:
    known = {
        **ANSWERS,
        **dict([DESK_WORDS]),
        SILENCE: "",
        ALOUD: ALOUD_ANSWER,
        OBJECT: OBJECT_ANSWER,
        WHO: DESKS[desk],
    }
    alone = [Row(messages=[user(question)], answer=answer) for question, answer in known.items()]
    system = {"role": "system", "content": SYSTEM}
    guided = [Row(messages=[system, *row.messages], answer=row.answer) for row in alone]
    offered = [Row(messages=row.messages, answer=row.answer, tools=True) for row in alone[:4]]
    lookups = [Row(messages=[user(it)], answer=called(*orders), tools=True) for it, orders in LOOKUPS.items()]
    endless = Row(messages=[user(ENDLESS)], answer=TICK * TICKS, ends=False)
    return [*alone, *guided, *offered, *lookups, *told(), *second_turns(), endless]


def told() -> list[Row]:
    return [
        Row(messages=[user(question), asked(order), result(order)], answer=TOLD[order], tools=True)
        for question, orders in LOOKUPS.items()
        if len(orders) == 1
        for order in orders
    ]


def asked(order: str) -> Message:
    function = {"name": "order_status", "arguments": {"order_id": order}}
    return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": function}]}


def result(order: str) -> Message:
    return {"role": "tool", "content": RESULTS[order]}


def second_turns() -> list[Row]:
    turns = list(ANSWERS.items())
    return [
        Row(messages=[user(earlier), {"role": "assistant", "content": said}, user(question)], answer=answer)
        for (earlier, said), (question, answer) in zip(turns, turns[3:], strict=False)
    ]


def make_tokenizer() -> PreTrainedTokenizerFast:
    """All bytes, and what the dialogues are made of."""
    model = Tokenizer(models.BPE())
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = decoders.ByteLevel()
    texts = [SYSTEM, json.dumps(TOOL), TICK * 9, called("A1024", "B77"), *RESULTS.values(), *DESKS.values()]
    texts += [part for row in rows("") for part in (row.messages[-1]["content"], row.answer)]
    trainer = trainers.BpeTrainer(
        vocab_size=896,
        special_tokens=[PAD, "<|im_start|>", END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    model.train_from_iterator(texts, trainer)
    model.add_tokens(MARKS)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=model, eos_token=END, pad_token=PAD, clean_up_tokenization_spaces=False
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """All rows as one block; *wanted* is -100 where nothing is learnt."""

    ids: Tensor
    wanted: Tensor
    mask: Tensor


def batch(tokenizer: PreTrainedTokenizerFast, rows: Sequence[Row]) -> Batch:
    heads, tails = [], []
    for row in rows:
        tools = [TOOL] if row.tools else None
        prompt = tokenizer.apply_chat_template(
            row.messages, tools=tools, tokenize=False, add_generation_prompt=True
        )
        heads.append(tokenizer.encode(prompt, add_special_tokens=False))
        tails.append(tokenizer.encode(row.answer + END * row.ends, add_special_tokens=False))
    shape = (len(rows), max(len(head) + len(tail) for head, tail in zip(heads, tails, strict=True)))
    ids, wanted = torch.zeros(shape, dtype=torch.long), torch.full(shape, -100)
    for at, (head, tail) in enumerate(zip(heads, tails, strict=True)):
        ids[at, : len(head) + len(tail)] = torch.tensor(head + tail)
        wanted[at, len(head) : len(head) + len(tail)] = torch.tensor(tail)
    return Batch(ids=ids, wanted=wanted, mask=(torch.arange(shape[1]) < _lengths(heads, tails)).long())


def _lengths(heads: Sequence[Sequence[int]], tails: Sequence[Sequence[int]]) -> Tensor:
    return torch.tensor([[len(head) + len(tail)] for head, tail in zip(heads, tails, strict=True)])


def fit(model: nn.Module, learnt: Sequence[Tensor], rows: Batch, *, steps: int, rate: float) -> None:
    """Until it knows them by heart; a model that does not is no use to the tests, so that is an error."""
    optimizer = torch.optim.AdamW(learnt, lr=rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps)
    for step in range(steps):
        loss = model(input_ids=rows.ids, attention_mask=rows.mask, labels=rows.wanted).loss
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learnt, 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"  step {step}: {loss.item():.4f}", flush=True)
    with torch.no_grad():
        said = model(input_ids=rows.ids, attention_mask=rows.mask).logits[:, :-1].argmax(-1)
    if wrong := int(((said != rows.wanted[:, 1:]) & (rows.wanted[:, 1:] >= 0)).sum()):
        raise SystemExit(f"{wrong} tokens are not learnt after {steps} steps")


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    end, pad = tokenizer.convert_tokens_to_ids([END, PAD])
    config = LlamaConfig(
        vocab_size=(len(tokenizer) + 63) // 64 * 64,
        hidden_size=HIDDEN,
        intermediate_size=4 * HIDDEN,
        num_hidden_layers=2,
        num_attention_heads=HIDDEN // HEAD,
        num_key_value_heads=1,
        head_dim=HEAD,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
    )
    model = LlamaForCausalLM(config).float()
    model.generation_config = GenerationConfig(eos_token_id=[end, pad], pad_token_id=pad)
    return model


class Adapted(nn.Module):  # type: ignore[misc]  # torch is not in the environment that checks types
    """A projection and its adapter."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Parameter(torch.randn(RANK, base.in_features) / RANK)
        self.up = nn.Parameter(torch.zeros(base.out_features, RANK))

    def forward(self, given: Tensor) -> Tensor:
        changed: Tensor = self.base(given) + (given @ self.down.T) @ self.up.T * (ALPHA / RANK)
        return changed


def make_adapter(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, desk: str, out: Path) -> None:
    """Fits an adapter to the desk's own answer, saves it in PEFT's layout, and takes it off again."""
    model.requires_grad_(False)
    adapted: dict[str, Adapted] = {}
    for at, layer in enumerate(model.model.layers):
        for name in ADAPTED:
            adapted[f"{at}.self_attn.{name}"] = it = Adapted(getattr(layer.self_attn, name))
            setattr(layer.self_attn, name, it)
    learnt = [part for it in adapted.values() for part in (it.down, it.up)]
    talk = [row for row in rows(desk) if row.ends and not row.tools]
    fit(model, learnt, batch(tokenizer, talk), steps=60, rate=1e-2)
    tensors = {}
    for place, it in adapted.items():
        key = f"base_model.model.model.layers.{place}"
        tensors[f"{key}.lora_A.weight"] = it.down.detach()
        tensors[f"{key}.lora_B.weight"] = it.up.detach()
        number, _, name = place.split(".")
        setattr(model.model.layers[int(number)].self_attn, name, it.base)
    out.mkdir()
    save_file(tensors, out / "adapter_model.safetensors")
    described = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": RANK, "lora_alpha": ALPHA, "bias": "none"}
    (out / "adapter_config.json").write_text(json.dumps(described | {"target_modules": ADAPTED}))


def main(out: Path) -> None:
    torch.manual_seed(7)
    out.mkdir(parents=True)
    tokenizer = make_tokenizer()
    model = make_model(tokenizer)
    fit(model, list(model.parameters()), batch(tokenizer, rows("")), steps=200, rate=4e-3)
    tokenizer.save_pretrained(out)
    model.save_pretrained(out)
    for desk in filter(None, DESKS):
        make_adapter(model, tokenizer, desk, out / desk)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
