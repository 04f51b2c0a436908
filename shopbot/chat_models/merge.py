"""A base model in GGUF, and a LoRA adapter, as one GGUF that the embedded engine loads.

OpenVINO silently ignores an adapter's tensors that it cannot bind to a GGUF, and another runtime scaling would make the
arms differ by more than the tuning. So the adapter is added to the dequantised weights, and both arms, the base without
an adapter too, are written by the same code in the same quantisation (Q8_0). It takes about 10 s for 135M parameters.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shopbot.chat_models.convert import Progress, silent
from shopbot.errors import ModelError

Matrix = npt.NDArray[np.float32]

# Where a module of the llama architecture stands in a GGUF.
_PLACES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}  # fmt: skip
_LORA_KEY = re.compile(r"^base_model\.model\.model\.layers\.(\d+)\.(.+)\.lora_([AB])\.weight$")
_OTHER_KINDS = ("use_rslora", "use_dora", "alpha_pattern", "rank_pattern", "fan_in_fan_out")
_OVERRIDDEN = ("general.architecture", "general.file_type", "general.quantization_version")


def merged_gguf(base: Path, adapter: Path | None, target: Path, progress: Progress = silent) -> Path:
    """Write `base` with the adapter's folder merged into it to `target`; written aside and renamed when complete.

    Raises ModelError for an adapter that is incomplete or does not fit the base: every one of its tensors has to find
    its place, in the right shape.
    """
    from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, LlamaFileType, dequantize, quantize

    try:
        reader = GGUFReader(base)
    except (ValueError, IndexError, KeyError, OSError) as error:
        raise ModelError(f"{base} is not a whole GGUF file: {error}") from error
    progress(f"Merging {adapter.name if adapter else 'nothing'} into {base.name} (once; about 10 s)")
    deltas = _deltas(adapter, reader) if adapter else {}
    aside = target.with_suffix(".partial")
    writer = GGUFWriter(aside, _value(reader, "general.architecture"))
    _copy_metadata(reader, writer)
    writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(2)
    for tensor in reader.tensors:
        shape = tuple(int(size) for size in reversed(tensor.shape))
        weights = dequantize(tensor.data, tensor.tensor_type).reshape(shape).astype(np.float32)
        if (delta := deltas.pop(tensor.name, None)) is not None:
            if delta.shape != weights.shape:
                raise ModelError(f"adapter {adapter}: {tensor.name} is {delta.shape}, the base has {weights.shape}")
            weights = weights + delta
        if len(shape) == 2:
            kind = GGMLQuantizationType.Q8_0
            writer.add_tensor(tensor.name, quantize(weights, kind), raw_dtype=kind)
        else:
            writer.add_tensor(tensor.name, weights)
    if deltas:
        raise ModelError(f"adapter {adapter}: the base has no {min(deltas)}")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    aside.rename(target)
    return target


def _deltas(adapter: Path, reader: Any) -> dict[str, Matrix]:
    """What the adapter adds to each of the base's tensors, by the tensor's name: scale * B @ A."""
    config, tensors = read_adapter(adapter)
    scale = config["lora_alpha"] / config["r"]
    architecture = _value(reader, "general.architecture")
    heads = {
        "attn_q": _value(reader, f"{architecture}.attention.head_count"),
        "attn_k": _value(reader, f"{architecture}.attention.head_count_kv"),
    }
    found: dict[str, Matrix] = {}
    for key, matrices in _pairs(tensors).items():
        layer, module = key
        if module not in _PLACES or set(matrices) != {"A", "B"}:
            raise ModelError(f"adapter {adapter}: cannot be merged at layer {layer}, {module}")
        place = _PLACES[module]
        if matrices["A"].shape[0] != matrices["B"].shape[1]:
            raise ModelError(f"adapter {adapter}: A and B do not fit each other at layer {layer}, {module}")
        delta = scale * (matrices["B"] @ matrices["A"])
        if place in heads and delta.shape[0] % (2 * int(heads[place])):
            raise ModelError(f"adapter {adapter}: {module} has {delta.shape[0]} rows for {heads[place]} heads")
        if place in heads:
            delta = _interleaved(delta, int(heads[place]))
        found[f"blk.{layer}.{place}.weight"] = delta
    return found


def read_adapter(adapter: Path) -> tuple[dict[str, Any], Mapping[str, Matrix]]:
    """Return an adapter's configuration, and its tensors in float32. Raises ModelError if it is no whole LoRA."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
        tensors = load_file(adapter / "adapter_model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"adapter {adapter}: {error}") from error
    if not isinstance(config, dict) or config.get("peft_type") != "LORA" or not {"r", "lora_alpha"} <= set(config):
        raise ModelError(f"adapter {adapter}: adapter_config.json describes no LORA adapter with its r and lora_alpha")
    if unknown := [name for name in _OTHER_KINDS if config.get(name)]:
        raise ModelError(f"adapter {adapter}: {unknown[0]} changes what the weights mean, and is not merged here")
    return config, {name: tensor.float().numpy() for name, tensor in tensors.items()}


def _pairs(tensors: Mapping[str, Matrix]) -> dict[tuple[int, str], dict[str, Matrix]]:
    pairs: dict[tuple[int, str], dict[str, Matrix]] = {}
    for name, tensor in tensors.items():
        match = _LORA_KEY.match(name)
        if match is None:
            raise ModelError(f"adapter: no place for its tensor {name}")
        pairs.setdefault((int(match[1]), match[2]), {})[match[3]] = tensor
    return pairs


def _interleaved(weights: Matrix, heads: int) -> Matrix:
    """Order the rows of q and k as GGUF files of the llama architecture have them: rotary pairs side by side."""
    rows, columns = weights.shape
    return weights.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _value(reader: Any, key: str) -> Any:
    field = reader.get_field(key)
    if field is None:
        raise ModelError(f"the base GGUF does not say its {key}")
    return field.contents()


def _copy_metadata(reader: Any, writer: Any) -> None:
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in _OVERRIDDEN:
            continue
        kind, *inner = field.types
        writer.add_key_value(name, field.contents(), kind, inner[-1] if inner else None)
