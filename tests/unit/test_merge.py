"""A LoRA adapter inside a GGUF: base + alpha / r * B @ A everywhere, up to the rounding of Q8_0, or a refusal."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter, dequantize, quantize
from safetensors.torch import save_file

from shopbot.chat_models.merge import merged_gguf, read_adapter
from shopbot.errors import ModelError

Matrix = npt.NDArray[np.float32]

HEADS, KV_HEADS, HEAD_SIZE, WIDTH, INNER, WORDS, LAYERS, RANK = 4, 2, 16, 64, 96, 40, 2, 2
SHAPES = {
    "attn_q": (HEADS * HEAD_SIZE, WIDTH),
    "attn_k": (KV_HEADS * HEAD_SIZE, WIDTH),
    "attn_v": (KV_HEADS * HEAD_SIZE, WIDTH),
    "attn_output": (WIDTH, HEADS * HEAD_SIZE),
    "ffn_gate": (INNER, WIDTH),
    "ffn_up": (INNER, WIDTH),
    "ffn_down": (WIDTH, INNER),
}
MODULES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
METADATA: dict[str, Any] = {
    "general.name": "Tiny",
    "llama.block_count": LAYERS,
    "llama.attention.head_count": HEADS,
    "llama.attention.head_count_kv": KV_HEADS,
    "llama.rope.freq_base": 10_000.0,
    "tokenizer.ggml.add_bos_token": False,
    "tokenizer.ggml.tokens": ["<|im_start|>", "größe", ""],
    "tokenizer.ggml.token_type": [3, 1, 1],
    "tokenizer.ggml.scores": [0.5, -1.0, 0.0],
    "tokenizer.chat_template": "{% for message in messages %}\n{% endfor %}",
}


def random(*shape: int, seed: int = 0) -> Matrix:
    return np.random.default_rng(seed).normal(scale=0.1, size=shape).astype(np.float32)


def tensors() -> dict[str, Matrix]:
    """The base's weights by their names in a GGUF; rows first."""
    found = {"token_embd.weight": random(WORDS, WIDTH, seed=99), "output_norm.weight": random(WIDTH, seed=98)}
    for layer in range(LAYERS):
        for place, (name, shape) in enumerate(SHAPES.items()):
            found[f"blk.{layer}.{name}.weight"] = random(*shape, seed=10 * layer + place)
    return found


