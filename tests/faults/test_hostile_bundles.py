"""SavedModels from strangers: one that would do more than compute is refused before TensorFlow loads it."""

import contextlib
import json
import shutil

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.faults.test_untrusted import seal
from tfpretune.errors import RunError
from tfpretune.serving import clean_process, loading, predict, verify
from tfpretune.serving.operations import check_operations

SAVER = "SaveV2|MergeV2Checkpoints|ShardedFilename|DisableCopyOnRead|RestoreV2"
IMAGE = tf.TensorSpec((None,), tf.string, "image_bytes")


def writes(path):
    """Returns the operation that saves variables, used to write a file anywhere."""
    given = {"tensor_names": ["x"], "shape_and_slices": [""], "tensors": [tf.constant([1.0])]}
    return tf.control_dependencies([tf.raw_ops.SaveV2(prefix=path, **given)])


class Secret(tf.__internal__.tracking.AutoTrackable):
    """An object that says itself how it is restored: the function runs while the bundle is loaded."""

    def __init__(self, proof):
        self.proof, self.value = proof, tf.Variable(1.0)

    def _serialize_to_tensors(self):
        return {"value": tf.constant(1.0)}

    def _restore_from_tensors(self, tensors):
        with writes(self.proof):
            return tf.identity(tensors["value"])


class Bundle(tf.Module):
    """Counts the bytes of images; `proof` is where a hostile one would write."""

    def __init__(self, proof, *, serves=False, restores=False, keeps=False):
        super().__init__()
        self.proof, self.serves, self.factor = proof, serves, tf.Variable(2)
        if restores:
            self.secret = Secret(proof)
        if keeps:
            self.kept = tf.function(self.keep, input_signature=[])

    def keep(self):
        with writes(self.proof):
            return tf.constant(1.0)

    @tf.function(input_signature=[IMAGE])
    def serve(self, image_bytes):
        with writes(self.proof) if self.serves else contextlib.nullcontext():
            return {"values": self.factor * tf.strings.length(image_bytes)}


def make(folder, **hostile):
    """Writes a bundle with all that `load` asks for."""
    module = Bundle(str(folder.with_name("proof")), **hostile)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    assets = folder / "assets.extra"
    assets.mkdir()
    checks = {"inputs": [{"base64": "YWI="}], "answers": {"values": [4]}}
    for name, content in (
        ("preprocessing", {"kind": "image", "inputs": ["image_bytes"]}),
        ("metadata", {"heads": {}}),
        ("checks", checks),
    ):
        (assets / f"{name}.json").write_text(json.dumps(content))
    seal(folder)
    return folder


def edit(folder, change):
    """Changes the graph and seals the folder again, as a stranger would."""
    path = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(model.meta_graphs[0])
    path.write_bytes(model.SerializeToString())
    seal(folder)


def node(graph, name):
    (found,) = (one for one in graph.graph_def.node if one.name == name)
    return found


def function(graph, part):
    (found,) = (one for one in graph.graph_def.library.function if part in one.signature.name)
    return found


def saving(graph):
    return node(graph, graph.saver_def.save_tensor_name.partition(":")[0])


def serving(graph):
    return node(graph, graph.signature_def["serving_default"].outputs["values"].name.partition(":")[0])


def add_call(owner, name):
    """Lets a function call another, for nothing."""
    call = owner.node_def.add(name="more", op="StatefulPartitionedCall")
    call.attr["f"].func.name = name
    call.attr["Tin"].list.SetInParent()
    call.attr["Tout"].list.SetInParent()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return make(tmp_path_factory.mktemp("plain") / "1")


def remove(graph, old):
    """Takes a node and the function that it calls out of the graph."""
    called = function(graph, old.attr["f"].func.name)
    graph.graph_def.library.function.remove(called)
    graph.graph_def.node.remove(old)


def name_the_serving_node_as_the_savers(graph):
    remove(graph, saving(graph))
    graph.saver_def.save_tensor_name = serving(graph).name + ":0"


def name_the_serving_node_as_the_restorers(graph):
    remove(graph, node(graph, graph.saver_def.restore_op_name))
    graph.saver_def.restore_op_name = serving(graph).name


def call_it_from_the_saver(graph, part):
    add_call(function(graph, "traced_save"), function(graph, part).signature.name)


def let_the_serving_node_wait_for_the_saver(graph):
    serving(graph).input.append(f"^{saving(graph).name}")


def let_a_signature_give_the_savers_output(graph):
    graph.signature_def["serving_default"].outputs["values"].name = saving(graph).name + ":0"


def begin_with_the_saver(graph):
    """TF Serving runs this node when it loads the bundle."""
    graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = saving(graph).name


def begin_with_the_saver_as_old_bundles_do(graph):
    graph.collection_def["saved_model_main_op"].node_list.value[:] = [saving(graph).name]


