"""``python -m archsim``."""

from archsim.cli import main

main()
