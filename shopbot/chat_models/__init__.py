"""Chat models: the engines, and the one way in which the application talks to them (`ServedModel`).

    decoding       how a reply is decoded, translated per engine
    chat_messages  messages for chat templates, control tokens disarmed
    token_stream   text out of a generate call in a thread
    openvino       embedded engine, CPU (GGUF)
    transformers   embedded engine, any Hugging Face model
    convert        the packaged GGUF as a folder that transformers can load and train
    slots          so many generations at once, so many waiting
    health         is the model failing? then it is left alone for a while
    garbled        is a reply language?
    serving        all of these around a model: the model as the application sees it
    build          settings -> ServedModel

Light on purpose: the engines and their libraries are imported when a model is built.
"""

from shopbot.chat_models.build import build_served_model, warm_up
from shopbot.chat_models.decoding import Decoding
from shopbot.chat_models.garbled import looks_garbled
from shopbot.chat_models.health import ModelHealth
from shopbot.chat_models.serving import ServedModel, Timings, fingerprint
from shopbot.chat_models.slots import EngineSlots

__all__ = [
    "Decoding",
    "EngineSlots",
    "ModelHealth",
    "ServedModel",
    "Timings",
    "build_served_model",
    "fingerprint",
    "looks_garbled",
    "warm_up",
]