def write_base(
    path: Path, kind: GGMLQuantizationType = GGMLQuantizationType.F32, metadata: Mapping[str, Any] = METADATA
) -> Path:
    writer = GGUFWriter(path, "llama")
    writer.add_file_type(0)
    for key, value in metadata.items():
        match value:
            case bool():
                writer.add_bool(key, value)
            case int():
                writer.add_uint32(key, value)
            case float():
                writer.add_float32(key, value)
            case str():
                writer.add_string(key, value)
            case _:
                writer.add_array(key, value)
    for name, weights in tensors().items():
        if weights.ndim == 2 and kind != GGMLQuantizationType.F32:
            writer.add_tensor(name, quantize(weights, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def lora(*names: str) -> dict[str, Matrix]:
    """The two matrices of each tensor, by the keys that peft gives them: A is (rank, in), B is (out, rank)."""
    found = {}
    for name in names:
        layer, place = int(name.split(".")[1]), name.split(".")[2]
        rows, columns = SHAPES[place]
        key = f"base_model.model.model.layers.{layer}.{MODULES[place]}"
        found[f"{key}.lora_A.weight"] = random(RANK, columns, seed=100 + layer)
        found[f"{key}.lora_B.weight"] = random(rows, RANK, seed=200 + layer)
    return found


def write_adapter(folder: Path, matrices: Mapping[str, Matrix], **config: Any) -> Path:
    folder.mkdir()
    values = {"peft_type": "LORA", "r": RANK, "lora_alpha": 6, **config}
    (folder / "adapter_config.json").write_text(json.dumps(values), encoding="utf-8")
    save_file({key: torch.from_numpy(value) for key, value in matrices.items()}, folder / "adapter_model.safetensors")
    return folder


def read(path: Path) -> dict[str, Matrix]:
    return {
        tensor.name: dequantize(tensor.data, tensor.tensor_type).reshape([int(n) for n in reversed(tensor.shape)])
        for tensor in GGUFReader(path).tensors
    }


def q8_error(weights: Matrix) -> Matrix:
    """The most that Q8_0 may be off: half a step of 1/127 of the largest in 32 of a row, its scale being a float16."""
    blocks = np.abs(weights.reshape(len(weights), -1, 32))
    largest = blocks.max(axis=2, keepdims=True)
    return np.broadcast_to(largest * (0.5 / 127 + 2**-10), blocks.shape).reshape(weights.shape)


def differs(expected: Mapping[str, Matrix], found: Mapping[str, Matrix]) -> list[str]:
    """Names of the tensors that are not the same up to Q8_0, or, where they have one dimension, not exactly."""
    assert set(expected) == set(found)
    return [
        name
        for name, weights in expected.items()
        if not (np.abs(found[name] - weights) <= (q8_error(weights) if weights.ndim == 2 else 0)).all()
    ]


def interleaved(weights: Matrix, heads: int) -> Matrix:
    """Rotary pairs side by side: of each head, row 2 i is row i of its first half, 2 i + 1 that of its second."""
    half = len(weights) // heads // 2
    rows = []
    for head in range(heads):
        first = head * 2 * half
        for i in range(half):
            rows += [weights[first + i], weights[first + half + i]]
    return np.stack(rows)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_base(tmp_path / "base.gguf")


# ---------------------------------------------------------------- the weights


def test_without_an_adapter_the_base_is_written_in_q8_0(base: Path, tmp_path: Path) -> None:
    target = merged_gguf(base, None, tmp_path / "merged.Q8_0.gguf")
    assert target == tmp_path / "merged.Q8_0.gguf"
    assert differs(tensors(), read(target)) == []
    kinds = {tensor.name: tensor.tensor_type for tensor in GGUFReader(target).tensors}
    assert kinds == {
        name: GGMLQuantizationType.Q8_0 if weights.ndim == 2 else GGMLQuantizationType.F32
        for name, weights in tensors().items()
    }


@pytest.mark.parametrize("place", ["attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"])
def test_a_merged_tensor_is_base_plus_scale_times_b_times_a(base: Path, tmp_path: Path, place: str) -> None:
    name = f"blk.1.{place}.weight"
    matrices = lora(name)
    a, b = matrices.values()
    found = read(merged_gguf(base, write_adapter(tmp_path / "a", matrices), tmp_path / "m.gguf"))
    assert differs({**tensors(), name: tensors()[name] + 3.0 * (b @ a)}, found) == []  # 6 / 2
    assert differs(tensors(), found) == [name]


@pytest.mark.parametrize(("place", "heads"), [("attn_q", HEADS), ("attn_k", KV_HEADS)])
def test_what_is_added_to_q_and_k_has_its_rotary_pairs_side_by_side(
    base: Path, tmp_path: Path, place: str, heads: int
) -> None:
    name = f"blk.0.{place}.weight"
    matrices = lora(name)
    a, b = matrices.values()
    found = read(merged_gguf(base, write_adapter(tmp_path / "a", matrices), tmp_path / "m.gguf"))
    delta = interleaved(3.0 * (b @ a), heads)
    assert differs({**tensors(), name: tensors()[name] + delta}, found) == []
    assert differs({**tensors(), name: tensors()[name] + 3.0 * (b @ a)}, found) == [name]


def test_an_adapter_of_all_layers_reaches_every_linear_layer(base: Path, tmp_path: Path) -> None:
    names = [f"blk.{layer}.{place}.weight" for layer in range(LAYERS) for place in SHAPES]
    found = read(merged_gguf(base, write_adapter(tmp_path / "a", lora(*names)), tmp_path / "m.gguf"))
    assert sorted(names) == sorted(differs(tensors(), found))


def test_the_scale_is_alpha_over_r(base: Path, tmp_path: Path) -> None:
    name = "blk.0.ffn_up.weight"
    matrices = lora(name)
    a, b = matrices.values()
    for alpha in (1, 32):
        adapter = write_adapter(tmp_path / str(alpha), matrices, lora_alpha=alpha)
        found = read(merged_gguf(base, adapter, tmp_path / "m.gguf"))
        assert differs({**tensors(), name: tensors()[name] + alpha / RANK * (b @ a)}, found) == []


@pytest.mark.parametrize("kind", [GGMLQuantizationType.Q4_1, GGMLQuantizationType.Q8_0, GGMLQuantizationType.F16])
def test_a_quantised_base_is_read_as_what_its_numbers_stand_for(tmp_path: Path, kind: GGMLQuantizationType) -> None:
    path = write_base(tmp_path / "base.gguf", kind)
    stands_for = read(path)
    name = "blk.1.ffn_down.weight"
    matrices = lora(name)
    a, b = matrices.values()
    found = read(merged_gguf(path, write_adapter(tmp_path / "a", matrices), tmp_path / "m.gguf"))
    assert differs({**stands_for, name: stands_for[name] + 3.0 * (b @ a)}, found) == []


def test_an_adapter_saved_in_half_precision_is_merged_in_single(base: Path, tmp_path: Path) -> None:
    name = "blk.0.attn_v.weight"
    halves = {key: torch.from_numpy(value).bfloat16() for key, value in lora(name).items()}
    adapter = write_adapter(tmp_path / "a", {})
    save_file(halves, adapter / "adapter_model.safetensors")
    a, b = (value.float().numpy() for value in halves.values())
    found = read(merged_gguf(base, adapter, tmp_path / "m.gguf"))
    assert differs({**tensors(), name: tensors()[name] + 3.0 * (b @ a)}, found) == []


def test_merging_twice_gives_the_same_bytes(base: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "a", lora("blk.0.attn_q.weight"))
    first, second = (merged_gguf(base, adapter, tmp_path / name).read_bytes() for name in ("1.gguf", "2.gguf"))
    assert first == second


# ---------------------------------------------------------------- the rest of the file


def test_the_metadata_is_the_bases_and_the_quantisation_that_of_the_new_file(base: Path, tmp_path: Path) -> None:
    before, after = (GGUFReader(path) for path in (base, merged_gguf(base, None, tmp_path / "m.gguf")))
    contents = {name: field.contents() for name, field in after.fields.items() if not name.startswith("GGUF.")}
    expected = {
        **METADATA, "general.architecture": "llama", "general.file_type": 7, "general.quantization_version": 2
    }  # fmt: skip
    assert expected == contents
    kinds = {name: field.types for name, field in before.fields.items() if name in METADATA}
    assert kinds == {name: after.fields[name].types for name in kinds}


def test_a_merge_tells_what_it_does_and_leaves_nothing_beside_its_file(base: Path, tmp_path: Path) -> None:
    said: list[str] = []
    folder = tmp_path / "out"
    folder.mkdir()
    merged_gguf(base, write_adapter(tmp_path / "mine", lora("blk.0.ffn_up.weight")), folder / "m.gguf", said.append)
    assert [path.name for path in folder.iterdir()] == ["m.gguf"]
    assert said == ["Merging mine into base.gguf (once; about 10 s)"]


# ---------------------------------------------------------------- refusals


def refusal(base: Path, adapter: Path) -> str:
    """What the error says; nothing may stand where the merged file was to be."""
    target = base.parent / "merged.gguf"
    with pytest.raises(ModelError) as caught:
        merged_gguf(base, adapter, target)
    assert not target.exists()
    return str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        "base_model.model.lm_head.lora_A.weight",
        "base_model.model.model.embed_tokens.lora_embedding_A",
        "base_model.model.model.layers.0.mlp.up_proj.lora_magnitude_vector",
        "base_model.model.model.layers.0.mlp.up_proj.lora_A.default.weight",
    ],
)
def test_a_tensor_that_has_no_place_is_refused_by_its_name(base: Path, tmp_path: Path, key: str) -> None:
    adapter = write_adapter(tmp_path / "a", {**lora("blk.0.ffn_up.weight"), key: random(2, 2)})
    assert key in refusal(base, adapter)


