"""Files of this machine: what may be read, and reading it.

The policy, for one file and for folders alike: the real path, after `~` and every symbolic link,
lies under an allowed root, with no hidden part below that root, and outside DOME's own data. What
is refused is refused before anything is looked at, so an answer never tells whether a file
outside the roots is there.
"""

import os
import stat
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from dome_mcp.core.errors import Forbidden, InvalidInput, NotFound, UnreadableDocument

_JUNK = frozenset({"node_modules", "bower_components", "__pycache__", "site-packages", "venv"})
_VIRTUAL_ENVIRONMENT = "pyvenv.cfg"
_MOST_NAMES = 5000
_SHOWN_NAMES = 30


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file's bytes; `source_uri` is the `file:` URI of its real path."""

    data: bytes
    filename: str
    source_uri: str
    modified_at: datetime


def open_unfollowed(path: str, flags: int) -> int:
    """Opens without following a link or waiting for a pipe's writer, where the system can."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))


def read_file(
    path: str,
    *,
    roots: Sequence[Path],
    max_bytes: int,
    excluded: Sequence[Path] = (),
    opener: Callable[[str, int], int] = open_unfollowed,
) -> SourceFile:
    """The file at a whole path or `file:` URI, if the policy allows it.

    `excluded` are folders nothing is read from although they lie under a root; `opener` gives the
    descriptor of a path and flags.

    Raises:
        Forbidden: outside the roots, hidden, excluded, or not readable by this user.
        NotFound: no such file; the hint has names in the folder that come close.
        InvalidInput: a path that is not whole; a folder, with what is in it; a pipe or a device.
        UnreadableDocument: larger than `max_bytes`.
    """
    if not _parse(path).is_absolute():
        # The folder a server happens to run in means nothing to who names the file.
        raise InvalidInput("This is not a whole path.", "Send it from the root on, or from ~.")
    real = _policy(roots, excluded).permitted(path)
    try:
        # Looked at before it is opened, because opening a device can already do something.
        _require_plain_file(real, real.stat(), max_bytes)
        with open(real, "rb", opener=opener) as file:
            opened = os.fstat(file.fileno())
            _require_plain_file(real, opened, max_bytes)
            _require_same_file(real, opened)
            data = file.read(max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _not_found(real) from error
    except PermissionError as error:
        raise Forbidden(f"{real.name!r} is not readable.", "Check its permissions.") from error
    except OSError as error:
        # Among others ELOOP: the file became a link after its path was resolved.
        raise InvalidInput(f"{real.name!r} cannot be read: {error.strerror}.") from error
    if len(data) > max_bytes:
        raise _too_large(max_bytes)
    modified_at = datetime.fromtimestamp(opened.st_mtime, UTC)
    return SourceFile(data, real.name, real.as_uri(), modified_at)


def walk(
    paths: Sequence[str],
    *,
    roots: Sequence[Path],
    extensions: Collection[str],
    excluded: Sequence[Path] = (),
    on_skipped: Callable[[Path, str], object] = lambda path, reason: None,
) -> Iterator[Path]:
    """The real paths of files to read, each once, folder by folder in order of name.

    A file named in `paths` comes whatever its extension; files in folders need one of
    `extensions` (lower case, with the dot). Hidden names, other people's code (`node_modules`,
    virtual environments …) and special files are passed over in silence; `on_skipped(path,
    reason)` hears of a folder that cannot be read and of a link that leads to where the policy
    does not allow. Links inside the roots are followed, and loops end.

    Raises:
        Forbidden, NotFound, InvalidInput: for an entry of `paths`, as for `read_file`.
    """
    policy = _policy(roots, excluded)
    seen: set[Path] = set()
    for text in paths:
        named = policy.permitted(text)
        if not os.path.exists(named):
            raise _not_found(named)
        inside = os.path.isdir(named)
        for file in _walk_folder(named, policy, seen, on_skipped) if inside else (named,):
            if file not in seen and (file == named or file.suffix.lower() in extensions):
                seen.add(file)
                yield file


def _walk_folder(
    folder: Path, policy: "_Policy", seen: set[Path], on_skipped: Callable[[Path, str], object]
) -> Iterator[Path]:
    """Every plain file below a real path, whatever its extension; `seen` ends loops."""
    seen.add(folder)
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        on_skipped(folder, error.strerror or "cannot be read")
        return
    if _VIRTUAL_ENVIRONMENT in names:
        return
    for name in names:
        if name.startswith(".") or name in _JUNK:
            continue
        real = Path(os.path.realpath(folder / name))
        if policy.refusal(real) is not None:
            on_skipped(folder / name, "is or leads to what may not be read")
        elif os.path.isfile(real):
            yield real
        elif os.path.isdir(real) and real not in seen:
            yield from _walk_folder(real, policy, seen, on_skipped)


def _policy(roots: Sequence[Path], excluded: Sequence[Path]) -> "_Policy":
    return _Policy(
        roots=tuple(Path(os.path.realpath(root)) for root in roots),
        excluded=tuple(_folded(Path(os.path.realpath(folder))) for folder in excluded),
        drives=frozenset(root.drive.lower() for root in roots),
    )


@dataclass(frozen=True, slots=True)
class _Policy:
    """Which real paths may be read; `roots` and `excluded` are real paths themselves."""

    roots: tuple[Path, ...]
    excluded: tuple[Path, ...]
    drives: frozenset[str]

    def permitted(self, text: str) -> Path:
        """The real path of what a caller named.

        Raises:
            Forbidden: the policy refuses it.
            InvalidInput: not a path at all.
        """
        path = _parse(text)
        # Windows asks the server of a share to resolve it; one that no root names is not asked.
        if path.drive.startswith("\\\\") and path.drive.lower() not in self.drives:
            raise self.outside
        real = Path(os.path.realpath(path))
        refusal = self.refusal(real)
        if refusal is not None:
            raise refusal
        return real

    def refusal(self, real: Path) -> Forbidden | None:
        """Why a real path may not be read; None where it may."""
        below = [real.relative_to(root) for root in self.roots if real.is_relative_to(root)]
        if not below:
            return self.outside
        if all(any(part.startswith(".") for part in path.parts) for path in below):
            return Forbidden(
                "This path is hidden: a name in it starts with a dot.",
                "To read it all the same, add the hidden folder itself to DOME_ALLOWED_ROOTS.",
            )
        if any(_folded(real).is_relative_to(folder) for folder in self.excluded):
            return Forbidden("DOME does not read its own data folder.", "Use search or get_note.")
        return None

    @property
    def outside(self) -> Forbidden:
        """The one refusal of whatever is, or is not, outside the roots."""
        roots = ", ".join(map(str, self.roots)) or "none"
        return Forbidden(
            f"This path is outside the folders DOME may read: {roots}.",
            "Move the file into one of them, or add its folder to DOME_ALLOWED_ROOTS.",
        )


def _folded(path: Path) -> Path:
    """The path as a file system that ignores case (macOS, Windows) compares it."""
    return Path(unicodedata.normalize("NFC", str(path)).casefold())


def _parse(text: str) -> Path:
    name = text.strip()
    if name[:5].lower() == "file:":
        parts = urlsplit(name)
        if parts.netloc not in ("", "localhost"):
            raise InvalidInput("The file: URI names another machine.", "Send file:///whole/path.")
        name = url2pathname(parts.path)
    if not name or "\0" in name:
        raise InvalidInput("The path is empty or has a zero byte in it.", "Send a whole path.")
    with suppress(RuntimeError):
        # `~name` of nobody stays as it is, a name like any other.
        return Path(name).expanduser()
    return Path(name)


def _require_plain_file(real: Path, status: os.stat_result, max_bytes: int) -> None:
    if stat.S_ISDIR(status.st_mode):
        names = _names(real)
        shown = ", ".join([*names[:_SHOWN_NAMES], *(["…"] if names[_SHOWN_NAMES:] else [])])
        raise InvalidInput(
            f"This path is a folder. In it are: {shown or 'no files'}.",
            "Send one file at a time, or run `dome-mcp ingest FOLDER` for all.",
        )
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInput("This path is a pipe, a socket or a device.", "Name a plain file.")
    if status.st_size > max_bytes:
        raise _too_large(max_bytes)


def _require_same_file(real: Path, opened: os.stat_result) -> None:
    """Refuses what was opened if the path has since come to lead elsewhere.

    A folder on the way may have been swapped for a link between the check and the opening. What
    is open is right if the path still is its own real path and leads to that very file.
    """
    if Path(os.path.realpath(real)) != real or not os.path.samestat(real.lstat(), opened):
        raise Forbidden("The path changed while it was read.", "Try again.")


def _too_large(max_bytes: int) -> UnreadableDocument:
    return UnreadableDocument(
        "too_large",
        f"The file is larger than {max_bytes:,} bytes.",
        "Split it, or raise DOME_MAX_DOCUMENT_MB.",
    )


def _not_found(real: Path) -> NotFound:
    """The error for a path that is allowed but not there."""
    try:
        names = _names(real.parent)
    except OSError:
        return NotFound("file", str(real), "Its folder is not there either, or not readable.")
    close = get_close_matches(real.name, names, n=3)
    return NotFound("file", str(real), f"Did you mean {', '.join(close)}?" if close else "")


def _names(folder: Path) -> list[str]:
    """What is in a folder and not hidden, in order.

    Raises:
        OSError: it cannot be read.
    """
    with os.scandir(folder) as entries:
        return sorted(e.name for e in islice(entries, _MOST_NAMES) if not e.name.startswith("."))
