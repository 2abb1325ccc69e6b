"""The model catalog: what each model promises, under which terms, and the bytes that are pinned to that promise."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import msgspec

from cephstd.core.digest import digest_bytes
from cephstd.core.landmarks import ModelFacts
from cephstd.errors import LicenceError, ModelError, ModelIntegrityError, ModelUnavailable, UnknownModelError
from cephstd.inference.contracts import InputContract, OutputContract, ShapeContract, UprightContract
from cephstd.inference.shape import ShapePrior, read_prior

MANIFEST = "manifest.toml"


class Results(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A measured figure and the command that gives it again."""

    dataset: str
    films: int
    mre_mm: float
    sdr_2mm: float
    how: str


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model of the manifest.

    Attributes
    ----------
    file, sha256, bytes
        Weights file beside the manifest and the digest that pins it.
    scheme : str
        Landmark scheme; `landmarks` are its ids in the order of the graph's output. An empty id stands for an output
        that the dictionary has no landmark for: it is dropped.
    covariance_scale : dict of str to float
        Factor per landmark on the graph's covariance, fitted on films that the weights had not seen. A landmark that
        is not named keeps the graph's own.
    covariance_floor_px2 : dict of str to (float, float, float)
        Added after the factor: xx, xy and yy on the canvas, the doubt that is the same on every film.
    min_score : float
        Points with a lower score are withheld.
    provisional : tuple of str
        Landmarks that stay provisional until a person accepts them.
    seen : tuple of str
        Labelled films that the weights learned from, as ``dataset/split``: a score on them says nothing of new films.
    upright : UprightContract or None
        Shape by which tilted heads are levelled before a second look; None looks once.
    shape : ShapeContract or None
        Prior by which points that no face has are withheld; None judges by the score alone.
    """

    name: str
    version: str
    file: str
    sha256: str
    bytes: int
    scheme: str
    landmarks: tuple[str, ...]
    input: InputContract
    output: OutputContract
    opset: int
    licence_code: str
    licence_weights: str
    licence_data: str
    intended_use: str
    trained_on: str
    card: str = ""
    min_score: float = 0.0
    covariance_scale: dict[str, float] = {}
    covariance_floor_px2: dict[str, tuple[float, float, float]] = {}
    covariance_how: str = ""
    provisional: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    upright: UprightContract | None = None
    shape: ShapeContract | None = None
    results: tuple[Results, ...] = ()

    def facts(self, *, provider_requested: str = "", provider_ran: str = "") -> ModelFacts:
        """The part of the entry that a record carries."""
        return ModelFacts(
            name=self.name,
            version=self.version,
            scheme=self.scheme,
            weights_sha256=self.sha256,
            licence_code=self.licence_code,
            licence_weights=self.licence_weights,
            licence_data=self.licence_data,
            intended_use=self.intended_use,
            provider_requested=provider_requested,
            provider_ran=provider_ran,
        )


class ViewerEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The view head of the manifest: takes ``view`` (N, 1, 160, 160), gives ``accept``, ``pose`` and ``inverted``.

    Attributes
    ----------
    file, sha256, bytes
        Weights file beside the manifest and the digest that pins it.
    threshold : float
        Least probability at which a picture is taken for a lateral cephalogram.
    threshold_how : str
        On what it was chosen.
    """

    name: str
    version: str
    file: str
    sha256: str
    bytes: int
    threshold: float
    threshold_how: str
    opset: int
    licence_code: str
    licence_weights: str
    licence_data: str
    trained_on: str
    card: str


