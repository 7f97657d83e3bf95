"""The component kinds that archsim ships, one file a kind.

They are found through the entry-point group ``archsim.components``, as a user's own are.
"""
