"""What every test shares: generated examples are the same in each run and may take their time."""

from hypothesis import settings

settings.register_profile("archsim", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("archsim")
