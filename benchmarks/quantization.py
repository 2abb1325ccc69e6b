"""What int8 saves and costs: the model's graph as it ships, the same graph in int8, and HRNet-W32, in one run.

Usage: quantization.py [--model NAME] [--calibration N] [--films N] [--rounds N] [--repeat N] [--write FILE]

The int8 graph is static QDQ of the convolutions, one scale per channel, calibrated on the first films of the training
split; its points are compared with the graph's own on the films after these. Both are timed on one canvas of zeros,
HRNet-W32 (no weights, eager PyTorch) on 768 x 768, each in a child process, in turns; peak memory is the child's. The
figures of the films are of seen ones: they compare two graphs and say nothing of accuracy on new films. The default
is whichever graph is faster at a cost of at most 0.02 mm.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort

from cephstd.core.image import Normalized, state_calibration
from cephstd.evaluation.dataset import load_dataset
from cephstd.inference.canvas import place_on_canvas
from cephstd.inference.catalog import bundled_models, load_catalog
from cephstd.io.reader import read
from cephstd.pipeline.normalizer import Normalizer

HERE = Path(__file__).resolve().parent
DATASET = HERE / "datasets" / "isbi2015_train.toml"
MOST_COST_MM = 0.02
HRNET = "hrnet"
HRNET_PX = 768


def standard_films(count: int) -> list[tuple[Normalized, dict[str, tuple[float, float]]]]:
    """Standard images and labels (source px) of the first films."""
    dataset, normalize = load_dataset(DATASET).limit(count), Normalizer()
    films = []
    for image_id in sorted(dataset.truth_px):
        scale = state_calibration(dataset.spacing_mm(image_id), source="stated")
        truth = dataset.truth_px[image_id]
        moved = dataset.spec.labels.to_image.forward(list(truth.values()))
        points = {id: (float(x), float(y)) for id, (x, y) in zip(truth, moved, strict=True)}
        films.append((normalize(read(dataset.film_paths[image_id], calibration=scale)), points))
    return films


def quantize(plain: Path, quantized: Path, images: list[np.ndarray], name: str) -> None:
    """Write the int8 graph; weights that are stored in half are first folded back, so that they can be quantized."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self.left = iter([{name: image[None]} for image in images])

        def get_next(self):
            return next(self.left, None)

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(quantized.with_suffix(".folded.onnx"))
    ort.InferenceSession(str(plain), options, providers=["CPUExecutionProvider"])
    quantize_static(
        options.optimized_model_filepath,
        str(quantized),
        Reader(),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


def run_child(file: str, repeat: int, size_px: tuple[int, int]) -> None:
    """Time one network in this process and print seconds and peak memory."""
    if file == HRNET:
        import torch
        from hrnet import HRNetW32

        network, image = HRNetW32(19).eval(), torch.zeros(1, 3, HRNET_PX, HRNET_PX)

        def once() -> None:
            with torch.inference_mode():
                network(image)
    else:
        session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
        canvas = np.zeros((1, 1, size_px[1], size_px[0]), dtype=np.float32)
        name = session.get_inputs()[0].name

        def once() -> None:
            session.run(None, {name: canvas})

    once()
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        once()
        seconds.append(time.perf_counter() - start)
    # Not ru_maxrss: that of a child begins with its parent's.
    peak = int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024.0
    print(json.dumps({"seconds": seconds, "peak_mib": peak}))


def time_all(files: dict[str, str], rounds: int, repeat: int, size_px: tuple[int, int]) -> dict[str, dict[str, float]]:
    """Median seconds and peak memory of each, taken in turns."""
    found: dict[str, list[dict]] = {name: [] for name in files}
    for _ in range(rounds):
        for name, file in files.items():
            size = [str(side) for side in size_px]
            child = [sys.executable, __file__, "--child", file, "--repeat", str(repeat), "--size", *size]
            found[name].append(json.loads(subprocess.run(child, check=True, capture_output=True, text=True).stdout))
    return {
        name: {
            "seconds": round(statistics.median(second for run in runs for second in run["seconds"]), 4),
            "peak_mib": round(max(run["peak_mib"] for run in runs), 1),
        }
        for name, runs in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="isbi19-unet-a")
    parser.add_argument("--calibration", type=int, default=32, help="films to calibrate on")
    parser.add_argument("--films", type=int, default=40, help="films to compare on, after these")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, nargs=2, default=(0, 0), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        run_child(given.child, given.repeat, tuple(given.size))
        return
    entry = load_catalog().entry(given.model)
    plain = bundled_models() / entry.file
    films = standard_films(given.calibration + given.films)
    placed = [(*place_on_canvas(normal, entry.input), truth) for normal, truth in films]
    mm_per_px = 0.2
    with tempfile.TemporaryDirectory() as folder:
        int8 = Path(folder) / "int8.onnx"
        quantize(plain, int8, [image for image, _, _ in placed[: given.calibration]], entry.input.name)
        errors, apart = {"fp32": [], "int8": []}, []
        sessions = {
            "fp32": ort.InferenceSession(str(plain), providers=["CPUExecutionProvider"]),
            "int8": ort.InferenceSession(str(int8), providers=["CPUExecutionProvider"]),
        }
        for image, chain, truth in placed[given.calibration :]:
            labels = np.array([truth[id] for id in entry.landmarks])
            points = {}
            for name, session in sessions.items():
                points[name] = chain.inverse(session.run(["points"], {entry.input.name: image[None]})[0][0])
                errors[name] += (np.linalg.norm(points[name] - labels, axis=1) * mm_per_px).tolist()
            apart += (np.linalg.norm(points["int8"] - points["fp32"], axis=1) * mm_per_px).tolist()
        files = {"fp32": str(plain), "int8": str(int8), HRNET: HRNET}
        timed = time_all(files, given.rounds, given.repeat, entry.input.size_px)
        sizes = {"fp32": plain.stat().st_size, "int8": int8.stat().st_size}
    cost = float(np.mean(errors["int8"]) - np.mean(errors["fp32"]))
    speed = timed["fp32"]["seconds"] / timed["int8"]["seconds"]
    facts = {
        "model": f"{entry.name} {entry.version}",
        "weights": entry.sha256,
        "calibration_films": given.calibration,
        "films": given.films,
        "mre_seen_mm": {name: round(float(np.mean(values)), 4) for name, values in errors.items()},
        "cost_mm": round(cost, 4),
        "apart_mm": {"mean": round(float(np.mean(apart)), 4), "99": round(float(np.quantile(apart, 0.99)), 4)},
        "most_cost_mm": MOST_COST_MM,
        "int8_faster": round(speed, 3),
        "hrnet_slower_than_fp32": round(timed[HRNET]["seconds"] / timed["fp32"]["seconds"], 2),
        "default": "int8" if speed > 1.0 and cost <= MOST_COST_MM else "fp32",
        "bytes": sizes,
        "networks": timed,
    }
    print(json.dumps(facts, indent=2))
    if given.write:
        given.write.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