def call_the_saver_in_an_attribute_of_a_function(graph):
    serving(graph).attr["f"].func.attr["more"].func.name = function(graph, "traced_save").signature.name


def call_the_saver_in_a_list(graph):
    names = serving(graph).attr["branches"].list.func
    names.add().name = function(graph, "traced_save").signature.name


def give_an_object_the_saver(graph):
    name = function(graph, "traced_save").signature.name
    graph.object_graph_def.concrete_functions[name].SetInParent()


def make_the_saver_a_gradient(graph):
    name = function(graph, "traced_save").signature.name
    graph.graph_def.library.registered_gradients.add(gradient_func=name, registered_op_type="CustomGradient-1")


def let_the_saver_stand_for_the_serving_function(graph):
    for part in ("traced_save", "signature_wrapper"):
        function(graph, part).attr["api_implements"].s = b"same"


def save_and_restore_by_one_node(graph):
    graph.saver_def.restore_op_name = saving(graph).name


SIMPLE = [
    let_the_serving_node_wait_for_the_saver,
    let_a_signature_give_the_savers_output,
    begin_with_the_saver,
    begin_with_the_saver_as_old_bundles_do,
    call_the_saver_in_an_attribute_of_a_function,
    call_the_saver_in_a_list,
    give_an_object_the_saver,
    make_the_saver_a_gradient,
    let_the_saver_stand_for_the_serving_function,
    save_and_restore_by_one_node,
]


def refused(folder, monkeypatch, message):
    """Every way in refuses the bundle in one line, before TensorFlow or another process has it."""

    def load(*args, **more):
        raise AssertionError("was loaded")

    monkeypatch.setattr(tf.saved_model, "load", load)
    for way_in in (loading.load, clean_process.compare, lambda folder: predict(folder, [__file__])):
        with pytest.raises(RunError, match=message) as found:
            way_in(folder)
        assert "\n" not in str(found.value)
    monkeypatch.undo()


def written(folder):
    return sorted(path.name for path in folder.parent.iterdir() if path.name.startswith("proof"))


def test_an_honest_bundle_is_loaded_and_answers(plain):
    assert loading.load(plain).call("serving_default", [b"abc"])["values"].tolist() == [6]
    assert clean_process.compare(plain) == (1, 0.0)


@pytest.mark.parametrize("change", SIMPLE, ids=lambda change: change.__name__)
def test_the_saver_of_a_bundle_is_nobody_elses(tmp_path, plain, monkeypatch, change):
    folder = shutil.copytree(plain, tmp_path / "1")
    edit(folder, change)
    refused(folder, monkeypatch, rf"operation ({SAVER}) \(.* in .*\) is not one that an export may hold")


@pytest.mark.parametrize(
    "change", [name_the_serving_node_as_the_savers, name_the_serving_node_as_the_restorers], ids=["save", "restore"]
)
def test_the_saver_cannot_be_the_serving_node(tmp_path, monkeypatch, change):
    """Without the check the file is written: this is what the bundle is for."""
    folder = make(tmp_path / "1", serves=True)
    refused(folder, monkeypatch, r"operation SaveV2 \(.* in __inference_serve_\d+\)")
    edit(folder, change)
    refused(folder, monkeypatch, rf"operation ({SAVER}) \(.* in __inference_")
    assert written(folder) == []
    tf.saved_model.load(str(folder)).signatures["serving_default"](tf.constant([b"abc"]))
    assert written(folder)


def test_what_an_object_restores_itself_with_is_not_the_savers(tmp_path, monkeypatch):
    """It runs while TensorFlow loads the bundle; that the saving function calls it, too, makes it no part of that."""
    folder = make(tmp_path / "1", restores=True)
    edit(folder, lambda graph: call_it_from_the_saver(graph, "restore_fn"))
    refused(folder, monkeypatch, rf"operation ({SAVER}) \(")
    assert written(folder) == []
    tf.saved_model.load(str(folder))
    assert written(folder)


def test_a_function_that_only_an_object_holds_is_not_the_savers(tmp_path, monkeypatch):
    folder = make(tmp_path / "1", keeps=True)
    edit(folder, lambda graph: call_it_from_the_saver(graph, "keep"))
    refused(folder, monkeypatch, rf"operation ({SAVER}) \(")


def test_a_function_with_the_name_of_an_operation_is_refused(tmp_path, plain, monkeypatch):
    """A node with that operation would call the function."""

    def rename(graph):
        function(graph, "traced_save").signature.name = "Rint"
        saving(graph).attr["f"].func.name = "Rint"
        function(graph, "__inference_serve").node_def.add(name="more", op="Rint")

    folder = shutil.copytree(plain, tmp_path / "1")
    edit(folder, rename)
    refused(folder, monkeypatch, "a function has the name of the operation Rint")


