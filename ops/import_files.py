"""The files that are imported, CSV as spreadsheets write it or JSON lines, and the file that says how it went.

CSV may begin with a byte order mark, have commas, semicolons or tabs between its cells, and any line ends.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from ops.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TextIO

type Cell = str | int

_SEPARATORS = ",;\t"
_JSON_NAMES = (".ndjson", ".jsonl", ".json")
_NO_COLUMN = ""  # stands for what is wrong with a record as a whole
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")


class Column(NamedTuple):
    """A column of a file, by its name and by others that mean the same; of integers, or of text."""

    name: str
    also: tuple[str, ...] = ()
    is_integer: bool = False
    is_required: bool = False


class Line(NamedTuple):
    """A record: the number of its line in the file, its cells by the columns' names, and what is wrong with it.

    An empty cell is left out.
    """

    number: int
    cells: Mapping[str, Cell]
    problem: str | None = None


class ImportFile(NamedTuple):
    """All lines of a file, and a digest of its content, 32 hexadecimal digits."""

    path: Path
    digest: str
    lines: list[Line]

    @classmethod
    def read(cls, path: Path, columns: Sequence[Column]) -> Self:
        """Read a whole file.

        Raises:
            CommandError: it is no text in UTF-8, or its columns are not those that are expected.
            OSError: it can't be read.
        """
        content = path.read_bytes()
        text = _text(path, content)
        is_json = path.suffix.lower() in _JSON_NAMES or text.lstrip().startswith("{")
        records = _json_records(text) if is_json else _csv_records(text, columns)
        lines = [_line(number, raw, columns) for number, raw in records]
        if not lines:
            raise CommandError(f"{path} has no lines to import")
        return cls(path, sha256(content).hexdigest()[:32], lines)


def _text(path: Path, content: bytes) -> str:
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CommandError(f"{path} is not UTF-8 in line {line}: save it as CSV in UTF-8") from None


def _csv_records(text: str, columns: Sequence[Column]) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield each record that has any cell, with the number of its first line."""
    first, _, rest = text.partition("\n")
    skipped = 0
    if (named := re.fullmatch(r"sep=(.)\r?", first)) is not None:  # as Excel may write it
        separator, text, skipped = named[1], rest, 1
    else:
        separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        header = [_known_as(cell, columns) for cell in next(reader, [])]
        begin = reader.line_num + 1
        for record in reader:
            number, begin = begin + skipped, reader.line_num + 1
            if any(cell.strip() for cell in record):
                yield number, _by_column(header, record)
    except csv.Error as error:
        raise CommandError(f"line {reader.line_num + skipped} is no CSV: {error}") from None


def _by_column(header: Sequence[str], record: Sequence[str]) -> dict[str, object]:
    if any(cell.strip() for cell in record[len(header) :]):
        return {_NO_COLUMN: f"it has {len(record)} cells, the header {len(header)}"}
    return dict(zip(header, record, strict=False))


def _json_records(text: str) -> Iterator[tuple[int, dict[str, object]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                record = json.loads(line)
            except (RecursionError, ValueError):
                record = line
            yield number, record if isinstance(record, dict) else {_NO_COLUMN: "it is no JSON object"}


def _known_as(cell: str, columns: Sequence[Column]) -> str:
    """Give the name of the column that a header means.

    Raises:
        CommandError: it means none.
    """
    name = re.sub(r"[\s_-]+", "_", cell.strip().lower())
    for column in columns:
        if name in {column.name, *column.also}:
            return column.name
    known = ", ".join(column.name for column in columns)
    raise CommandError(f"the header has a column {cell.strip()!r}; columns are {known}")


def _line(number: int, raw: Mapping[str, object], columns: Sequence[Column]) -> Line:
    """Read the cells of a record; the first thing that is wrong is its problem."""
    try:
        return Line(number, _cells(raw, columns))
    except CommandError as error:
        return Line(number, {}, str(error))


def _cells(raw: Mapping[str, object], columns: Sequence[Column]) -> dict[str, Cell]:
    if _NO_COLUMN in raw:
        raise CommandError(str(raw[_NO_COLUMN]))
    named = {_known_as(name, columns): value for name, value in raw.items()}
    read = {column: _cell(column, named.get(column.name)) for column in columns}
    missing = [column.name for column, value in read.items() if column.is_required and value is None]
    if missing:
        raise CommandError(f"{' and '.join(missing)} missing")
    return {column.name: value for column, value in read.items() if value is not None}


def _cell(column: Column, value: object) -> Cell | None:
    text = value.strip() if isinstance(value, str) else value
    if text is None or text == "":
        return None
    if not column.is_integer:
        if isinstance(text, str):
            return text
        raise CommandError(f"{column.name} is no text: {value!r}")
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    if isinstance(text, str) and _INTEGER.fullmatch(text):
        return int(text)
    raise CommandError(f"{column.name} is no integer: {value!r}")


class Results:
    """The result file: a line for each line that was dealt with, written as it happens."""

    def __init__(self, file: TextIO, columns: Sequence[str]) -> None:
        self._file = file
        self._writer = csv.DictWriter(file, ["line", *columns, "error"], restval="")
        self._writer.writeheader()
        self.failed = 0

    def write(self, line: Line, *, error: str = "", **cells: Any) -> None:
        """Write how a line went; an error says why it was not imported."""
        self.failed += bool(error)
        self._writer.writerow({"line": line.number, "error": error} | cells)

    def flush(self) -> None:
        """Put on the disk what was written."""
        self._file.flush()


def result_path(path: Path) -> Path:
    """Return where the result of importing a file is written: beside it."""
    return path.with_name(f"{path.name}.result.csv")
