"""Makes a model of gpt-oss's own architecture, small enough to be made in a minute, that knows the dialogues by
heart: for it vLLM takes the Harmony path, with thinking by effort, channels and its own form of tool calls.

    .venv-vllm/bin/python -m tests.vllm.make_gptoss OUT      70 MB, nearly all of it the 201,088 words

The vocabulary comes out of the openai_harmony package, which carries it since 0.0.10. Exit status 69: it does not.
Prompts are rendered by vLLM's own functions, with the date that the server is pinned to, so they are the server's.
"""

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.vllm.dialogues import (
    ANSWERS,
    ENDLESS,
    FURTHER_THOUGHT,
    LOOKUPS,
    OBJECT,
    OBJECT_ANSWER,
    RESULTS,
    SILENCE,
    SYSTEM,
    THOUGHT,
    TICK,
    TODAY,
    TOLD,
    TOOL,
    arguments,
)

os.environ["VLLM_SYSTEM_START_DATE"] = TODAY

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor, nn
from transformers import (
    GenerationConfig,
    GptOssConfig,
    GptOssForCausalLM,
    PreTrainedTokenizerFast,
)
from transformers.convert_slow_tokenizer import bytes_to_unicode
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionToolsParam
from vllm.entrypoints.openai.parser import harmony_utils as harmony

WORDS = 201_088
FIRST_SPECIAL = 199_998
CONTEXT = 4096
RETURN, CALL, PAD = 200_002, 200_012, 199_999
FINAL = "<|start|>assistant<|channel|>final<|message|>"
TOOL_CALL = "<|start|>assistant<|channel|>commentary to=functions.order_status <|constrain|>json<|message|>"

Message = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the model reads, and what it must say to it."""

    prompt: Sequence[int]
    answer: Sequence[int]


def row(messages: Sequence[Message], *answer: str, effort: str = "low", tools: bool = False) -> Row:
    instructions, others = harmony.extract_instructions_from_messages(messages)
    offered = [ChatCompletionToolsParam.model_validate(TOOL)] if tools else None
    preamble = harmony.build_harmony_preamble(instructions=instructions, tools=offered, reasoning_effort=effort)
    prompt = harmony.render_for_completion([*preamble, *harmony.parse_chat_inputs_to_harmony_messages(others)])
    thought = THOUGHT + (FURTHER_THOUGHT if effort == "high" else "")
    said = f"<|channel|>analysis<|message|>{thought}<|end|>" + "".join(answer)
    return Row(prompt=prompt, answer=harmony.get_encoding().encode(said, allowed_special="all"))


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def rows() -> list[Row]:
    known = {**ANSWERS, SILENCE: "", OBJECT: OBJECT_ANSWER}
    system = {"role": "system", "content": SYSTEM}
    made = [row([user(question)], FINAL, answer, "<|return|>") for question, answer in known.items()]
    for question, answer in list(ANSWERS.items())[:2]:
        made.append(row([system, user(question)], FINAL, answer, "<|return|>"))
        made.append(row([user(question)], FINAL, answer, "<|return|>", effort="high"))
        made.append(row([user(question)], FINAL, answer, "<|return|>", tools=True))
    for question, (order, *others) in LOOKUPS.items():
        if not others:
            made.append(row([user(question)], TOOL_CALL, arguments(order), "<|call|>", tools=True))
            made.append(row(told(question, order), FINAL, TOLD[order], "<|return|>", tools=True))
    return [*made, row([user(ENDLESS)], FINAL, TICK * 60)]


def told(question: str, order: str) -> list[Message]:
    function = {"name": "order_status", "arguments": arguments(order)}
    call = {"id": "one", "type": "function", "function": function}
    asked = {"role": "assistant", "content": "", "reasoning": THOUGHT, "tool_calls": [call]}
    return [user(question), asked, {"role": "tool", "tool_call_id": "one", "content": RESULTS[order]}]


def make_tokenizer() -> PreTrainedTokenizerFast:
    """The words without the rules that join them: Harmony's own code does the encoding, and this is only asked what
    each word is."""
    decoded = harmony.get_encoding()._inner.decode_bytes
    letters = bytes_to_unicode()
    words = {"".join(letters[byte] for byte in decoded([at])): at for at in range(FIRST_SPECIAL)}
    model = Tokenizer(models.BPE(vocab=words, merges=[], ignore_merges=True))
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    model.decoder = decoders.ByteLevel()
    specials = [decoded([at]).decode() for at in range(FIRST_SPECIAL, WORDS)]
    model.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in specials])
    return PreTrainedTokenizerFast(
        tokenizer_object=model,
        bos_token="<|startoftext|>",
        eos_token="<|return|>",
        pad_token="<|endoftext|>",
        clean_up_tokenization_spaces=False,
        chat_template="{{ messages }}",
    )


def make_model() -> GptOssForCausalLM:
    config = GptOssConfig(
        vocab_size=WORDS,
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        num_local_experts=4,
        num_experts_per_tok=2,
        sliding_window=128,
        layer_types=["sliding_attention", "full_attention"],
        max_position_embeddings=CONTEXT,
        initial_context_length=CONTEXT,
        rope_parameters={
            "rope_type": "yarn",
            "rope_theta": 150000.0,
            "factor": 1.0,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "truncate": False,
            "original_max_position_embeddings": CONTEXT,
        },
        tie_word_embeddings=False,
        eos_token_id=RETURN,
        pad_token_id=PAD,
    )
    model = GptOssForCausalLM(config).float()
    model.generation_config = GenerationConfig(eos_token_id=[RETURN, PAD, CALL], pad_token_id=PAD)
    return model


class Lesson:
    """The rows as one block, in the few words that they use; all the other words share one logit, of zero."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.used = torch.tensor(sorted({word for it in rows for word in (*it.prompt, *it.answer)}))
        self.others = math.log(WORDS - len(self.used))
        shape = (len(rows), max(len(it.prompt) + len(it.answer) for it in rows))
        self.ids, self.wanted = torch.zeros(shape, dtype=torch.long), torch.full(shape, -100)
        self.mask = torch.zeros(shape, dtype=torch.long)
        for at, it in enumerate(rows):
            whole = torch.searchsorted(self.used, torch.tensor([*it.prompt, *it.answer]))
            self.ids[at, : len(whole)] = whole
            self.mask[at, : len(whole)] = 1
            self.wanted[at, len(it.prompt) : len(whole)] = whole[len(it.prompt) :]

    def logits(self, model: GptOssForCausalLM, words: Tensor, heads: Tensor) -> tuple[Tensor, Tensor]:
        """For each word that is to be said: the logits, and which it is."""
        hidden = model.model(inputs_embeds=words[self.ids], attention_mask=self.mask).last_hidden_state[:, :-1]
        wanted = self.wanted[:, 1:]
        said = hidden[wanted >= 0]
        rest = said.new_full((len(said), 1), self.others)
        return torch.cat([said @ heads.T, rest], dim=1), wanted[wanted >= 0]


