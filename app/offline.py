"""Nothing may reach for a network at run time, whatever the libraries would like to report or download."""

import os

_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    "TOKENIZERS_PARALLELISM": "false",
    "LANGGRAPH_STRICT_MSGPACK": "true",
    "OPENVINO_TELEMETRY_DISABLED": "1",
}


def no_network() -> None:
    """Say so in the environment, before the libraries are imported; what is set there already stands."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
