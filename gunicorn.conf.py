"""For `gunicorn -c gunicorn.conf.py`, as `frontdesk web` runs it; the settings lie in the package."""

from bot.edge.gunicorn_settings import *  # noqa: F403
