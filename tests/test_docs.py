"""The documents are true: their configurations load; every command, key, metric and file that they name exists."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from pydantic import BaseModel

from bot import metrics
from bot.cli import frontdesk
from bot.config import Assistant, Config, Tool, load
from bot.config.sections import Transcription
from bot.wiring import PLATFORMS

ROOT = Path(__file__).parent.parent
ENGLISH, CHINESE = ROOT / "README.md", ROOT / "README.zh-CN.md"
PAGES = [
    *(
        ROOT / name
        for name in ("README.md", "README.zh-CN.md", "GUARANTEES.md", "CHANGELOG.md", "adapters/ADDING.md")
    ),
    *sorted((ROOT / "docs").glob("*.md")),
]
SETTINGS = {name: channel.settings_type for name, channel in PLATFORMS.items()}


def each_page() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def text(page: Path) -> str:
    return page.read_text("utf-8")


def blocks(page: Path, *kinds: str) -> Iterator[str]:
    """Fenced code of these kinds; one inside a list is indented."""
    for indent, kind, body in re.findall(r"(?ms)^( *)```(\w*)\n(.*?)^ *```", text(page)):
        if kind in kinds:
            yield re.sub(rf"(?m)^{indent}", "", body)


def spans(page: Path) -> list[str]:
    """Code in the text, outside of blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^ *```.*?^ *```", "", text(page)))


# Configurations


def loaded(configuration: str, folder: Path) -> Config:
    """As `frontdesk` would read it, with whatever it refers to in its place."""
    for name in re.findall(r'"([\w-]+\.csv)"', configuration):
        (folder / name).write_text("question,answer\nHours?,From nine to five.\n", "utf-8")
    env = dict.fromkeys(re.findall(r'"env:(\w+)"', configuration), "a-long-enough-secret")
    path = folder / "frontdesk.toml"
    path.write_text(configuration, "utf-8")
    return load(path, platforms=SETTINGS, env=env)


@each_page()
def test_every_configuration_of_the_documents_loads(page: Path, tmp_path: Path) -> None:
    for configuration in blocks(page, "toml"):
        loaded(configuration, tmp_path)


def test_there_are_configurations_in_the_documents() -> None:
    assert all(any(blocks(page, "toml")) for page in (ENGLISH, CHINESE, ROOT / "docs" / "tools.md"))


TABLES: Mapping[str, Any] = {
    **{name: field.annotation for name, field in Config.model_fields.items()},
    "assistants": Assistant,
    "tools": Tool,
}
DOTTED = re.compile(rf"(?:{'|'.join(sorted(TABLES))})(?:\.[a-z_<>]+)+")


def known(key: str) -> bool:
    """Whether *key* is a setting: `model.serve.warm_up`, `assistants.<name>.vision`."""
    table, *steps = key.split(".")
    if table in ("assistants", "tools", "channels"):
        steps = steps[1:]
    if table == "channels":
        return all(any(step in settings.model_fields for settings in SETTINGS.values()) for step in steps)
    here: Any = TABLES[table]
    for step in steps:
        if not (isinstance(here, type) and issubclass(here, BaseModel) and step in here.model_fields):
            return False
        here = here.model_fields[step].annotation
        here = Transcription if step == "transcription" else here
    return True


@each_page()
def test_every_key_that_is_named_with_its_table_is_a_setting(page: Path) -> None:
    named = {span for span in spans(page) if DOTTED.fullmatch(span) and not span.endswith(ENDINGS)}
    assert {key for key in named if not known(key)} == set()


ENDINGS = (".py", ".md", ".toml", ".conf")


def test_a_key_that_is_none_is_noticed() -> None:
    assert known("model.transcription.url")
    assert known("assistants.<name>.vision")
    assert known("channels.<name>.welcome")
    assert not known("server.colour")
    assert not known("model.deadline.seconds")
    assert not known("channels.<name>.colour")


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_the_way_to_each_platform_names_every_key_that_it_needs(page: Path) -> None:
    named = {word for span in spans(page) for word in re.findall(r"\w+", span)}
    named |= set(re.findall(r"(?m)^ *(\w+) = ", text(page)))
    for platform, settings in SETTINGS.items():
        assert platform in " ".join(spans(page))
        needed = {name for name, field in settings.model_fields.items() if field.is_required()}
        assert needed - named == set(), platform


# Commands


def commands(page: Path) -> Iterator[str]:
    """Everything that begins with `frontdesk` in code: what follows it, up to the end of the command."""
    for place in (*spans(page), *(line for block in blocks(page, "sh", "") for line in block.splitlines())):
        yield from re.findall(r"(?:^|[ /])frontdesk ([a-z-][^#·|]*)", place.partition("  #")[0])


def problem(command: str) -> str:
    """What is wrong with the words after `frontdesk`, or ""."""
    group: click.Command = frontdesk
    for word in command.split():
        if word.startswith("-"):
            options = {option for each in group.params for option in (*each.opts, *each.secondary_opts)}
            if word not in options | {"--help", "-h"}:
                return f"{command}: no option {word}"
        elif isinstance(group, click.Group):
            if word not in group.commands:
                return f"{command}: no command {word}"
            group = group.commands[word]
    return ""


