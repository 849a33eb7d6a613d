"""The operations that an exported graph may hold: a SavedModel is a program, and one with WriteFile writes files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfpretune.config import RunError

# Pure computation on tensors, variables and tables in memory: nothing that reads or writes files, calls Python, opens a
# connection, prints, or draws random numbers.
_NAMES = """
Abs Acos Acosh Add AddN AddV2 All Any ApproximateEqual ArgMax ArgMin Asin Asinh Atan Atan2 Atanh BatchMatMul
BatchMatMulV2 BatchMatMulV3 BiasAdd Bincount Bitcast BitwiseAnd BitwiseOr BitwiseXor Bucketize Cast Ceil ClipByValue
Cos Cosh Cross Cumprod Cumsum CumulativeLogsumexp DenseBincount Digamma Div DivNoNan Einsum Elu Equal Erf Erfc Erfinv
Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual Inv Invert IsFinite IsInf IsNan L2Loss LeakyRelu LeftShift Less
LessEqual Lgamma LinSpace Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr MatMul Max Maximum Mean Min Minimum Mod
Mul MulNoNan Neg NextAfter NotEqual Pow Prod Range RaggedBincount RealDiv Reciprocal Relu Relu6 RightShift Rint Round
Rsqrt SegmentMaxV2 SegmentMean SegmentSumV2 Selu Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Square
SquaredDifference Sub Sum Tan Tanh TruncateDiv TruncateMod UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd
UnsortedSegmentSum Xdivy Xlog1py Xlogy ZerosLike OnesLike

AvgPool AvgPool3D Conv Conv2D Conv2DBackpropInput Conv3D Conv3DBackpropInputV2 DepthwiseConv2dNative Dilation2D
FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 LRN MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax InTopKV2 TopKV2
ApproxTopK

BatchToSpace BatchToSpaceND BroadcastArgs BroadcastTo CheckNumericsV2 Concat ConcatV2 Const DepthToSpace Diag DiagPart
DynamicPartition DynamicStitch EnsureShape ExpandDims ExtractImagePatches Fill Gather GatherNd GatherV2 Identity
IdentityN InvertPermutation ListDiff MatrixBandPart MatrixDiagPartV3 MatrixDiagV3 MatrixSetDiagV3 MirrorPad OneHot
Pack Pad PadV2 ParallelDynamicStitch PreventGradient Rank Reshape ReverseSequence ReverseV2 Roll ScatterNd Select
SelectV2 Shape ShapeN Size Slice Snapshot SpaceToBatch SpaceToBatchND SpaceToDepth Split SplitV Squeeze StopGradient
StridedSlice TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate Tile Transpose
Unique UniqueV2 UniqueWithCounts Unpack UnravelIndex UpperBound LowerBound Where

SparseFillEmptyRows SparseReorder SparseReshape SparseSegmentMean SparseSegmentSum SparseSegmentSqrtN
SparseTensorDenseMatMul SparseToDense RaggedGather RaggedRange RaggedTensorFromVariant RaggedTensorToSparse
RaggedTensorToTensor RaggedTensorToVariant RaggedCross

Assert Case If LoopCond Merge NextIteration NoOp PartitionedCall Placeholder PlaceholderWithDefault
StatefulPartitionedCall StatelessCase StatelessIf StatelessWhile Switch While Enter Exit EmptyTensorList
TensorListConcatV2 TensorListFromTensor TensorListGetItem TensorListLength TensorListPopBack TensorListPushBack
TensorListReserve TensorListResize TensorListSetItem TensorListStack TensorArrayV3 TensorArrayReadV3
TensorArrayWriteV3 TensorArraySizeV3 TensorArrayGatherV3 TensorArrayScatterV3

AssignVariableOp ReadVariableOp ResourceGather ResourceGatherNd VarHandleOp VarIsInitializedOp VariableShape
HashTableV2 InitializeTableV2 LookupTableFindV2 LookupTableImportV2 LookupTableInsertV2 LookupTableSizeV2
MutableHashTableV2 LookupTableExportV2 AnonymousHashTable AnonymousMutableHashTable

