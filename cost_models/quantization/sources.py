"""Which network is quantised and on what data: one of the package, or an ONNX file and a .npz that a user brings."""

import hashlib
from pathlib import Path

from designgym.cost_models.quantization import zoo
from designgym.cost_models.quantization.datasets import SPLITS, Dataset, dataset, dataset_of_file
from designgym.cost_models.quantization.networks import Network


def check_source(network: str, data: str, split: str) -> None:
    """Raise ValueError, in one line, for a split that no search sees, and where a file has no data or data no file."""
    for what, given in (("network", network), ("data", data)):
        if not isinstance(given, str):
            raise ValueError(f"{what} must be a name or a path, got {given!r}. Write it as a text.")
    if split not in SPLITS[1:]:
        raise ValueError(f"split must be one of {', '.join(SPLITS[1:])}, got {split!r}. Choose one.")
    if network.endswith(".onnx") and not data:
        raise ValueError(f"an ONNX network needs data, got {network!r} alone. Give data=path.npz too.")
    if data and not network.endswith(".onnx"):
        raise ValueError(f"data are for an ONNX network, got {network!r} with {data!r}. Leave them out.")


def check_elements(elements: int) -> None:
    """Raise ValueError, in one line, for what is no number of processing elements."""
    if isinstance(elements, bool) or not isinstance(elements, int) or elements < 1:
        raise ValueError(f"elements must be a whole number from 1, got {elements!r}. Choose one.")


def parts(network: str, data: str) -> tuple[Network, Dataset]:
    """Return a network of the package and its data, or those of an ONNX file and a .npz."""
    if network.endswith(".onnx"):
        from designgym.cost_models.quantization.onnx_networks import network_of_onnx

        return network_of_onnx(network), dataset_of_file(data)
    return zoo.network(network), dataset(zoo.DATASETS[network])


def contents(network: str, data: str) -> tuple[str, ...]:
    """Return hashes of what files hold, so that what is kept of one is not taken for another's; of no files nothing."""
    found = []
    for path in (network, data) if data else ():
        if not Path(path).is_file():
            raise ValueError(f"{path} must be a file, found none. Check the path.")
        found.append(hashlib.sha256(Path(path).read_bytes()).hexdigest())
    return tuple(found)


def unchanged_parts(network: str, data: str, written: tuple[str, ...]) -> tuple[Network, Dataset]:
    """Return `parts`; ValueError where files no longer hold what they held, by `contents`."""
    if contents(network, data) != written:
        raise ValueError(f"{network} and {data} must stay as they were when the problem was made. Make it again.")
    return parts(network, data)
