"""An adapter for other servers: GGUF for llama.cpp and Ollama, merged safetensors for everything else."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from finetune.equality import LEAST_AGREEMENT, Prompt, token_agreement
from shopbot.adapters import Adapter
from shopbot.chat_models.merge import merged_gguf
from shopbot.chat_models.transformers import no_progress_bars
from shopbot.errors import ModelError

Progress = Callable[[str, int, int], None]
SAFETENSORS = "safetensors"
_MODELFILE = """FROM ./{gguf}
PARAMETER temperature 0
PARAMETER stop <|im_end|>
TEMPLATE \"\"\"{{{{- range .Messages }}}}<|im_start|>{{{{ .Role }}}}
{{{{ .Content }}}}<|im_end|>
{{{{ end }}}}<|im_start|>assistant
\"\"\"
"""


def export(
    adapter: Adapter, base_gguf: Path, base_folder: Path, target: Path, prompts: Sequence[Prompt], progress: Progress
) -> list[Path]:
    """Write the merged model in every form; return the paths. Each form is written aside and renamed when complete.

    `prompts` are answered by the merged and by the unmerged model. Raises ModelError if their greedy tokens agree by
    less than 99 %: then the merge is wrong, and nothing of it is left in `target`.
    """
    target.mkdir(parents=True, exist_ok=True)
    progress("exporting", 0, 4)
    gguf = merged_gguf(base_gguf, adapter.folder, target / f"{adapter.id}.Q8_0.gguf")
    progress("exporting", 1, 4)
    modelfile = target / "Modelfile"
    modelfile.write_text(_MODELFILE.format(gguf=gguf.name), encoding="utf-8")
    merged = _merged_folder(adapter, base_folder, target / SAFETENSORS)
    progress("exporting", 3, 4)
    agreement = token_agreement(base_folder, adapter.folder, merged, prompts)
    if agreement < LEAST_AGREEMENT:
        _take_back(gguf, modelfile, target)
        raise ModelError(f"{adapter.id}: only {agreement:.1%} of the merged model's tokens are the unmerged one's")
    progress("exporting", 4, 4)
    return [gguf, modelfile, merged]


def _take_back(gguf: Path, modelfile: Path, target: Path) -> None:
    """Remove what was written and nothing else: a folder that holds more is the user's."""
    for path in (gguf, modelfile):
        path.unlink(missing_ok=True)
    shutil.rmtree(target / SAFETENSORS, ignore_errors=True)
    with suppress(OSError):
        target.rmdir()


def _merged_folder(adapter: Adapter, base_folder: Path, target: Path) -> Path:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    aside = target.with_name(f"{target.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    with no_progress_bars():
        base = AutoModelForCausalLM.from_pretrained(base_folder, dtype=torch.float32)
        merged = PeftModel.from_pretrained(base, adapter.folder).merge_and_unload()
        merged.save_pretrained(aside)
        AutoTokenizer.from_pretrained(base_folder).save_pretrained(aside)
    shutil.rmtree(target, ignore_errors=True)
    aside.rename(target)
    return target
