"""The packaged model as int8 ONNX: ``python -m monitor.embedding.export_encoder FILE`` keeps it.

Built from the packaged weights by numpy and the onnx library, without PyTorch, in half a second:
so the desk makes it at each start and keeps no file that could be old, cut off or tampered with.
Mean pooling and the norm are inside the graph. The careful reader of incitement has the same body
with weights of its own and heads in place of the pooling.

Each token's activations are quantised with that token's own scale. ONNX Runtime's own dynamic
quantisation takes one scale for a whole batch, so a text's vector would depend on which texts
stand beside it (cosine down to 0.985, measured); here it does not, at the same speed and with
half the error.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from monitor.embedding.embed import (
    PACKAGED_NAME,
    PACKAGED_SHA256,
    WEIGHTS,
    check_weights,
    packaged_folder,
)

LAYERS, HEADS, WIDTH = 6, 12, 384  # the model's config.json
MAX_TOKENS = 256  # the model's max_seq_length (sentence_bert_config.json)
EPSILON = 1e-12
# Two products of an unsigned and a signed byte must fit 16 bits, or AVX2 without VNNI saturates
# them silently: 2 × 255 × 63 does. This is what quantisers call reduce_range.
WEIGHT_TOP = 63
# Activations are unsigned bytes around 128; after GELU, which never goes below -0.17, around 16.
MIDDLE, GELU_MIDDLE, GELU_LOW = 128, 16, 0.17


class _Graph:
    """Nodes and constants of a graph in the making; names are made up as they come."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}

    def keep(self, values: NDArray[Any]) -> str:
        """A constant's name."""
        name = f"c{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def number(self, value: float, kind: type[Any] = np.float32) -> str:
        return self.keep(np.array(value, dtype=kind))

    def add(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """One node; the name of its output, or a list of names if it has several."""
        names = [f"n{len(self.nodes)}.{i}" for i in range(outputs)]
        ours = kind in ("MatMulIntegerToFloat", "MultiHeadAttention", "BiasGelu")
        domain = "com.microsoft" if ours else ""
        self.nodes.append(helper.make_node(kind, inputs, names, domain=domain, **attributes))
        return names if outputs > 1 else names[0]


Weights = Mapping[str, NDArray[np.float32]]


def build(weights: Weights) -> ModelProto:
    """The graph: ids (b, s) int64 and mask (b, s) int32, 1 where a token is → vectors (b, 384)."""
    graph = _Graph()
    x = _body(graph, weights)
    axis, last = graph.keep(np.array([1])), graph.keep(np.array([-1]))
    mask = graph.add("Unsqueeze", graph.add("Cast", "mask", to=TensorProto.FLOAT), axis)
    # The sum stands for the mean: the norm takes the division by the number of tokens back out.
    pooled = graph.add("Squeeze", graph.add("MatMul", mask, x), axis)
    norm = graph.add("Max", graph.add("ReduceL2", pooled, last, keepdims=1), graph.number(1e-9))
    graph.nodes.append(helper.make_node("Div", [pooled, norm], ["vectors"]))
    return _model(graph, PACKAGED_NAME, vectors=["b", WIDTH])


def build_reader(weights: Weights) -> ModelProto:
    """The careful reader's graph: ids and mask as above → evidence (b, s, h), values (b, h).

    ``weights`` hold the body and ``attend.weight``, ``say.weight`` (h, 384) and ``say.bias`` (h,).
    A value is the sum of its evidence over the tokens.
    """
    graph = _Graph()
    x = _body(graph, weights)
    one = graph.number(1)
    mask = graph.add(
        "Unsqueeze", graph.add("Cast", "mask", to=TensorProto.FLOAT), graph.keep(np.array([2]))
    )
    closed = graph.add("Mul", graph.add("Sub", one, mask), graph.number(-1e4))
    attend = graph.add(
        "Add", graph.add("MatMul", x, graph.keep(weights["attend.weight"].T)), closed
    )
    said = graph.add("MatMul", x, graph.keep(weights["say.weight"].T))
    said = graph.add("Add", said, graph.keep(weights["say.bias"]))
    share = graph.add("Softmax", attend, axis=1)
    graph.nodes.append(helper.make_node("Mul", [share, said], ["evidence"]))
    graph.nodes.append(
        helper.make_node(
            "ReduceSum", ["evidence", graph.keep(np.array([1]))], ["values"], keepdims=0
        )
    )
    heads = len(weights["say.bias"])
    return _model(graph, "careful reader", evidence=["b", "s", heads], values=["b", heads])


def _body(graph: _Graph, weights: Weights) -> str:
    """The encoder itself: the states of all tokens, (b, s, 384)."""
    one, last, tiny = graph.number(1), graph.keep(np.array([-1])), graph.number(1e-9)

    def quantised(x: str, gelu: bool = False) -> tuple[str, str, str]:
        """Rows of ``x`` as bytes, their zero point, and their scales (one per token)."""
        middle = GELU_MIDDLE if gelu else MIDDLE
        steps = 255 - middle
        top = graph.add("ReduceMax", x if gelu else graph.add("Abs", x), last, keepdims=1)
        floor = graph.number(GELU_LOW * steps / middle) if gelu else tiny
        top = graph.add("Max", top, floor)
        scaled = graph.add("Mul", x, graph.add("Div", graph.number(steps), top))
        zero = graph.number(middle, np.uint8)
        return (
            graph.add("QuantizeLinear", scaled, one, zero),
            zero,
            graph.add("Mul", top, graph.number(1 / steps)),
        )

    def times(x: tuple[str, str, str], *names: str) -> str:
        """The product with the named weights side by side, without their bias."""
        matrix = np.concatenate([weights[f"{name}.weight"] for name in names]).T
        scales = np.abs(matrix).max(axis=0) / WEIGHT_TOP
        whole = np.rint(matrix / scales).astype(np.int8)
        rows, zero, row_scales = x
        product = graph.add(
            "MatMulIntegerToFloat", rows, graph.keep(whole), one, graph.keep(scales), zero
        )
        return str(graph.add("Mul", product, row_scales))

    def bias(*names: str) -> str:
        return graph.keep(np.concatenate([weights[f"{name}.bias"] for name in names]))

    def normed(x: str, name: str) -> str:
        scale = graph.keep(weights[f"{name}.weight"])
        return str(graph.add("LayerNormalization", x, scale, bias(name), axis=-1, epsilon=EPSILON))

    def residual(product: str, name: str, x: str) -> str:
        """As three nodes: the fused SkipLayerNormalization takes three times as long (1.32)."""
        summed = graph.add("Add", graph.add("Add", product, bias(f"{name}.dense")), x)
        return normed(summed, f"{name}.LayerNorm")

    x = normed(_embedded(graph, weights), "embeddings.LayerNorm")
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        names = [f"{at}.attention.self.{part}" for part in ("query", "key", "value")]
        parts = graph.add(
            "Split", times(quantised(x), *names), graph.keep(np.array([WIDTH] * 3)),
            outputs=3, axis=-1,
        )  # fmt: skip
        seen = graph.add("MultiHeadAttention", *parts, bias(*names), "mask", num_heads=HEADS)
        dense = times(quantised(seen), f"{at}.attention.output.dense")
        x = residual(dense, f"{at}.attention.output", x)
        dense = times(quantised(x), f"{at}.intermediate.dense")
        wide = graph.add("BiasGelu", dense, bias(f"{at}.intermediate.dense"))
        x = residual(times(quantised(wide, gelu=True), f"{at}.output.dense"), f"{at}.output", x)
    return x


def _model(graph: _Graph, name: str, **outputs: list[str | int]) -> ModelProto:
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            name,
            [
                helper.make_tensor_value_info("ids", TensorProto.INT64, ["b", "s"]),
                helper.make_tensor_value_info("mask", TensorProto.INT32, ["b", "s"]),
            ],
            [
                helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
                for output, shape in outputs.items()
            ],
            list(graph.constants.values()),
        ),
        opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)],
        ir_version=9,
    )


