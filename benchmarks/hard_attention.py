"""The hard-attention layer beside nwt-pytorch's Memcodes, on one GPU, in one run.

    pip install torch einops nwt-pytorch==0.0.4
    python benchmarks/hard_attention.py

Both get the same weights and the same queries, 480 frames of 224, 1,024 wide, 8 heads of 8 codes.
nwt-pytorch has no query projection (ours gets the identity, and still computes it), no biases, and
projects each head by itself (ours gets block-diagonal kernels). First the arg max outputs are
compared, then forward and backward are timed. The last line is JSON. Each library runs in its own
process, since either would take the GPU's memory from the other.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HEADS, CODES, DIM = 8, 8, 1024
CHECKED = 4  # frames whose outputs are compared
# As in nwt_tf.bin.benchmarks.timing, which would bring TensorFlow along.
REPEATS, IN_FLIGHT = 20, 10


def weights():
    """codes [heads, codes, d], keys' and values' kernels [heads, d, d], queries [B, 224, D]."""
    rng = np.random.default_rng(0)
    depth = DIM // HEADS
    codes = rng.normal(size=(HEADS, CODES, depth))
    keys, values = rng.normal(size=(2, HEADS, depth, depth), scale=depth**-0.5)
    queries = rng.normal(size=(CHECKED, 224, DIM))
    return [np.float32(array) for array in (codes, keys, values, queries)]


def torch_side(batch):
    """({name: ms}, values, codes) of nwt-pytorch."""
    import torch
    from nwt_pytorch import Memcodes

    torch.backends.cuda.matmul.allow_tf32 = True  # as TensorFlow does
    device = "cuda" if torch.cuda.is_available() else "cpu"
    codes, keys, values, queries = weights()
    layer = Memcodes(dim=DIM, num_codes=CODES, heads=HEADS).to(device)
    with torch.no_grad():
        layer.codes.copy_(torch.tensor(codes))
        layer.to_k.weight.copy_(torch.tensor(keys).reshape(layer.to_k.weight.shape))
        layer.to_v.weight.copy_(torch.tensor(values).reshape(layer.to_v.weight.shape))
    layer.eval()
    torch.backends.cuda.matmul.allow_tf32 = False
    out, indices = layer(torch.tensor(queries, device=device))
    torch.backends.cuda.matmul.allow_tf32 = True
    found = out.detach().float().cpu().numpy(), indices.cpu().numpy()  # indices [B, heads, n]
    layer.train()
    times = {}
    dtypes = ("float32", "bfloat16") if device == "cuda" else ("float32",)
    for dtype in dtypes:
        layer = layer.to(getattr(torch, dtype))
        inputs = torch.randn(
            batch, 224, DIM, device=device, dtype=getattr(torch, dtype), requires_grad=True
        )
        upstream = torch.randn_like(inputs)
        for name, run in ((dtype, layer), (f"{dtype}_compiled", torch.compile(layer))):

            def work(run=run, layer=layer, inputs=inputs, upstream=upstream):
                inputs.grad = None
                layer.zero_grad(set_to_none=True)
                run(inputs)[0].backward(upstream)

            try:
                times[name] = median_ms(work, torch.cuda.synchronize if device == "cuda" else None)
            except RuntimeError as error:  # PyTorch 2.11 compiles no bfloat16 backward of it.
                print(f"nwt-pytorch, {name}: {str(error).splitlines()[0]}", file=sys.stderr)
                times[name] = None
    return times, *found


def tensorflow_side(batch):
    """({name: ms}, values, codes) of nwt_tf."""
    import tensorflow as tf

    from nwt_tf.bin.benchmarks.timing import attention
    from nwt_tf.layers.hard_attention import MultiHeadHardAttention

    codes, keys, values, queries = weights()
    layer = MultiHeadHardAttention(HEADS, CODES, DIM)
    layer.build((None, None, DIM))
    layer.codebook.assign(codes.transpose(1, 0, 2).reshape(CODES, DIM))
    kernels = (np.eye(DIM), block_diagonal(keys), block_diagonal(values))
    projections = (layer.query_projection, layer.key_projection, layer.value_projection)
    for projection, kernel in zip(projections, kernels, strict=True):
        projection.kernel.assign(kernel)
        projection.bias.assign(tf.zeros(DIM))
    tf.config.experimental.enable_tensor_float_32_execution(False)
    out = layer(tf.constant(queries))
    tf.config.experimental.enable_tensor_float_32_execution(True)
    times = attention(batch, 224, HEADS, CODES, DIM)
    return times, out.values.numpy(), out.codes.numpy().transpose(0, 2, 1)


def block_diagonal(kernels):
    """[heads, d, d] -> [D, D]."""
    heads, depth, _ = kernels.shape
    blocks = np.zeros((heads, depth, heads, depth), np.float32)
    blocks[np.arange(heads), :, np.arange(heads)] = kernels
    return blocks.reshape(heads * depth, heads * depth)


def median_ms(work, wait):
    """As nwt_tf.bin.benchmarks.timing.milliseconds; `wait` is None on the CPU."""
    import time

    calls = IN_FLIGHT if wait else 1
    times = []
    for _ in range(REPEATS + 3):
        started = time.perf_counter()
        for _ in range(calls):
            work()
        if wait:
            wait()
        times.append((time.perf_counter() - started) / calls)
    return 1e3 * float(np.median(times[3:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=480, help="frames of 224 queries")
    parser.add_argument("--side", choices=["torch", "tensorflow"], help="one library, to --out")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.side:
        side = torch_side if arguments.side == "torch" else tensorflow_side
        times, values, codes = side(arguments.batch)
        np.savez(arguments.out, times=json.dumps(times), values=values, codes=codes)
        return
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for side in ("torch", "tensorflow"):
            out = Path(folder) / f"{side}.npz"
            command = [sys.executable, __file__, f"--batch={arguments.batch}", f"--side={side}"]
            subprocess.run([*command, f"--out={out}"], check=True)
            found[side] = dict(np.load(out))
    theirs, ours = found["torch"], found["tensorflow"]
    equal = theirs["codes"] == ours["codes"]  # [B, heads, n]; rounding may decide a tie
    heads = [side["values"].reshape(CHECKED, 224, HEADS, -1) for side in (theirs, ours)]
    difference = np.abs(heads[0] - heads[1])[equal.transpose(0, 2, 1)].max()
    same = float(equal.mean())
    print(f"outputs on copied weights: {same:.4%} of codes equal, values within {difference:.2g}")
    if same < 0.999 or difference > 1e-4:
        sys.exit("the outputs differ: the times do not compare")
    times = {side: json.loads(str(found[side]["times"])) for side in found}
    for name in times["torch"]:
        pair = times["torch"][name], times["tensorflow"][name]
        if pair[0] is None:
            print(f"{name:<20} nwt-pytorch   failed     nwt_tf {pair[1]:8.2f} ms")
            continue
        print(f"{name:<20} nwt-pytorch {pair[0]:8.2f} ms  nwt_tf {pair[1]:8.2f} ms  "
              f"{pair[0] / pair[1]:.1f} times")  # fmt: skip
    print(json.dumps({"batch": arguments.batch, "queries": 224, **times}))


if __name__ == "__main__":
    main()
