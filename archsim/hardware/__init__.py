"""What follows from a chip's files alone: the timing of one MVM, and the roll-up from components to chip."""
