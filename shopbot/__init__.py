"""The kernel: what every other package builds on. It imports none of them."""

__version__ = "0.1.0"
