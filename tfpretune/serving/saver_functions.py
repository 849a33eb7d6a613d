"""The two functions with which a SavedModel saves and restores its own variables, found so that nothing else can be one."""

import collections
from collections.abc import Iterable, Iterator
from typing import Any

SAVE = frozenset({"DisableCopyOnRead", "MergeV2Checkpoints", "SaveV2", "ShardedFilename"})
RESTORE = frozenset({"RestoreV2"})
_CALLS = ("StatefulPartitionedCall", "PartitionedCall")


def saver_functions(graph: Any) -> dict[str, frozenset[str]]:
    """Returns the operations that a graph's own saving and restoring function may hold beside pure computation.

    `saver_def` may name any node, so what it says is not enough. The function must be called once in the whole graph, by
    that node; nothing may read the node, no signature and no collection may name it; no object may own the function and
    no other may stand for it. `tf.saved_model.load` runs functions of the object graph, TF Serving those of signatures.

    Args:
        graph: a `MetaGraphDef`.

    Returns:
        Name of the function -> names of operations: those that write files for the saving one, those that read for the other.
    """
    save, restore = graph.saver_def.save_tensor_name.partition(":")[0], graph.saver_def.restore_op_name
    if save == restore:
        return {}
    uses = _uses(graph)
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    read = _read_nodes(graph)
    found: dict[str, frozenset[str]] = {}
    for name, operations in ((save, SAVE), (restore, RESTORE)):
        calls = [node for node in graph.graph_def.node if node.name == name and node.op in _CALLS]
        called = calls[0].attr["f"].func.name if len(calls) == 1 else ""
        if called in functions and uses[called] == 1 and name not in read and _stands_for_itself(functions[called]):
            found[called] = operations
    return found


def _uses(graph: Any) -> collections.Counter[str]:
    """Counts how often each name of a function is written where something could call it."""
    library = graph.graph_def.library
    uses = collections.Counter[str](list(graph.object_graph_def.concrete_functions))
    for gradient in library.gradient:
        uses.update((gradient.function_name, gradient.gradient_func))
    for registered in library.registered_gradients:
        uses.update((registered.gradient_func, registered.registered_op_type))
    nodes = [*graph.graph_def.node, *(node for function in library.function for node in function.node_def)]
    uses.update(node.op for node in nodes)
    for holder in (*nodes, *library.function):
        uses.update(_names_in(holder.attr.values()))
    return uses


def _names_in(values: Iterable[Any]) -> Iterator[str]:
    """Yields what attributes name: functions, those in the attributes of functions, and strings, which may be names too."""
    for value in values:
        for function in (value.func, *value.list.func):
            yield function.name
            yield from _names_in(function.attr.values())
        for text in (value.s, *value.list.s):
            yield text.decode("utf-8", "replace")


def _read_nodes(graph: Any) -> set[str]:
    """Returns the names of the main graph's nodes that another node, a signature or a collection names."""
    named = [name for node in graph.graph_def.node for name in node.input]
    for signature in graph.signature_def.values():
        named += [info.name for info in (*signature.inputs.values(), *signature.outputs.values())]
    for collection in graph.collection_def.values():
        named += collection.node_list.value
    return {name.lstrip("^").partition(":")[0] for name in named}


def _stands_for_itself(function: Any) -> bool:
    """Whether nothing makes TensorFlow put another function in its place, or it in another's (`api_implements`)."""
    return all(name.startswith("_") for name in function.attr)