def test_a_module_that_the_architecture_has_not_is_refused(base: Path, tmp_path: Path) -> None:
    key = "base_model.model.model.layers.1.mlp.router"
    matrices = {f"{key}.lora_A.weight": random(RANK, WIDTH), f"{key}.lora_B.weight": random(4, RANK)}
    assert "layer 1, mlp.router" in refusal(base, write_adapter(tmp_path / "a", matrices))


def test_a_layer_that_the_base_has_not_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "a", lora("blk.7.ffn_up.weight"))
    assert "has no blk.7.ffn_up.weight" in refusal(base, adapter)


@pytest.mark.parametrize("half", ["lora_A", "lora_B"])
def test_half_a_pair_is_refused(base: Path, tmp_path: Path, half: str) -> None:
    matrices = {key: value for key, value in lora("blk.0.ffn_up.weight").items() if half in key}
    assert "layer 0, mlp.up_proj" in refusal(base, write_adapter(tmp_path / "a", matrices))


@pytest.mark.parametrize(("place", "rows", "columns"), [("ffn_up", WIDTH, WIDTH), ("ffn_down", WIDTH, WIDTH)])
def test_a_delta_of_another_shape_is_refused_with_both_shapes(
    base: Path, tmp_path: Path, place: str, rows: int, columns: int
) -> None:
    key = f"base_model.model.model.layers.0.{MODULES[place]}"
    matrices = {f"{key}.lora_A.weight": random(RANK, columns), f"{key}.lora_B.weight": random(rows, RANK)}
    said = refusal(base, write_adapter(tmp_path / "a", matrices))
    assert f"blk.0.{place}.weight is {(rows, columns)}, the base has {SHAPES[place]}" in said