AsString DecodeBase64 DecodePaddedRaw DecodeRaw EncodeBase64 Fingerprint ReduceJoin RegexFullMatch RegexReplace
StaticRegexFullMatch StaticRegexReplace StringFormat StringJoin StringLength StringLower StringNGrams StringSplit
StringSplitV2 StringStrip StringToHashBucketFast StringToHashBucketStrong StringToNumber StringUpper Substr
UnicodeDecode UnicodeDecodeWithOffsets UnicodeEncode UnicodeScript UnicodeTranscode UnsortedSegmentJoin

CaseFoldUTF8 FastBertNormalize FastWordpieceTokenizeWithOffsets NormalizeUTF8 NormalizeUTF8WithOffsetsMap
RegexSplitWithOffsets SentencepieceOp SentencepieceTokenizeOp SentencepieceTokenizeWithOffsetsOp
TFText>FastSentencepieceTokenize TFText>NgramsStringJoin TFText>RoundRobinTrim TFText>WhitespaceTokenizeWithOffsetsV2
UnicodeScriptTokenizeWithOffsets WhitespaceTokenizeWithOffsets WordpieceTokenizeWithOffsets TFText>Utf8Binarize

AdjustContrastv2 CropAndResize DecodeAndCropJpeg DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePng DecodeWebP
ExtractJpegShape HSVToRGB ImageProjectiveTransformV3 RGBToHSV ResizeArea ResizeBicubic ResizeBilinear
ResizeNearestNeighbor ScaleAndTranslate
"""
ALLOWED = frozenset(_NAMES.split())
# How every SavedModel saves and restores its own variables; refused in anything that a signature can reach.
SAVER = frozenset({"DisableCopyOnRead", "MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename"})


def check_operations(folder: Path | str) -> None:
    """Refuses a SavedModel with an operation that is not on the list, in any function, called or not. Runs nothing.

    Args:
        folder: the SavedModel, of which only `saved_model.pb` is read.

    Raises:
        RunError: names the first such operation and its function, or says that the file is no SavedModel.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    path = Path(folder) / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel()
    try:
        saved_model.ParseFromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise RunError(f"{path} cannot be read as a SavedModel: {error}") from None
    for graph in saved_model.meta_graphs:
        _check_graph(graph, path)


def _check_graph(graph: Any, path: Path) -> None:
    functions = {function.signature.name: function.node_def for function in graph.graph_def.library.function}
    saver_names = {graph.saver_def.save_tensor_name.partition(":")[0], graph.saver_def.restore_op_name}
    saver = [node for node in graph.graph_def.node if node.name in saver_names]
    rest = [node for node in graph.graph_def.node if node.name not in saver_names]
    only_saver = _reachable(saver, functions) - _reachable(rest, functions)
    _check_nodes(graph.graph_def.node, ALLOWED, path, "the main graph")
    for name, nodes in functions.items():
        _check_nodes(nodes, ALLOWED | SAVER if name in only_saver else ALLOWED, path, name)


def _reachable(nodes: Iterable[Any], functions: dict[str, Any]) -> set[str]:
    """Returns the names of the functions that the nodes call, directly or through others."""
    found: set[str] = set()
    waiting = list(nodes)
    while waiting:
        for value in waiting.pop().attr.values():
            names = {value.func.name, *(function.name for function in value.list.func)} & functions.keys()
            for name in names - found:
                found.add(name)
                waiting += functions[name]
    return found


def _check_nodes(nodes: Iterable[Any], allowed: frozenset[str], path: Path, where: str) -> None:
    for node in nodes:
        if node.op not in allowed:
            raise RunError(
                f"{path}: operation {node.op} ({node.name} in {where}) is not one that an export may hold: "
                "it is not pure computation, or not listed in tfpretune/serving/operations.py"
            )
