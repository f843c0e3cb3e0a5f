"""Writes tiny random checkpoints as transformers saves them, with the logits that it computes from them.

    python3 Tests/Parity/checkpoints/write_checkpoints.py [NAME ...]

needs torch and transformers (5.24 wrote the committed ones). Every folder of Tests/RondoCheckpointsTests/Vectors gets
config.json, model.safetensors and expected.safetensors: token ids [2, T] and logits [2, T, V]. The whole pass runs
without a cache, in float64 where the model allows it (parts that transformers fixes at float32 stay there).
"""
import contextlib
import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file
from transformers.models.xlstm.modeling_xlstm import xLSTMPreTrainedModel

FOLDER = pathlib.Path(__file__).parents[2] / "RondoCheckpointsTests" / "Vectors"
VOCABULARY = 40
LENGTH = 21

transformers.logging.set_verbosity_error()
# It fails on fused weights (5.24), and every parameter is drawn anew anyway.
xLSTMPreTrainedModel._init_weights = lambda *_: None


def mamba(**changes):
    return transformers.MambaConfig(**dict(
        vocab_size=VOCABULARY, hidden_size=16, state_size=4, num_hidden_layers=2, time_step_rank=3) | changes)


def falcon_mamba(**changes):
    return transformers.FalconMambaConfig(**dict(
        vocab_size=VOCABULARY, hidden_size=16, state_size=4, num_hidden_layers=2) | changes)


def mamba2(**changes):
    return transformers.Mamba2Config(**dict(
        vocab_size=VOCABULARY, hidden_size=16, num_heads=4, head_dim=8, state_size=6, n_groups=2, num_hidden_layers=2,
        chunk_size=8) | changes)


def xlstm(**changes):
    return transformers.xLSTMConfig(**dict(
        vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=2, num_heads=2, chunk_size=8, ffn_proj_factor=1.3,
        ffn_round_up_to_multiple_of=8) | changes)


def recurrent_gemma(**changes):
    return transformers.RecurrentGemmaConfig(**dict(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=1, attention_window_size=5) | changes)


def rwkv(**changes):
    return transformers.RwkvConfig(**dict(
        vocab_size=VOCABULARY, hidden_size=12, num_hidden_layers=2, context_length=LENGTH) | changes)


CHECKPOINTS = {
    "mamba": lambda: mamba(),
    "mamba-bias": lambda: mamba(
        use_bias=True, use_conv_bias=False, tie_word_embeddings=False, layer_norm_epsilon=1e-3, conv_kernel=3),
    "falcon_mamba": lambda: falcon_mamba(mixer_rms_eps=1e-4),
    "mamba2": lambda: mamba2(),
    "mamba2-limits": lambda: mamba2(
        n_groups=1, use_bias=True, use_conv_bias=False, tie_word_embeddings=True, time_step_limit=(0.01, 0.5)),
    "xlstm": lambda: xlstm(),
    # An odd width of queries that a factor gives only by truncation; gates and logits far into their limits.
    "xlstm-fused": lambda: xlstm(
        weight_mode="fused", hidden_size=12, num_heads=3, qk_dim_factor=0.8, v_dim_factor=1.5, gate_soft_cap=1.5,
        output_logit_soft_cap=2.0, norm_eps=1e-3, eps=1e-2, add_out_norm=False, chunk_size=5,
        tie_word_embeddings=True),
    "recurrent_gemma": lambda: recurrent_gemma(),
    "recurrent_gemma-bias": lambda: recurrent_gemma(
        block_types=["attention", "recurrent"], lru_width=24, num_attention_heads=2, num_key_value_heads=2,
        conv1d_width=3, attention_bias=True, head_dim=6, logits_soft_cap=2.0, rms_norm_eps=1e-3, tie_word_embeddings=False,
        attention_window_size=64, rope_parameters={
            "rope_type": "default", "rope_theta": 100.0, "partial_rotary_factor": 0.75}),
    "rwkv": lambda: rwkv(),
    "rwkv-sizes": lambda: rwkv(
        num_hidden_layers=3, hidden_size=8, attention_hidden_size=10, intermediate_size=20, rescale_every=0,
        tie_word_embeddings=True),
}

# Models whose code converts to float32 somewhere: made to convert to float64 instead.
CONVERTING = {"rwkv"}


@contextlib.contextmanager
def conversions_to_float64():
    narrow, conversion = torch.float32, torch.Tensor.float
    torch.float32, torch.Tensor.float = torch.float64, torch.Tensor.double
    try:
        yield
    finally:
        torch.float32, torch.Tensor.float = narrow, conversion


def randomize(model):
    """Moves every parameter away from special values such as 0 and 1."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("A_log"):
                parameter.add_(0.1 * torch.randn_like(parameter))
            elif parameter.ndim == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
            else:
                parameter.normal_(0, 0.6 / parameter.shape[-1] ** 0.5 if "embed" not in name else 1)


def write(name, config):
    torch.manual_seed(sum(name.encode()))
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    randomize(model)
    folder = FOLDER / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    ids = torch.randint(0, VOCABULARY, (2, LENGTH))
    converting = config.model_type in CONVERTING
    with torch.no_grad(), conversions_to_float64() if converting else contextlib.nullcontext():
        try:
            logits = model.double()(ids, use_cache=False).logits
        except RuntimeError:
            logits = model.float()(ids, use_cache=False).logits
    save_file({"ids": ids.int(), "logits": logits.double().contiguous()}, folder / "expected.safetensors")
    print(name, sum(p.numel() for p in model.parameters()), "parameters,", "logits", logits.dtype)


if __name__ == "__main__":
    for name in sys.argv[1:] or CHECKPOINTS:
        write(name, CHECKPOINTS[name]())
