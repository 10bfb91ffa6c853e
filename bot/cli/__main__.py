"""`python -m bot.cli` is `frontdesk`: the way in which `frontdesk run` starts its children."""

from bot.cli import main

if __name__ == "__main__":
    main()
