"""Parameters and arithmetic of models (Table 3 and what ours say to it)."""

import tensorflow as tf


def matrix_flops(function, *arguments):
    """Floating-point operations of a function's matrix products and convolutions.

    A multiply-add counts as two operations; elementwise work, which is small beside, as none. The
    count is read off the traced graph, so that it is of what runs: patches, taps and all.

    Args:
        function: takes tensors.
        arguments: tensors or tf.TensorSpec with static shapes.

    Returns:
        int.
    """
    return _graph_flops(
        tf.function(function, autograph=False).get_concrete_function(*arguments).graph
    )


def _graph_flops(graph):
    total, seen = 0, set()
    pending = [tensor.op for tensor in graph.outputs]
    while pending:  # What no output needs never runs.
        operation = pending.pop()
        if operation in seen:
            continue
        seen.add(operation)
        pending += [*(tensor.op for tensor in operation.inputs), *operation.control_inputs]
        total += _operation_flops(operation)
        if operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
            # Keras gives a grouped convolution a function of its own.
            total += _graph_flops(graph._get_function(operation.get_attr("f").name).graph)
    return total


def _operation_flops(operation):
    kind = operation.type
    if kind.startswith(("Conv2DBackprop", "Conv3DBackprop")):
        # As many as of the convolution itself: an output's for each tap and channel.
        kernel = operation.inputs[1] if "Input" in kind else operation.outputs[0]
        taps_and_channels = kernel.shape.num_elements() // kernel.shape[-1]
        return 2 * operation.inputs[2].shape.num_elements() * taps_and_channels
    if kind in ("Conv2D", "Conv3D"):
        kernel = operation.inputs[1].shape
        taps_and_channels = kernel.num_elements() // kernel[-1]
        return 2 * operation.outputs[0].shape.num_elements() * taps_and_channels
    if kind == "MatMul":
        inner = operation.inputs[0].shape[0 if operation.get_attr("transpose_a") else 1]
        return 2 * operation.outputs[0].shape.num_elements() * inner
    if kind in ("BatchMatMulV2", "BatchMatMul"):
        inner = operation.inputs[0].shape[-2 if operation.get_attr("adj_x") else -1]
        return 2 * operation.outputs[0].shape.num_elements() * inner
    if kind == "Einsum":
        left, right = operation.get_attr("equation").decode().split("->")[0].split(",")
        sizes = {}
        for letters, tensor in zip((left, right), operation.inputs, strict=True):
            sizes |= dict(zip(letters, tensor.shape, strict=True))
        product = 2
        for size in sizes.values():
            product *= size
        return product
    return 0
