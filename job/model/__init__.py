"""The saved network: its folder, and running it."""