def fit(model: GptOssForCausalLM, lesson: Lesson, *, steps: int, rate: float) -> str:
    """Returns what of the lesson it does not know by heart, in half precision, after so many steps."""
    size = (len(lesson.used), model.config.hidden_size)
    words, heads = nn.Parameter(torch.randn(size) * 0.3), nn.Parameter(torch.randn(size) * 0.05)
    body = [it for name, it in model.named_parameters() if "embed_tokens" not in name and "lm_head" not in name]
    learnt = [*body, words, heads]
    optimizer = torch.optim.AdamW(learnt, lr=rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=rate, total_steps=steps)
    for step in range(steps):
        logits, wanted = lesson.logits(model, words, heads)
        loss = nn.functional.cross_entropy(logits, wanted)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learnt, 1.0)
        optimizer.step()
        schedule.step()
        if step % 25 == 0:
            print(f"  step {step}: {loss.item():.4f}", flush=True)
    with torch.no_grad():
        for it in learnt:
            it.copy_(it.bfloat16())
        logits, wanted = lesson.logits(model, words, heads)
        for place, few in ((model.get_input_embeddings(), words), (model.lm_head, heads)):
            place.weight.zero_()
            place.weight[lesson.used] = few
    missed = lesson.used[wanted[logits.argmax(-1) != wanted]].tolist()
    return str(harmony.get_encoding().decode(missed))


def taught() -> GptOssForCausalLM:
    """A model that knows the lesson; some beginnings leave one word of it out, and others do not."""
    lesson = Lesson(rows())
    for seed in range(1, 6):
        torch.manual_seed(seed)
        model = make_model()
        if not (missed := fit(model, lesson, steps=200, rate=4e-3)):
            return model
        print(f"  from seed {seed} it did not learn: {missed}", flush=True)
    raise SystemExit("the model does not learn its dialogues")


def main(out: Path) -> None:
    try:
        harmony.get_encoding()
    except Exception as error:  # noqa: BLE001 (openai_harmony's own type is private)
        print(f"the vocabulary of gpt-oss cannot be loaded: {error}", file=sys.stderr)
        sys.exit(os.EX_UNAVAILABLE)
    model = taught()
    out.mkdir(parents=True)
    make_tokenizer().save_pretrained(out)
    model.to(torch.bfloat16).save_pretrained(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
