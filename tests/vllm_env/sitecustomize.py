"""Makes PyPI's torchvision importable beside a CPU torch, for the vLLM interpreter of the tests only.

Put this folder on `PYTHONPATH` of that one process. PyPI's torchvision is a CUDA build: beside a CPU torch its compiled
operators do not load, and `import torchvision` stops with "operator torchvision::nms does not exist". Its pure-Python
transforms, all that the Qwen processors use, need no more than that the operators are declared. Nothing is done, and
torch is not imported, until somebody imports torchvision.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType

_ROI = "Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width"
_ROI_BACK = (
    "float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "SymInt batch_size, SymInt channels, SymInt height, SymInt width"
)
_CONV = (
    "SymInt stride_h, SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, "
    "SymInt groups, SymInt offset_groups, bool use_mask"
)
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    f"roi_align({_ROI}, int sampling_ratio, bool aligned) -> Tensor",
    "qroi_align(Tensor input, Tensor rois, float input_scale, int input_zero_point, float rois_scale, "
    "int rois_zero_point, float spatial_scale, SymInt pooled_height, SymInt pooled_width, int sampling_ratio, "
    "bool aligned) -> Tensor",
    f"roi_pool({_ROI}) -> (Tensor, Tensor)",
    f"ps_roi_align({_ROI}, int sampling_ratio) -> (Tensor, Tensor)",
    f"ps_roi_pool({_ROI}) -> (Tensor, Tensor)",
    f"deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, {_CONV}) -> Tensor",
    f"_roi_align_backward(Tensor grad, Tensor rois, {_ROI_BACK}, int sampling_ratio, bool aligned) -> Tensor",
    f"_roi_pool_backward(Tensor grad, Tensor rois, Tensor argmax, {_ROI_BACK}) -> Tensor",
    "_ps_roi_align_backward(Tensor grad, Tensor rois, Tensor channel_mapping, float spatial_scale, "
    "SymInt pooled_height, SymInt pooled_width, int sampling_ratio, SymInt batch_size, SymInt channels, "
    "SymInt height, SymInt width) -> Tensor",
    f"_ps_roi_pool_backward(Tensor grad, Tensor rois, Tensor channel_mapping, {_ROI_BACK}) -> Tensor",
    "_deform_conv2d_backward(Tensor grad, Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, "
    f"{_CONV}) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
)


def _operators_load(package: Path) -> bool:
    """Tells whether torchvision's own compiled operators load beside this torch; then nothing has to be declared."""
    import torch

    try:
        torch.ops.load_library(str(package / "_C.so"))
    except (ImportError, OSError):
        return False
    return True


def _declare_operators() -> None:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        library.define(schema)
    # torch takes the declarations back when the library object goes away.
    torch.ops._tests_torchvision_declarations = library


class _DeclaringLoader(SourceFileLoader):
    """Loads torchvision after the operators that it names have been declared."""

    def exec_module(self, module: ModuleType) -> None:
        """Declares the operators if need be, then runs the package as usual."""
        if not _operators_load(Path(self.path).parent):
            _declare_operators()
        super().exec_module(module)


class _TorchvisionFinder(MetaPathFinder):
    """Finds `torchvision` where it is, and gives it the declaring loader."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answers for the top-level package alone, so that a mere search for it costs nothing."""
        if fullname != "torchvision":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _DeclaringLoader(fullname, spec.loader.path)
        return spec


sys.meta_path.insert(0, _TorchvisionFinder())
