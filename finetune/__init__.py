"""From the shop's own material to an adapter. Empty so far: dataset, training and export come with the tuned arm."""
