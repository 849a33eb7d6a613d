"""The operations that an exported graph may hold: a SavedModel is a program, and one with WriteFile writes files."""

import collections
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tfpretune.errors import RunError
from tfpretune.serving.saver_functions import RESTORE, SAVE, saver_functions

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


def check_operations(folder: Path | str) -> None:
    """Refuses a SavedModel with an operation that is not on the list, in any function, called or not. Runs nothing.

    Args:
        folder: the SavedModel, of which only `saved_model.pb` is read.

    Raises:
        RunError: names the first such operation and its function, or says what else makes the file no such export.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    path = Path(folder) / "saved_model.pb"
    for other in sorted(path.parent.glob("saved_model.*")):
        if other.name != path.name:  # some loaders would read that one
            raise RunError(f"{other} stands beside {path.name}: an export has one of them, remove it")
    saved_model = saved_model_pb2.SavedModel()
    try:
        saved_model.ParseFromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise RunError(f"{path} cannot be read as a SavedModel: {error}") from None
    graphs = saved_model.meta_graphs
    if len(graphs) != 1 or not graphs[0].HasField("object_graph_def"):
        raise RunError(
            f"{path} has {len(graphs)} graphs, with objects in {sum(graph.HasField('object_graph_def') for graph in graphs)}: "
            "expected one graph with its objects, as TensorFlow 2 writes it; export it again"
        )
    _check_graph(graphs[0], path)


def _check_graph(graph: Any, path: Path) -> None:
    functions = graph.graph_def.library.function
    names = [function.signature.name for function in functions]
    _check_names(names, path, "functions")
    _check_names([node.name for node in graph.graph_def.node], path, "nodes")
    for name in names:
        if name in ALLOWED or name in SAVE | RESTORE:
            raise RunError(f"{path}: a function has the name of the operation {name}: an export has no such function")
    for asset in graph.asset_file_def:
        if Path(asset.filename).name != asset.filename:
            raise RunError(f"{path}: the asset {asset.filename} lies outside the export's folder of assets")
    savers = saver_functions(graph)
    _check_nodes(graph.graph_def.node, ALLOWED, path, "the main graph")
    for function in functions:
        name = function.signature.name
        _check_nodes(function.node_def, ALLOWED | savers.get(name, frozenset()), path, name)


def _check_names(names: Sequence[str], path: Path, what: str) -> None:
    """Refuses two of one name: which of them a loader takes is its own affair."""
    name, times = collections.Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise RunError(f"{path}: {times} {what} have the name {name}: an export has one")


def _check_nodes(nodes: Iterable[Any], allowed: frozenset[str], path: Path, where: str) -> None:
    for node in nodes:
        if node.op not in allowed:
            raise RunError(
                f"{path}: operation {node.op} ({node.name} in {where}) is not one that an export may hold: "
                "it is not pure computation, or not listed in tfpretune/serving/operations.py"
            )
