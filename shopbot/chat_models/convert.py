"""The packaged GGUF as a folder of safetensors: what transformers loads and the adapter is trained on."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shopbot.model_files import BASE_MODEL, PackagedFile, locate

BASE_MODEL_NAME = "smollm2-135m-instruct"
Progress = Callable[[str], None]


def silent(message: str) -> None:
    """Report nothing."""


def dequantised_folder(cache: Path, progress: Progress = silent, source: PackagedFile = BASE_MODEL) -> Path:
    """Return the folder with the packaged model's dequantised weights (float32) and its tokenizer.

    Converted once a cache, in about 20 s and 540 MB; float32 because it is exact, and what loads it
    rounds as it likes. Written aside and renamed when complete, under a lock that ends with its process,
    so that a killed conversion is never taken for a model. Raises ModelError if the package is missing.
    """
    from filelock import FileLock

    folder = cache / f"{BASE_MODEL_NAME}-{source.sha256[:12]}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    aside = cache / f"{folder.name}.partial"
    with FileLock(cache / f"{folder.name}.lock"):
        if not folder.is_dir():
            shutil.rmtree(aside, ignore_errors=True)  # of a conversion that was killed
            _convert(locate(source), aside, progress)
            aside.rename(folder)
    return folder


def _convert(gguf: Path, folder: Path, progress: Progress) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from shopbot.chat_models.transformers import no_progress_bars

    progress(f"Dequantising {gguf.name} (once; about 20 s)")
    with no_progress_bars():
        quantised = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        progress(f"Writing {folder}")
        _without_quantisation(quantised).save_pretrained(folder)
        _with_single_digits(tokenizer).save_pretrained(folder)


def _without_quantisation(model: Any) -> Any:
    """Return the same weights in a model that can be saved.

    `save_pretrained` refuses the loaded one ("quantized with gguf and is not serializable") although its
    weights are plain floats.
    """
    import transformers

    auto: Any = transformers.AutoModelForCausalLM  # not typed
    config = model.config.to_dict()
    del config["quantization_config"]
    plain = auto.from_config(type(model.config).from_dict(config))
    plain.load_state_dict(model.state_dict())
    plain.generation_config = model.generation_config
    return plain


def _with_single_digits(tokenizer: Any) -> Any:
    """Split digits one by one, as SmolLM2's own tokenizer does.

    transformers ignores the GGUF's `tokenizer.ggml.pre = smollm`; OpenVINO heeds it. Their ids differ on
    non-ASCII digits only, but what is trained and what is served should read the same.
    """
    from tokenizers import pre_tokenizers

    backend = tokenizer.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return tokenizer