@each_page()
def test_every_command_and_option_exists(page: Path) -> None:
    assert [told for told in map(problem, commands(page)) if told] == []


def test_a_command_that_is_none_is_noticed() -> None:
    assert problem("sandbox --check --config frontdesk.toml") == ""
    assert "no option" in problem("sandbox --perfect")
    assert "no command" in problem("deadletter forget")


@pytest.mark.parametrize("page", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_every_command_is_explained(page: Path) -> None:
    explained = {command.split()[0] for command in commands(page)}
    assert set(frontdesk.commands) <= explained


def test_every_reason_of_an_example_is_one_that_turns_are_parked_for() -> None:
    texts = [text(page) for page in PAGES] + [
        each.read_text("utf-8") for each in (ROOT / "bot" / "cli").glob("*.py")
    ]
    named = {reason for each in texts for reason in re.findall(r"--reason ([a-z_]+)", each)}
    assert "model_failed" in named
    assert named <= reasons()


def reasons() -> set[str]:
    """Those of the code, the platforms' refusals left out."""
    sources = [path.read_text("utf-8") for path in (ROOT / "bot" / "turns").glob("*.py")]
    return {reason for source in sources for reason in re.findall(r'_endings\.park\([^"]*"([a-z_]+)"', source)}


def test_every_reason_for_a_dead_letter_is_explained() -> None:
    told = set(re.findall(r"(?m)^\| `([a-z_]+)` \|", text(ROOT / "docs" / "operations.md")))
    assert reasons() <= told
    assert {each for each in told if each.startswith("refused_")}


@each_page()
def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8")))
    named = {
        target for each in (*spans(page), *blocks(page, "sh")) for target in re.findall(r"\bmake ([a-z-]+)", each)
    }
    assert named - targets == set()


# What else is named


@each_page()
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"`[^`\n]*`", "", re.sub(r"(?ms)^ *```.*?^ *```", "", text(page)))
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            found = (page.parent / path) if path else page
            assert found.exists(), target
            assert not anchor or anchor in anchors(found), target


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"(?m)^#+ (.+)$", text(page))
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_name_in_the_checklist_for_new_platforms_exists() -> None:
    paths = [path for folder in ("adapters", "bot", "tests") for path in (ROOT / folder).rglob("*.py")]
    exist = {name for path in paths for name in re.findall(r"\w+", path.read_text("utf-8"))}
    code = [
        span for span in spans(ROOT / "adapters" / "ADDING.md") if not re.search(r"/|\.(md|py|toml)$|^make", span)
    ]
    named = {name for span in code for name in re.findall(r"[A-Za-z_]\w*", span)}
    assert {"still_writing", "files_in_calls"} <= named
    assert named - exist == set()


@each_page()
def test_every_metric_exists(page: Path) -> None:
    source = Path(metrics.__file__).read_text("utf-8")
    exist = set(re.findall(r'"(frontdesk_[a-z_]+)"', source))
    named = {name for span in spans(page) for name in re.findall(r"\bfrontdesk_[a-z_]+", span)}
    assert {name for name in named if name not in exist and name.removesuffix("_total") not in exist} == set()


@each_page()
def test_every_variable_sets_a_key(page: Path) -> None:
    for variable in re.findall(r"FRONTDESK__([A-Z_]+)", text(page)):
        table, *steps = variable.lower().split("__")
        steps = ["<name>", *steps[1:]] if table in ("channels", "assistants", "tools") else steps
        assert known(".".join([table, *steps])), variable


def test_every_action_to_search_the_logs_for_is_written_somewhere() -> None:
    section = text(ROOT / "docs" / "operations.md").partition("## Logs")[2].partition("\n## ")[0]
    actions = {span for span in re.findall(r"`([^`\n]+)`", section) if "_" in span}
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "bot").rglob("*.py"))
    assert "turn_parked" in actions
    assert {action for action in actions if f'"{action}"' not in sources} == set()


def test_both_readmes_have_the_same_shape() -> None:
    def shape(page: Path) -> list[str]:
        lines = re.sub(r"(?ms)^( *)```(\w*)\n.*?^ *```", r"\1~\2", text(page)).splitlines()
        kinds = (re.match(r" *(#+ |\| `[^|]*`|\||- |\d\. |\*\*|~\w*)", line) for line in lines)
        return [kind[0] for kind in kinds if kind]

    assert shape(ENGLISH) == shape(CHINESE)


def test_both_readmes_say_the_same_figures_and_settings() -> None:
    def said(page: Path) -> set[str]:
        figures = re.findall(r"\d[\d,.]*(?:–[\d,.]+)?", text(page).partition("##")[2])
        return {figure.rstrip(".,") for figure in figures} | {span for span in spans(page) if span.isascii()}

    words_only = {"12", "5", "15", "24", "30", "48"}  # written out in one of them
    assert said(ENGLISH) ^ said(CHINESE) <= words_only
