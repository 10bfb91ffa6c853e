"""The architecture, held by reading every import: who may import whom, and which library is whose."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.wiring import PLATFORMS

ROOT = Path(__file__).parent.parent
PACKAGES = ("adapters", "bot", "inference", "sessions")

MAY_IMPORT = {
    "adapters": set[str](),
    "inference": set[str](),
    "sessions": {"adapters.relay", "adapters.shared", "adapters.values"},
    "bot": {"adapters", "inference", "sessions"},
}
ONLY_IN = {
    "flask": ("bot/",),
    "gunicorn": ("bot/",),
    "redis": ("sessions/",),
    "cryptography": ("adapters/crypto.py", "bot/sandbox/"),
    "requests": ("inference/", "bot/sandbox/"),
    "urllib3": ("adapters/connection.py", "adapters/http.py", "inference/"),
    "tenacity": ("adapters/", "inference/", "bot/sandbox/"),
}


def sources() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            yield node.module or ""


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", sources(), ids=named)
def test_a_package_imports_only_what_lies_below_it(path: Path) -> None:
    package = named(path).split("/")[0]
    for module in imports(path):
        other = module.split(".")[0]
        if other in PACKAGES and other != package:
            allowed = MAY_IMPORT[package]
            assert other in allowed or module in allowed, f"{named(path)} imports {module}"


@pytest.mark.parametrize("path", sources(), ids=named)
def test_a_library_is_used_only_where_it_belongs(path: Path) -> None:
    for module in imports(path):
        homes = ONLY_IN.get(module.split(".")[0])
        assert homes is None or named(path).startswith(homes), f"{named(path)} imports {module}"


def test_the_simulators_do_not_share_the_adapters_code() -> None:
    for path in sorted((ROOT / "bot" / "sandbox").rglob("*.py")):
        for module in imports(path):
            assert not module.startswith("adapters"), f"{named(path)} imports {module}"


CONCRETE = (
    *{".".join(channel.__module__.split(".")[:2]) for channel in PLATFORMS.values()},
    "sessions.engine",
    "inference.vllm",
)


def test_only_the_wiring_names_concrete_classes() -> None:
    for path in sorted((ROOT / "bot").rglob("*.py")):
        if named(path) != "bot/wiring.py":
            for module in imports(path):
                assert not module.startswith(CONCRETE), f"{named(path)} imports {module}"


def needed(path: Path, modules: frozenset[str]) -> set[str]:
    """The modules of ours that *path* imports; `from package import module` needs the module, not the package."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= whole & modules or {node.module or ""}
    return found & modules


def test_no_module_is_part_of_an_import_circle() -> None:
    modules = frozenset(map(module_name, sources()))
    graph = {module_name(path): needed(path, modules) for path in sources()}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail, module))
        if module not in done:
            for target in graph.get(module, ()):
                visit(target, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def module_name(path: Path) -> str:
    return named(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