def _embedded(graph: _Graph, weights: Weights) -> str:
    """Words (as bytes, a scale for each word) plus positions plus the one segment there is."""
    words = weights["embeddings.word_embeddings.weight"]
    scales = np.abs(words).max(axis=1, keepdims=True) / 127
    scales[scales == 0] = 1
    whole = graph.keep(np.rint(words / scales).astype(np.int8))
    found = graph.add("Cast", graph.add("Gather", whole, "ids"), to=TensorProto.FLOAT)
    word = graph.add("Mul", found, graph.add("Gather", graph.keep(scales), "ids"))
    positions = weights["embeddings.position_embeddings.weight"][:MAX_TOKENS]
    places = graph.keep(positions + weights["embeddings.token_type_embeddings.weight"][0])
    zero, one, two = (graph.keep(np.array([i])) for i in range(3))
    length = graph.add("Slice", graph.add("Shape", "ids"), one, two)
    return str(graph.add("Add", word, graph.add("Slice", places, zero, length, zero)))


def export() -> bytes:
    """The serialised model, 23 MB. ModelUnavailableError if the packaged weights are not ours."""
    return bytes(build(packaged_weights()).SerializeToString())


def packaged_weights() -> Weights:
    """The packaged model's weights by name. ModelUnavailableError if they are not ours."""
    weights = packaged_folder() / WEIGHTS
    check_weights(weights, PACKAGED_SHA256)
    found: Weights = load_file(weights)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, help="where the ONNX model is written")
    parser.parse_args(arguments).file.write_bytes(export())


if __name__ == "__main__":
    main()