def test_two_functions_of_one_name_are_refused(tmp_path, monkeypatch):
    """One of them writes a file; which of them is taken is the loader's affair."""
    folder = make(tmp_path / "1")

    def add_another(graph):
        honest = function(graph, "__inference_serve")
        other = type(honest)()
        other.CopyFrom(honest)
        other.node_def.add(name="more", op="WriteFile", input=["image_bytes", "image_bytes"])
        functions = [other, *graph.graph_def.library.function]
        del graph.graph_def.library.function[:]
        graph.graph_def.library.function.extend(functions)

    edit(folder, add_another)
    refused(folder, monkeypatch, r"2 functions have the name __inference_serve_\d+")


def test_two_nodes_of_one_name_are_refused(tmp_path, plain, monkeypatch):
    folder = shutil.copytree(plain, tmp_path / "1")
    edit(folder, lambda graph: graph.graph_def.node.add(name=saving(graph).name, op="NoOp"))
    refused(folder, monkeypatch, "2 nodes have the name StatefulPartitionedCall")


@pytest.mark.parametrize("graphs", [0, 2])
def test_a_bundle_has_one_graph(tmp_path, plain, monkeypatch, graphs):
    """With another number TensorFlow takes the way of version 1, which runs nodes of the main graph."""
    folder = shutil.copytree(plain, tmp_path / "1")
    path = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    copies = [model.meta_graphs[0]] * graphs
    path.write_bytes(saved_model_pb2.SavedModel(meta_graphs=copies).SerializeToString())
    seal(folder)
    refused(folder, monkeypatch, f"has {graphs} graphs, with objects in {graphs}: expected one graph with its objects")


def test_a_graph_without_objects_is_refused(tmp_path, plain, monkeypatch):
    folder = shutil.copytree(plain, tmp_path / "1")
    edit(folder, lambda graph: graph.ClearField("object_graph_def"))
    refused(folder, monkeypatch, "has 1 graphs, with objects in 0")


@pytest.mark.parametrize("name", ["saved_model.pbtxt", "saved_model.cpb"])
def test_another_form_of_the_graph_is_refused(tmp_path, plain, monkeypatch, name):
    folder = shutil.copytree(plain, tmp_path / "1")
    (folder / name).write_text("x")
    seal(folder)
    refused(folder, monkeypatch, rf"{name} stands beside saved_model\.pb")


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "a/b"])
def test_assets_outside_the_folder_are_refused(tmp_path, plain, monkeypatch, name):
    folder = shutil.copytree(plain, tmp_path / "1")
    edit(folder, lambda graph: graph.asset_file_def.add(filename=name))
    refused(folder, monkeypatch, "lies outside the export's folder of assets")


def test_the_process_without_keras_refuses_too(tmp_path, plain):
    folder = shutil.copytree(plain, tmp_path / "1")
    edit(folder, begin_with_the_saver)
    with pytest.raises(RunError, match=rf"operation ({SAVER}) \(") as found:
        verify(folder)
    assert "\n" not in str(found.value)


def test_objects_that_do_not_fit_are_one_line(tmp_path, plain):
    """TensorFlow's own loader raises whatever comes: an index, a name, a type."""
    for number, change in enumerate(
        (
            lambda graph: graph.object_graph_def.nodes[0].children.add(node_id=999, local_name="x"),
            lambda graph: graph.object_graph_def.concrete_functions["no_such_function"].SetInParent(),
            lambda graph: graph.object_graph_def.nodes.add(),
        )
    ):
        folder = shutil.copytree(plain, tmp_path / str(number))
        edit(folder, change)
        with pytest.raises(RunError, match="cannot be loaded: ") as found:
            loading.load(folder)
        assert "\n" not in str(found.value)


def test_what_the_assets_hold_is_named(tmp_path, plain):
    for number, (name, text) in enumerate(
        (("preprocessing", "[]"), ("metadata", '"x"'), ("preprocessing", '{"inputs": []}'))
    ):
        folder = shutil.copytree(plain, tmp_path / str(number))
        (folder / "assets.extra" / f"{name}.json").write_text(text)
        with pytest.raises(RunError, match="was not exported by tfpretune|by an older tfpretune"):
            loading.load(folder)


def test_unknown_but_honest_operations_are_named(tmp_path):
    """Of a bundle that somebody made with other tools: one line says which operation, where, and where the list is."""
    module = tf.Module()
    module.serve = tf.function(lambda x: {"y": tf.linalg.inv(x)}, input_signature=[tf.TensorSpec((2, 2))])
    tf.saved_model.save(module, str(tmp_path), signatures=module.serve)
    with pytest.raises(
        RunError, match=r"operation MatrixInverse \(.* in __inference_.*listed in tfpretune/serving/op"
    ) as found:
        check_operations(tmp_path)
    assert "\n" not in str(found.value)
