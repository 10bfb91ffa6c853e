"""Whether the data directory can be used."""

import tempfile
from pathlib import Path

from bot.config import ConfigError


def require_writable(folder: Path) -> None:
    """Makes it if it is not there. Raises ConfigError with the next step."""
    if (problem := why_not_writable(folder)) is not None:
        raise ConfigError([problem])


def why_not_writable(folder: Path) -> str | None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return (
            f"server.data_dir: cannot write to {folder} ({error.strerror}); give it to the user that runs "
            "Frontdesk, or name another folder (FRONTDESK__SERVER__DATA_DIR)"
        )
    return None