class _Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    model: tuple[ModelEntry, ...]
    viewer: tuple[ViewerEntry, ...] = ()


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """The entries of one manifest and the folder where their files lie."""

    folder: Path
    entries: tuple[ModelEntry, ...]
    viewers: tuple[ViewerEntry, ...] = ()

    def entry(self, name: str) -> ModelEntry:
        """The entry called `name`.

        Raises
        ------
        UnknownModelError
            When the manifest has no such model.
        """
        for entry in self.entries:
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in self.entries) or "none"
        raise UnknownModelError(f"Expected a model of the catalog ({known}), found {name!r}.")

    def require_licence(self, entry: ModelEntry, accepted: tuple[str, ...]) -> None:
        """Let an added model pass only when the licence of its weights was accepted; bundled ones always pass.

        Raises
        ------
        LicenceError
            When it was not.
        """
        if self.folder.resolve() == bundled_models().resolve() or entry.licence_weights in accepted:
            return
        raise LicenceError(
            f"The weights of {entry.name} are under {entry.licence_weights!r}, which was not accepted.",
            hint=f"Read it, then: --accept-licence {entry.licence_weights!r}, or Recipe(accepted_licences=...).",
        )

    def viewer(self) -> ViewerEntry:
        """The first view head.

        Raises
        ------
        UnknownModelError
            When the manifest has none.
        """
        if not self.viewers:
            raise UnknownModelError("Expected a [[viewer]] in the model manifest, found none.")
        return self.viewers[0]

    def weights(self, entry: ModelEntry | ViewerEntry) -> bytes:
        """The bytes of a model's weights, checked against the pinned digest.

        Raises
        ------
        ModelUnavailable
            When the file is not there.
        ModelIntegrityError
            When it is another file than the manifest pins.
        """
        return self._pinned_bytes(entry.name, "weights", entry.file, entry.sha256)

    def shape_prior(self, entry: ModelEntry) -> ShapePrior | None:
        """The shape prior of a model, checked against the pinned digest; None for a model without one.

        Raises
        ------
        ModelUnavailable
            When its file is not there.
        ModelIntegrityError
            When it is another file than the manifest pins.
        ModelError
            When it breaks its format or lacks a landmark of the model.
        """
        if entry.shape is None:
            return None
        content = self._pinned_bytes(entry.name, "shape prior", entry.shape.file, entry.shape.sha256)
        return read_prior(content, entry.landmarks)

    def _pinned_bytes(self, name: str, what: str, file: str, sha256: str) -> bytes:
        try:
            data = (self.folder / file).read_bytes()
        except OSError as error:
            raise ModelUnavailable(
                f"The {what} of {name} ({file}) {'are' if what == 'weights' else 'is'} not beside the manifest.",
                hint="Install the wheel again or name the folder that holds them with --models.",
            ) from error
        found = digest_bytes(data)
        if found != sha256:
            raise ModelIntegrityError(f"The {what} of {name} should be {sha256}, the file is {found}.")
        return data


def bundled_models() -> Path:
    """Folder of the models that ship with the package: inside the wheel, or at the top of a checkout."""
    package = Path(str(resources.files("cephstd")))
    inside = package / "models"
    return inside if inside.is_dir() else package.parents[1] / "models"


def load_catalog(folder: str | Path | None = None) -> Catalog:
    """Read ``manifest.toml`` in `folder` (default: the bundled models).

    Raises
    ------
    ModelUnavailable
        When there is no manifest.
    ModelError
        When the manifest breaks its format.
    """
    place = bundled_models() if folder is None else Path(folder)
    try:
        manifest = msgspec.toml.decode((place / MANIFEST).read_bytes(), type=_Manifest)
    except OSError as error:
        raise ModelUnavailable(
            f"Expected a {MANIFEST} in the models folder, found none.", hint="Give a folder that holds one."
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"The model manifest is not valid: {error}.") from error
    pins: tuple[ModelEntry | ViewerEntry, ...] = (*manifest.model, *manifest.viewer)
    for pinned in pins:
        shape = pinned.shape.file if isinstance(pinned, ModelEntry) and pinned.shape else ""
        if any(Path(file).name != file for file in (pinned.file, pinned.card, shape)):
            raise ModelError(f"Model {pinned.name}: expected plain file names beside the manifest, found a path.")
    for entry in manifest.model:
        named = set(entry.covariance_scale) | set(entry.covariance_floor_px2) | set(entry.provisional)
        unknown = sorted(named - set(entry.landmarks))
        if unknown:
            raise ModelError(f"Model {entry.name} names landmarks that it does not give: {', '.join(unknown)}.")
    return Catalog(folder=place, entries=manifest.model, viewers=manifest.viewer)
