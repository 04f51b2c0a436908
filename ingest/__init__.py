"""From a catalog feed to a published catalog version: read, plan, embed, build aside, verify, publish."""