def test_a_delta_of_one_row_is_not_spread_over_all(base: Path, tmp_path: Path) -> None:
    """numpy would: (1, 64) fits to (96, 64)."""
    key = "base_model.model.model.layers.0.mlp.up_proj"
    matrices = {f"{key}.lora_A.weight": random(RANK, WIDTH), f"{key}.lora_B.weight": random(1, RANK)}
    assert "blk.0.ffn_up.weight is (1, 64)" in refusal(base, write_adapter(tmp_path / "a", matrices))


@pytest.mark.parametrize("kind", ["LOHA", "IA3", None])
def test_an_adapter_of_another_kind_is_refused(base: Path, tmp_path: Path, kind: str | None) -> None:
    adapter = write_adapter(tmp_path / "a", lora("blk.0.ffn_up.weight"), peft_type=kind)
    assert "adapter_config.json describes no LORA adapter" in refusal(base, adapter)


def test_a_configuration_without_its_rank_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = write_adapter(tmp_path / "a", lora("blk.0.ffn_up.weight"))
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA"}', encoding="utf-8")
    assert "with its r and lora_alpha" in refusal(base, adapter)


@pytest.mark.parametrize(
    "option", [{"use_rslora": True}, {"use_dora": True}, {"alpha_pattern": {"up_proj": 64}}, {"rank_pattern": {"x": 4}}]
)
def test_a_scaling_that_the_merge_does_not_know_is_refused_by_its_name(
    base: Path, tmp_path: Path, option: dict[str, Any]
) -> None:
    adapter = write_adapter(tmp_path / "a", lora("blk.0.ffn_up.weight"), **option)
    assert f"{next(iter(option))} changes what the weights mean" in refusal(base, adapter)


@pytest.mark.parametrize(
    ("rows", "rank", "said"),
    [(30, RANK, "has 30 rows for 4 heads"), (64, RANK + 1, "A and B do not fit each other at layer 0")],
)
def test_matrices_that_do_not_fit_are_refused(base: Path, tmp_path: Path, rows: int, rank: int, said: str) -> None:
    """Each other, or the heads of the base."""
    key = "base_model.model.model.layers.0.self_attn.q_proj"
    matrices = {f"{key}.lora_A.weight": random(RANK, WIDTH), f"{key}.lora_B.weight": random(rows, rank)}
    assert said in refusal(base, write_adapter(tmp_path / "a", matrices))


@pytest.mark.parametrize("missing", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_without_one_of_its_files_is_refused(base: Path, tmp_path: Path, missing: str) -> None:
    adapter = write_adapter(tmp_path / "a", lora("blk.0.ffn_up.weight"))
    (adapter / missing).unlink()
    assert str(adapter) in refusal(base, adapter)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_cut_short_is_refused(base: Path, tmp_path: Path, name: str) -> None:
    adapter = write_adapter(tmp_path / "a", lora("blk.0.ffn_up.weight"))
    (adapter / name).write_bytes((adapter / name).read_bytes()[:-5])
    assert str(adapter) in refusal(base, adapter)


def test_a_base_that_does_not_say_its_heads_is_refused(tmp_path: Path) -> None:
    metadata = {key: value for key, value in METADATA.items() if key != "llama.attention.head_count_kv"}
    path = write_base(tmp_path / "base.gguf", metadata=metadata)
    adapter = write_adapter(tmp_path / "a", lora("blk.0.attn_q.weight"))
    assert "does not say its llama.attention.head_count_kv" in refusal(path, adapter)


def test_an_adapter_is_read_in_single_precision_with_its_configuration(tmp_path: Path) -> None:
    matrices = lora("blk.0.ffn_up.weight")
    config, found = read_adapter(write_adapter(tmp_path / "a", matrices))
    assert config == {"peft_type": "LORA", "r": RANK, "lora_alpha": 6}
    assert {key: (value.dtype, value.tolist()) for key, value in matrices.items()} == {
        key: (value.dtype, value.tolist()) for key, value in found.items()
    }
